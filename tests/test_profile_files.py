"""Profiles in files: read strictly, named by file and field, and in force on the path."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interlock import Settings
from interlock.core.provenance import Level
from interlock.errors import SettingsError
from interlock.grounding.profile import TARGETS_MAX, FieldRule, Profile
from interlock.profile_files import profiles_of, readable_profiles
from interlock.provenance_settings import ProvenanceSettings
from tests.grounding.test_in_the_path import PAYEE, THIEF, bank, payment, schema
from tests.planes import Far, staged

BANK = """
[tools.send_money]
roles = { recipient = "target", "/amount" = "amount", subject = "content" }
shapes = { recipient = "email" }
phrases = ["send * money"]
allowed = { recipients = ["*@acme.com"] }
caps = { amount = "500.00" }
nouns = { recipient = ["payee"] }
targets_max = 3
reviewed = true

[tools.list_payments]
reviewed = true
fields = { "/*/recipient" = "iban", "/*/pin" = { shape = "id", secret = true }, note = { level = "third" } }
default = "model"
form = "json"
readers = ["user"]
directory = true
creates = "/id"
"""


def settings(folder: Path, **files: str) -> Settings:
    (folder / "profiles").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "profiles" / f"{name}.toml").write_text(text)
    return Settings(folder=folder, ledger=None, provenance=ProvenanceSettings(profiles=Path("profiles")))


def of(found: Any, server: str, name: str) -> Profile:
    return found.of(Far().tool(name) if server == "local" else _foreign(server, name))


def _foreign(server: str, name: str) -> Any:
    return replace(Far().tool(name), server=server)


def test_a_file_says_of_each_tool_what_a_profile_has(tmp_path: Path) -> None:
    found = profiles_of(settings(tmp_path, local=BANK), {"send_money": 1, "list_payments": 1})
    pay, read = of(found, "local", "send_money"), of(found, "local", "list_payments")
    assert (pay.role("/recipient"), pay.role("/amount"), pay.shape("/recipient")) == ("target", "amount", "email")
    assert pay.allowed == {"recipients": ("*@acme.com",)} and pay.caps == {"amount": Decimal(500)}
    assert (pay.phrases, pay.nouns, pay.targets_max) == (("send * money",), {"recipient": ("payee",)}, 3)
    assert pay.reviewed and pay.profiled and not read.profiled, "a file of results alone says no arguments"
    assert read.fields == (
        FieldRule("/*/recipient", Level.RECORD, "iban"), FieldRule("/*/pin", Level.RECORD, "id", secret=True),
        FieldRule("note", Level.THIRD, "name"),
    )  # fmt: skip
    assert (read.default, read.form, read.readers) == (Level.MODEL, "json", ("user",))
    assert read.directory and read.creates == "/id" and read.private


def test_no_folder_is_no_profiles(tmp_path: Path) -> None:
    assert not of(profiles_of(Settings(folder=tmp_path)), "local", "send_money").profiled


def test_a_servers_tool_is_named_as_its_server_names_it(tmp_path: Path) -> None:
    made = settings(tmp_path, mail='[tools.send]\nreviewed = true\nroles = { to = "target", body = "content" }\n')
    made = made.model_copy(update={"servers": Settings(servers=[{"name": "mail", "command": ["mail-mcp"]}]).servers})
    found = profiles_of(made)
    assert of(found, "mail", "mail__send").role("/body") == "content"
    assert not of(found, "mail", "send").profiled


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[tools.send_money", "not TOML"),
        ("[tool.send_money]", "tool: it is not known"),
        ('[tools.send_money]\nrole = { a = "target" }', "tools.send_money.role: it is not known"),
        ('[tools.send_money]\nroles = { a = "boss" }', "tools.send_money.roles: Value error, the role 'boss'"),
        ('[tools.send_money]\nshapes = { a = "x" }', "tools.send_money.shapes: Value error, the shape 'x'"),
        ('[tools.send_money]\nfields = { a = "x" }', "tools.send_money.fields: Value error, the shape 'x'"),
        ('[tools.send_money]\nfields = { a = { level = "user" } }', "tools.send_money.fields.a"),
        ('[tools.send_money]\ndefault = "user"', "tools.send_money.default"),
        ('[tools.send_money]\ncreates = "id"', "tools.send_money.creates"),
        ('[tools.send_money]\ncaps = { a = "-1" }', "the cap of 'a' is no amount"),
        ('[tools.send_money]\ncaps = { a = "NaN" }', "tools.send_money.caps.a"),
        ("[tools.send_money]\ntargets_max = 0", "tools.send_money.targets_max"),
        ("[tools.sned_money]", "tools.sned_money: there is no such tool here"),
        ('server = "mail"', "there is no server 'mail'"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_field(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(SettingsError) as refused:
        profiles_of(settings(tmp_path, local=text), {"send_money": 1})
    assert "local.toml: " in str(refused.value.args[0]) and where in str(refused.value.args[0])
    assert refused.value.code == "settings.profiles" and refused.value.remedy


def test_a_server_is_said_once_and_a_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"that of local\.toml too"):
        profiles_of(settings(tmp_path, local="", other='server = "local"'))
    with pytest.raises(SettingsError, match="no folder"):
        profiles_of(Settings(folder=tmp_path, provenance=ProvenanceSettings(profiles=Path("nowhere"))))


@pytest.mark.anyio
async def test_a_profile_in_a_file_is_in_force_on_the_path(tmp_path: Path) -> None:
    """Without it the tool is left to its effect; with it the injected recipient waits, and the user's own goes."""
    words = f"Please send money to {PAYEE}: 120.50 for the bill in may.txt."
    for files, kind in (({}, "done"), ({"local": BANK.partition("[tools.list")[0]}, "held")):
        far = Far()
        read, _, _ = bank(far)
        fields = schema(recipient="string", amount="number", subject="string")
        pay = far.tool("send_money", "reversible", done, input_schema=fields)
        made = settings(tmp_path, **files)
        given = {"provenance": made.provenance} if files else {}
        async with staged(read, pay, settings={**given, "folder": tmp_path}) as stage, stage.run(words=words) as run:
            await run.call("read_bill", {"file": "may.txt"})
            assert (await run.call("send_money", payment(THIEF))).kind == kind
            assert (await run.call("send_money", payment())).done


async def done(arguments: dict[str, Any], context: object) -> object:
    return {"ok": True}


def test_a_deployment_that_cannot_be_read_is_looked_at_without_its_profiles(tmp_path: Path) -> None:
    assert of(readable_profiles(settings(tmp_path, local=BANK)), "local", "send_money").profiled
    assert not of(readable_profiles(settings(tmp_path, local="[")), "local", "send_money").profiled


def test_of_a_profile_that_nobody_reviewed_only_what_is_stricter_counts(tmp_path: Path) -> None:
    found = profiles_of(settings(tmp_path, local=BANK.replace("reviewed = true", "")))
    pay, read = of(found, "local", "send_money"), of(found, "local", "list_payments")
    assert (pay.role("/subject"), pay.shapes, pay.phrases, pay.allowed, pay.nouns) == ("target", {}, (), {}, {})
    assert (pay.caps, pay.targets_max, pay.profiled) == ({"amount": Decimal(500)}, 3, False)
    assert (read.fields, read.default, read.form) == ((), Level.THIRD, "")
    assert (read.directory, read.creates, read.readers) == (False, "", ("user",))
    told = settings(
        tmp_path, local='[tools.send_money]\ntargets_max = 99\nroles = { key = "credential", a = "content" }'
    )
    strict = of(profiles_of(told), "local", "send_money")
    assert (strict.roles, strict.targets_max) == ({"key": "credential"}, TARGETS_MAX)


def test_the_roles_of_a_tools_own_code_stand_beside_a_file_that_says_none_that_count(tmp_path: Path) -> None:
    """Else a file about results, or one that nobody read, would take a tool out of what is judged."""
    tool = Far().tool("send_money", "reversible", roles={"recipient": "target", "subject": "content"})
    for text in (
        '[tools.send_money]\nreviewed = true\nfields = { id = "id" }',
        '[tools.send_money]\nreaders = ["user"]',
    ):
        found = profiles_of(settings(tmp_path, local=text))
        said = found.of(tool)
        assert said.profiled and (said.role("/recipient"), said.role("/subject")) == ("target", "content"), text
        assert found.of(tool) is said


@pytest.mark.anyio
async def test_a_profile_that_nobody_reviewed_raises_nothing_on_the_path(tmp_path: Path) -> None:
    """The lists of a file let a recipient through that text by others names; before a review they do not."""
    allowed = "\n".join(
        ("[tools.send_money]", "reviewed = true", 'roles = { recipient = "target", subject = "content" }',
         'phrases = ["send * money"]', f'allowed = {{ recipients = ["{THIEF}"] }}')
    )  # fmt: skip
    for text, kind in ((allowed, "done"), (allowed.replace("= true", "= false"), "held")):
        far = Far()
        read, _, _ = bank(far)
        fields = schema(recipient="string", subject="string")
        pay = far.tool("send_money", "reversible", done, input_schema=fields, roles={"subject": "content"})
        given = {"provenance": settings(tmp_path, local=text).provenance, "folder": tmp_path}
        words = "Please send money for may.txt."
        async with staged(read, pay, settings=given) as stage, stage.run(words=words) as run:
            await run.call("read_bill", {"file": "may.txt"})
            assert (await run.call("send_money", {"recipient": THIEF, "subject": "May"})).kind == kind, text
