from __future__ import annotations

import inspect
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import site as cli_site
from interlock.core.principal import Principal
from interlock.core.tool import Effect, Tool
from interlock.server_settings import ServerSettings
from interlock.settings import Settings
from interlock.wrapping import readiness
from interlock.wrapping.checklist import CHECKS
from interlock.wrapping.coverage import Coverage, Way, coverage, read_clients
from interlock.wrapping.readiness import Severity, Site, examine
from tests.cli.shell import Shell

FAR = {"command": sys.executable, "args": [str(Path(__file__).parents[1] / "sources" / "hostile_server.py"), "plain"]}


@pytest.fixture
def wrapped(empty: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A deployment that was made from a client's file, in a home of its own."""
    monkeypatch.setenv("HOME", str(empty.folder))
    (empty.folder / "mcp.json").write_text(json.dumps({"mcpServers": {"far": FAR}}), encoding="utf-8")
    empty.keys["admin"] = empty.json("init", "--from", "mcp.json", "--write", "--yes")["key"]
    return empty


def found(document: Any, check: str) -> list[str]:
    return [each["severity"] for each in document["findings"] if each["check"] == check]


def test_a_client_whose_servers_are_all_behind_is_wholly_covered(wrapped: Shell) -> None:
    """D8; issue 6, shown by 2: 100 only where nothing is left."""
    said = wrapped.json("doctor", "--client", "mcp.json", code=1)
    assert (said["coverage"]["percent"], said["coverage"]["governed"]) == (100, 1)
    assert found(said, "policy enforced") == ["bad"], "observing alone is not ready"
    settings = wrapped.folder / "interlock.toml"
    settings.write_text(settings.read_text().replace('"evaluate_only"', '"enforce"'))
    said = wrapped.json("doctor", "--client", "mcp.json")
    assert said["ready"] is True


def test_a_server_that_a_client_still_names_is_a_way_round(wrapped: Shell) -> None:
    other = wrapped.folder / "other.json"
    hostile = "\x1b[2Jfar\u202e"
    other.write_text(json.dumps({"mcpServers": {hostile: FAR, "off": {**FAR, "disabled": True}}}))
    ran = wrapped.run("doctor", "--client", "mcp.json", "--client", "other.json")
    assert ran.code == 1 and "Coverage: 50 %" in ran.out
    assert "it is behind Interlock as 'far'" in " ".join(ran.out.split())
    assert "\x1b" not in ran.out and "\u202e" not in ran.out, "what a client's file says is text"


def test_built_in_tools_without_a_hook_are_ways_round(tmp_path: Path) -> None:
    """E9, D8: only a hook that is plainly asked before a tool counts."""
    (tmp_path / ".mcp.json").write_text(json.dumps({"mcpServers": {}}))
    (tmp_path / ".claude").mkdir()

    def left(*matchers: str, command: str = "interlock hook") -> list[str]:
        entries = [{"matcher": each, "hooks": [{"type": "command", "command": command}]} for each in matchers]
        (tmp_path / ".claude" / "settings.json").write_text(json.dumps({"hooks": {"PreToolUse": entries}}))
        clients = read_clients([tmp_path / ".mcp.json"])
        return [way.what for way in coverage(clients, Settings(folder=tmp_path), {}, tmp_path).ways]

    every = [f"Claude Code: {tool}" for tool in ("Bash", "Edit", "NotebookEdit", "WebFetch", "Write")]
    assert left() == every
    assert left("*") == []
    assert left("*", command="some-other hook") == every
    assert left("Edit|Write") == [every[0], every[2], every[3]]
    assert left("(Ba)sh") == every, "what would have to be guessed counts as no"


def test_an_editor_without_hooks_is_never_wholly_covered(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "mcp.json").write_text(json.dumps({"servers": {}}))
    clients = read_clients([tmp_path / ".vscode" / "mcp.json"])
    assert [way.what for way in coverage(clients, Settings(folder=tmp_path), {}, tmp_path).ways] == [
        "VS Code: terminal", "VS Code: edit",
    ]  # fmt: skip


def test_no_client_is_no_hundred_percent(tmp_path: Path) -> None:
    assert coverage([], Settings(folder=tmp_path), {"local": 5}, tmp_path).percent is None


def test_a_percentage_is_rounded_down(tmp_path: Path) -> None:
    way = Way("f", "x", "how", 1, "do")
    assert Coverage((("f", "c"),), 999, (way,)).percent == 99
    assert Coverage((("f", "c"),), 0, ()).percent == 100


def test_another_deployments_gateway_governs_nothing_here(tmp_path: Path) -> None:
    def covered(entry: dict[str, Any]) -> Coverage:
        file = tmp_path / "c.json"
        file.write_text(json.dumps({"mcpServers": {"interlock": entry}}))
        return coverage(read_clients([file]), Settings(folder=tmp_path), {"local": 3}, tmp_path)

    args = ["gateway", "stdio", "--settings"]
    assert covered({"command": "interlock", "args": [*args, str(tmp_path / "interlock.toml")]}).percent == 100
    assert covered({"command": "interlock", "args": [*args, "/elsewhere/interlock.toml"]}).percent == 0
    assert covered({"url": "http://127.0.0.1:8722/mcp"}).percent == 100
    assert covered({"url": "http://127.0.0.1:8723/mcp"}).percent == 0


def test_a_deployment_that_does_not_open_is_a_finding_and_no_crash(wrapped: Shell) -> None:
    (wrapped.folder / "policy" / "default.cedar").write_text("permit (")
    said = wrapped.json("doctor", "--client", "mcp.json", code=1)
    assert found(said, "opens") == ["bad"] and said["ready"] is False


# ------------------------------------------------------------------------ the checklist, each item with what fails it


async def nothing(arguments: dict[str, Any], context: object) -> None:
    return None


def tool(name: str, effect: Effect, **said: Any) -> Tool:
    return Tool(name=name, body=nothing, effect=effect, **{"input_schema": {"type": "object"}, **said})


TO = {"type": "object", "properties": {"to": {"type": "string"}}}
WRITER = tool("send", Effect.REVERSIBLE, input_schema=TO)
TOLD = {"notify": {"webhooks": [{"name": "s", "url": "https://a.example/", "groups": ["approver"]}]}}


ADMIN = Principal("a", roles=frozenset({"admin", "approver"}))
AGENT = Principal("b", roles=frozenset({"agent"}))


def worst(check: str, tmp_path: Path, **given: Any) -> Severity:
    settings = Settings(folder=tmp_path, **given.pop("settings", {}))
    site = Site(**{"settings": settings, "now_us": 10**15, "people": (ADMIN, AGENT), **given})
    order = list(Severity)
    return min((each.severity for each in examine(site) if each.check == check), key=order.index)


@pytest.mark.parametrize(
    ("check", "severity", "bad", "fine"),
    [
        ("authentication", "bad", {"people": ()}, {}),
        ("authentication", "warn", {"settings": {"gateway": {"local": {"id": "me"}}}}, {}),
        ("policy enforced", "bad", {"settings": {"mode": "evaluate_only"}}, {}),
        ("default deny", "bad", {"open_to": ["pay"]}, {}),
        ("approvers", "bad", {"approvers": frozenset({"cfo"})}, None),
        ("approvers", "bad", {"approvers": frozenset({"admin"}), "people": (ADMIN,)}, None),
        ("approvers", "warn", {"approvers": frozenset({"admin"})}, None),
        ("reviewed", "warn", {"withheld": {"x": "changed"}}, {}),
        ("effects", "warn", {"tools": [tool("delete_all", Effect.READ)]}, {"tools": [tool("get_it", Effect.READ)]}),
        (
            "lost answers", "warn", {"tools": [tool("pay", Effect.IRREVERSIBLE)]},
            {"tools": [tool("pay", Effect.IRREVERSIBLE, keyed=True)]},
        ),
        ("pins", "warn", {"tools": [tool("get_it", Effect.READ)]}, None),
        ("sealing", "bad", {"settings": {"seal": {"on": False}}}, None),
        ("sealing", "bad", {"settings": {"seal": {"unsigned": True}}}, None),
        ("sealing", "warn", {}, None),
        ("ledger", "bad", {"settings": {"ledger": None}}, None),
        ("notices", "warn", {}, {"settings": {"notify": {"webhooks": [{"name": "s", "url": "https://a.example/"}]}}}),
        (
            "budgets", "warn", {},
            {"settings": {"limits": {"budgets": [{"name": "d", "unit": "calls", "most": 5}]}}},
        ),
        ("origins", "warn", {"tools": [WRITER]}, {"tools": [replace(WRITER, roles={"to": "target"})]}),
        ("origins", "warn", {"tools": [tool("fetch", Effect.READ, outward=True, input_schema=TO)]},
         {"tools": [tool("stop_all", Effect.PRIVILEGED)]}),
        ("screening", "warn", {"settings": {"screening": {"secrets": "flag"}}}, {}),
        ("screening", "warn", {"settings": {"screening": {"injection": "off"}}}, {}),
        ("versions of tools", "warn", {"left_over": ["pay"]}, {}),
        ("health", "warn", {"down": ["bank (refused)"]}, {}),
        ("stops", "warn", {"stopped": ["tool pay"]}, {}),
        ("hook", "warn", {"hook_s": 2.1}, {"hook_s": 0.4}),
        (
            "approvers told", "warn", {"approvers": frozenset({"cfo", "approver"}), "settings": TOLD},
            {"approvers": frozenset({"approver"}), "settings": TOLD},
        ),
        ("clock", "bad", {"ledger": (5, 5, 2 * 10**15)}, {"ledger": (5, 5, 10**15)}),
        ("unsealed", "bad", {"ledger": (5, 3, 10**14)}, {"ledger": (5, 5, 10**14)}),
    ],
)  # fmt: skip
def test_each_item_of_the_checklist_can_fail_and_be_met(
    check: str, severity: str, bad: dict[str, Any], fine: dict[str, Any] | None, tmp_path: Path
) -> None:
    """F5."""
    assert worst(check, tmp_path, **dict(bad)) == severity
    if fine is not None:
        assert worst(check, tmp_path, **dict(fine)) is Severity.GOOD


def test_a_channel_that_is_not_told_of_requests_tells_no_group(tmp_path: Path) -> None:
    hook = {"name": "s", "url": "https://a.example/", "kinds": ["call.unknown"]}
    given = {"approvers": frozenset({"approver"}), "settings": {"notify": {"webhooks": [hook]}}}
    assert worst("approvers told", tmp_path, **given) is Severity.WARN


def test_a_slow_hook_says_that_python_compiles_everything_anew(tmp_path: Path) -> None:
    site = Site(settings=Settings(folder=tmp_path), now_us=10**15, hook_s=3.0, bytecode=False)
    [said] = [each for each in examine(site) if each.check == "hook"]
    assert "PYTHONDONTWRITEBYTECODE" in said.do


def test_every_check_stands_in_the_checklist_and_no_other() -> None:
    """F5: each with what it answers."""
    named = set()
    for module in (readiness, cli_site):
        source = inspect.getsource(module)
        named |= set(re.findall(r'(?:Finding|_found|_cannot)\(\s*"([^"]+)"', source))
    assert named | {"rates", "budgets"} == set(CHECKS)


def test_the_state_of_a_deployment_is_looked_at_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(shell.folder))
    shell.json("stop", "--tool", "refund", "--reason", "drill", who="root")
    said = shell.json("doctor", "--client", "none.json", code=2)
    assert said["error"]["code"].startswith("client.")
    settings = shell.folder / "interlock.toml"
    settings.write_text(settings.read_text().replace("tools = [", 'tools = ["interlock.toolkit.coding", '))
    document = shell.json("doctor")
    assert {each["answers"] for each in document["findings"] if each["check"] == "stops"} == {"B19"}
    assert found(document, "stops") == ["warn"] and found(document, "hook") == ["good"]


def test_servers_are_held_against_the_checklist(tmp_path: Path) -> None:
    trusted = ServerSettings(name="far", command=("x",), trust=True)
    sound = ServerSettings(name="far", command=("x",), effects={"a": "read"})
    assert worst("first sight", tmp_path, settings={"servers": (trusted,)}) is Severity.WARN
    assert worst("stated effects", tmp_path, settings={"servers": (trusted,)}) is Severity.WARN
    assert worst("first sight", tmp_path, settings={"servers": (sound,)}) is Severity.GOOD
    assert worst("stated effects", tmp_path, settings={"servers": (sound,)}) is Severity.GOOD
    assert worst("servers answer", tmp_path, settings={"servers": (sound,)}, servers={"far": "down"}) is Severity.BAD


def test_a_secret_in_the_settings_themselves_is_found_and_a_reference_to_one_is_none(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    clear = ServerSettings(name="far", command=("x",), env={"GITHUB_TOKEN": token})
    named = ServerSettings(name="far", command=("x",), env={"GITHUB_TOKEN": {"$secret": "env://GITHUB_TOKEN"}})
    shop = {"name": "shop", "openapi": "shop.json", "base_url": f"https://shop.example/?key={token}"}
    assert worst("secrets in clear", tmp_path, settings={"servers": (clear,)}) is Severity.WARN
    assert worst("secrets in clear", tmp_path, settings={"servers": (named,)}) is Severity.GOOD
    assert worst("secrets in clear", tmp_path, settings={"services": (shop,)}) is Severity.WARN
    assert worst("secrets in clear", tmp_path) is Severity.GOOD
    site = Site(settings=Settings(folder=tmp_path, servers=(clear,)), now_us=1)
    [said] = [each for each in examine(site) if each.check == "secrets in clear"]
    assert said.says == "servers.far.env.GITHUB_TOKEN" and "use-secrets" in said.do and token not in repr(said)


def test_a_key_that_others_may_read_is_found(tmp_path: Path) -> None:
    state = tmp_path / ".interlock"
    state.mkdir()
    (state / "keys.json").write_text("{}")
    (state / "keys.json").chmod(0o644)
    assert worst("file modes", tmp_path) is Severity.BAD
    (state / "keys.json").chmod(0o600)
    assert worst("file modes", tmp_path) is Severity.GOOD
