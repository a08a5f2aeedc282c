from __future__ import annotations

import stat
import tomllib

from tests.cli.shell import Shell


def test_a_new_deployment_has_settings_a_policy_to_read_tools_to_try_and_a_first_person(empty: Shell) -> None:
    ran = empty.run("init", "--name", "petra")
    assert ran.code == 0
    for file in ("interlock.toml", "policy/default.cedar", "example_tools.py", ".interlock/.gitignore"):
        assert (empty.folder / file).is_file(), file
        assert file in ran.out
    assert "The key of petra (admin, approver, operator), shown this once" in ran.out


def test_everything_in_a_new_deployment_works(empty: Shell) -> None:
    empty.keys["admin"] = empty.json("init")["key"]
    assert empty.run("policy", "check", who="admin").code == 0
    assert empty.json("tools", "lint")["findings"] == [], "an example is a good one"
    assert empty.json("call", "look_up_order", '{"order_id": 7}', who="admin")["outcome"] == "done"
    assert empty.run("call", "refund", '{"order_id": 7, "amount_cents": 500}', who="admin").code == 3
    assert empty.run("call", "delete_order", '{"order_id": 7}', who="admin").code == 3


def test_the_key_is_stored_as_a_hash_that_only_its_owner_may_read(empty: Shell) -> None:
    key = empty.json("init")["key"]
    stored = empty.folder / ".interlock" / "keys.json"
    assert key not in stored.read_text()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert stat.S_IMODE(stored.parent.stat().st_mode) == 0o700


def test_the_written_settings_say_every_key_that_there_is(empty: Shell) -> None:
    from interlock.notify_settings import NotifySettings
    from interlock.settings import CacheSettings, LimitSettings, SealSettings, Settings

    empty.run("init")
    text = (empty.folder / "interlock.toml").read_text()
    tomllib.loads(text)
    models = (Settings, LimitSettings, CacheSettings, SealSettings, NotifySettings)
    for name in {name for model in models for name in model.model_fields} - {"folder"}:
        assert name in text, name


def test_a_deployment_may_be_made_elsewhere_and_named_by_its_settings(empty: Shell) -> None:
    said = empty.json("init", "shop/one")
    empty.keys["admin"] = said["key"]
    settings = str(empty.folder / "shop" / "one" / "interlock.toml")
    assert empty.json("tools", "list", "--settings", settings)["tools"]
    assert empty.json("keys", "list", "--settings", settings, who="admin")["keys"][0]["name"] == "admin"


def test_nothing_that_is_there_is_overwritten(empty: Shell) -> None:
    (empty.folder / "example_tools.py").write_text("mine = 1\n")
    said = empty.json("init")
    assert (empty.folder / "example_tools.py").read_text() == "mine = 1\n"
    assert "example_tools.py" not in " ".join(said["made"])
    before = (empty.folder / "interlock.toml").read_bytes()
    assert empty.json("init", code=1)["error"]["code"] == "init.exists"
    (empty.folder / "interlock.toml").unlink()
    assert empty.json("init", code=1)["error"]["code"] == "init.keys", "the first person is made once"
    assert before


def test_a_name_that_may_not_stand_in_the_ledger_is_refused_before_anything_is_written(empty: Shell) -> None:
    assert empty.json("init", "--name", "Ana Müller", code=2)["error"]["code"] == "keys.name"
    assert list(empty.folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(empty: Shell) -> None:
    (empty.folder / "file").write_text("")
    said = empty.json("init", "file/below", code=2)
    assert said["error"]["code"] == "init.write"


def test_init_does_not_take_settings_that_it_makes_itself(empty: Shell) -> None:
    assert empty.json("init", "--settings", "x.toml", code=2)["error"]["code"] == "init.settings"
