from __future__ import annotations

import json
import re

import apsw

from interlock.core.principal import Principal
from interlock.keys import Keys
from tests.cli.shell import Shell

CANARY = "sk-canary-0123456789abcdef"


def test_a_report_has_its_four_parts_for_a_program_and_for_a_person(shell: Shell) -> None:
    """F5."""
    said = shell.json("report", who="root")
    assert list(said) == ["tools", "risk", "roles", "security"]
    assert {row["tool"] for row in said["tools"]["effects"]} >= {"look", "refund", "wipe"}
    matrix = {row["effect"]: row for row in said["risk"]["matrix"]}
    assert matrix["irreversible"]["as support"].startswith("hold")
    ran = shell.run("report", who="olga")
    assert ran.code == 0 and "Tool catalogue" in ran.out and "Threats and defences" in ran.out


def test_the_files_of_a_report_say_the_same_and_differ_by_the_time_alone(shell: Shell) -> None:
    shell.held()
    first = shell.json("report", "--out", "one", who="root")
    shell.clock.advance(60)
    shell.json("report", "--out", "two", who="root")
    names = sorted(path.name for path in (shell.folder / "one").iterdir())
    assert names == ["report.html", "report.json", "risk.md", "roles.md", "security.md", "tools.md"]
    assert len(first["files"]) == len(names)
    for name in names:
        one, two = ((shell.folder / folder / name).read_text().splitlines() for folder in ("one", "two"))
        differing = [line for a, line in zip(one, two, strict=True) if a != line]
        assert all(re.search(r"T\d\d:\d\d:\d\d", line) for line in differing) and len(differing) <= 1
    assert json.loads((shell.folder / "one" / "report.json").read_text())["risk"] == first["risk"]


def test_a_report_is_for_operators_and_administrators_of_the_deployment(shell: Shell) -> None:
    assert shell.run("report", who="ana").code == 5
    keys = Keys(shell.folder / ".interlock" / "keys.json")
    shell.keys["eve"] = keys.add(Principal("eve", "elsewhere", frozenset({"admin"})))
    assert shell.json("report", who="eve", code=5)["error"]["code"] == "report.tenant"


def test_no_secret_reaches_a_report(shell: Shell) -> None:
    """F5, T32: neither keys nor what settings name by files, nor what they have in clear."""
    state = shell.folder / ".interlock"
    (shell.folder / "far.key").write_text(CANARY)
    (shell.folder / "far.key").chmod(0o600)
    settings = shell.folder / "interlock.toml"
    settings.write_text(
        settings.read_text()
        + f"""
[[servers]]
name = "far"
command = ["/nowhere/at/all"]
env = {{ API_KEY = "{CANARY}" }}
env_files = {{ OTHER = "far.key" }}

[[notify.webhooks]]
name = "w"
url = "https://hooks.example/{CANARY}"
"""
    )
    said = json.dumps(shell.json("report", "--out", "out", who="root"))
    texts = [
        said,
        shell.run("report", who="root").out,
        *(path.read_text() for path in (shell.folder / "out").iterdir()),
    ]
    secrets = [CANARY, *shell.keys.values(), *(path.read_bytes().hex() for path in state.glob("*.key"))]
    secrets += [path.read_text().strip() for path in state.glob("*.key") if path.name != "deployment.key"]
    secrets += [mark for person in json.loads((state / "keys.json").read_text())["people"] for mark in person["keys"]]
    for text in texts:
        assert not [secret for secret in secrets if secret in text]
    assert "servers.far.env.API_KEY" in said


def test_a_deployment_that_does_not_open_is_reported_as_far_as_it_can_be_seen(shell: Shell) -> None:
    (shell.folder / "policy").mkdir()
    (shell.folder / "policy" / "own.cedar").write_text("permit (")
    settings = shell.folder / "interlock.toml"
    settings.write_text(settings.read_text() + 'policy = "policy"\n')
    said = shell.json("report", who="root")
    assert "opens" in [row["check"] for row in said["security"]["findings"]]


def test_a_ledger_that_was_changed_is_said_to_be(shell: Shell) -> None:
    shell.held()

    def verified() -> str:
        found = {row["what"]: row["how"] for row in shell.json("report", who="root")["security"]["ledger"]}
        return str(found["verified"])

    assert verified().startswith("every event is what was written")
    raw = apsw.Connection(str(shell.folder / ".interlock" / "ledger.db"))
    raw.execute("DELETE FROM payload WHERE pos = 3")
    raw.close()
    assert verified().startswith("it is NOT what was written")


def test_what_is_stopped_stands_in_the_report(shell: Shell) -> None:
    shell.json("stop", "--tool", "refund", "--reason", "the bank is down", who="root")
    [row] = shell.json("report", who="root")["security"]["stops"]
    assert row == {"what": "tool", "which": "refund", "why": "the bank is down"}


def test_a_key_that_is_made_by_typing_bears_its_day(shell: Shell) -> None:
    shell.json("keys", "add", "new", "--role", "support", who="root")
    made = {row["whose"]: row["made on"] for row in shell.json("report", who="root")["security"]["keys"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", made["new"]) and made["ana"] is None
