from __future__ import annotations

import json
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from interlock.registry.effects import guess
from interlock.wrapping.clients import Named, read_client
from interlock.wrapping.taking import Left, Taken, secret_looking, take
from interlock.wrapping.written import toml
from tests.cli.shell import Shell

SERVERS = Path(__file__).parents[1] / "sources"
FAR = {"command": sys.executable, "args": [str(SERVERS / "far_server.py")]}


def client(shell: Shell, servers: dict[str, Any], name: str = "mcp.json") -> Path:
    file = shell.folder / name
    file.write_text(json.dumps({"mcpServers": servers, "theme": "dark"}), encoding="utf-8")
    return file


def test_two_commands_lead_from_a_clients_file_to_a_governed_client(empty: Shell) -> None:
    """E3: what the client starts by its own file is the gateway, with the same tools, and each call is kept."""
    file = client(empty, {"far": FAR})
    empty.keys["admin"] = empty.json("init", "--from", "mcp.json", "--write", "--yes")["key"]
    entry = json.loads(file.read_text())["mcpServers"]
    assert list(entry) == ["interlock"]

    async def use() -> tuple[list[str], Any]:
        asked = StdioServerParameters(**entry["interlock"])
        async with stdio_client(asked) as (reading, writing), ClientSession(reading, writing) as session:
            await session.initialize()
            listed = await session.list_tools()
            answer = await session.call_tool("far__add", {"n": 1})
            return [tool.name for tool in listed.tools], answer.structured_content

    names, answer = anyio.run(use)
    assert set(names) == {"far__add", "far__echo", "far__fail", "far__die"} and answer == {"n": 2}
    (call,) = empty.json("calls", "list", who="admin")["calls"]
    assert (call["tool"], call["outcome"]) == ("far__add", "done")


def test_the_review_is_a_table_with_reasons_and_stands_in_the_settings(empty: Shell) -> None:
    client(empty, {"far": FAR})
    ran = empty.run("init", "--from", "mcp.json", "--yes")
    assert ran.code == 0
    assert "its description begins with 'add'" in ran.out or "its name begins with 'add'" in ran.out
    assert "no: look at it" in ran.out, "what nothing is said of is marked"
    text = (empty.folder / "interlock.toml").read_text()
    said = tomllib.loads(text)
    assert said["mode"] == "evaluate_only"
    assert said["servers"][0]["effects"]["add"] == guess("add", "Adds one to a number.").effect.value
    assert "(UNSURE: look at it)" in text
    assert '{"mcpServers": {"interlock": {"command":' in ran.out, "the replacement is one line"
    assert json.loads((empty.folder / "mcp.json").read_text())["mcpServers"] == {"far": FAR}, (
        "nothing is replaced unasked"
    )


def test_drafts_of_profiles_are_written_that_nobody_has_read_and_the_doctor_says_so(empty: Shell) -> None:
    client(empty, {"far": FAR})
    (empty.folder / "profiles").mkdir()
    empty.keys["admin"] = empty.json("init", "--from", "mcp.json", "--yes")["key"]
    tools = tomllib.loads((empty.folder / "profiles" / "far.toml").read_text())["tools"]
    assert set(tools) == {"add", "echo", "fail", "die"} and not any(tool["reviewed"] for tool in tools.values())
    found = {each["check"]: each for each in empty.run("doctor", "--json", who="admin").document["findings"]}
    assert found["profiles"]["severity"] == "warn" and "far__add" in found["profiles"]["says"]
    listed = empty.json("profile", "list", who="admin")["tools"]
    assert {tool["profile"] for tool in listed} == {"unreviewed"}


def test_no_secret_is_copied_in_clear(empty: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "north")
    env = {
        "TOKEN": "hunter2", "PLAIN": "sk-live-abcdefgh", "DB": "postgres://u:pw@h/d", "LEVEL": "debug",
        "REGION": "${REGION}",
    }  # fmt: skip
    client(empty, {"far": {**FAR, "env": env}})
    ran = empty.run("init", "--from", "mcp.json", "--write", "--yes")
    settings = (empty.folder / "interlock.toml").read_text()
    for secret in ("hunter2", "sk-live-abcdefgh", "pw@h"):
        assert secret not in settings + ran.out + (empty.folder / "mcp.json").read_text()
    said = tomllib.loads(settings)["servers"][0]
    assert said["env"] == {"LEVEL": "debug"} and said["env_pass"] == ["REGION"], (
        "what is plainly harmless stays readable"
    )
    kept = empty.folder / said["env_files"]["TOKEN"]
    assert kept.read_text() == "hunter2" and stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE((empty.folder / ".interlock").stat().st_mode) == 0o700
    backup = empty.folder / "mcp.json.before-interlock"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_replaced_file_keeps_all_else_and_has_a_way_back(empty: Shell) -> None:
    shell_like = {"command": "bash", "args": ["-c", "true"]}
    file = client(empty, {"far": FAR, "odd": shell_like})
    before = file.read_bytes()
    said = empty.json("init", "--from", "mcp.json", "--write", "--yes")
    now = json.loads(file.read_text())
    assert now["theme"] == "dark" and set(now["mcpServers"]) == {"odd", "interlock"}
    assert said["left"] == [{"name": "odd", "why": "'bash' is a shell; name the program that it would start"}]
    (backup,) = said["replaced"].values()
    assert Path(backup).read_bytes() == before


def test_nothing_is_started_or_made_without_a_yes(empty: Shell) -> None:
    client(empty, {"far": FAR})
    ran = empty.run("init", "--from", "mcp.json", typed="n\n")
    assert ran.code == 1 and "far_server.py" in ran.out, "what would be started is shown, whole"
    assert sorted(each.name for each in empty.folder.iterdir()) == ["mcp.json"]


def test_what_was_seen_is_accepted_and_nothing_else(empty: Shell) -> None:
    """T7, T19: another command line is not started, and a tool with another effect waits for a person again."""
    client(empty, {"far": FAR})
    empty.keys["admin"] = empty.json("init", "--from", "mcp.json", "--yes")["key"]
    assert [row["withheld"] for row in empty.json("servers", "list")["servers"]] == [0]
    settings = empty.folder / "interlock.toml"
    text = settings.read_text()
    settings.write_text(text.replace('far_server.py"]', 'far_server.py", "--more"]'))
    (row,) = empty.json("servers", "list", code=1)["servers"]
    assert row["last_error"] == "its command changed since it was reviewed"
    settings.write_text(text.replace('add = "reversible"', 'add = "irreversible"'))
    assert [row["withheld"] for row in empty.json("servers", "list")["servers"]] == [1]


def test_a_server_that_does_not_answer_is_written_down_and_said(empty: Shell) -> None:
    client(empty, {"far": FAR, "gone": {"command": sys.executable, "args": [str(SERVERS / "no_such_file.py")]}})
    said = empty.json("init", "--from", "mcp.json", "--yes", code=1)
    assert [bool(each["why"]) for each in said["servers"]] == [False, True]
    assert "# It did not answer" in (empty.folder / "interlock.toml").read_text()


def test_a_hostile_name_is_text_wherever_it_stands(empty: Shell) -> None:
    """T9: neither the settings nor the terminal take a server's or a client's words for anything but text."""
    client(empty, {'x"]\nmode = "enforce"\x1b[31m': FAR})
    ran = empty.run("init", "--from", "mcp.json", "--yes")
    assert "\x1b" not in ran.out
    said = tomllib.loads((empty.folder / "interlock.toml").read_text())
    assert said["mode"] == "evaluate_only" and said["servers"][0]["name"].startswith("x-mode")
    hostile = 'a"\n\\ü\u202e\x7f'
    assert tomllib.loads(f"x = {toml({hostile: hostile})}")["x"] == {hostile: hostile}


# ------------------------------------------------------------------------ the shapes of clients


def taken(said: dict[str, Any], tmp_path: Path, answer: str = "") -> Taken:
    file = tmp_path / ".vscode" / "mcp.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"servers": {"One": said}}), encoding="utf-8")
    read = read_client(file)
    return take(read.servers[0], read, (), lambda _: answer)


def test_the_shapes_of_clients_are_read(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    shapes = (
        '{"mcpServers": {"a": {"command": "x"}}}',
        '{"servers": {"a": {"type": "stdio", "command": "x", /* no */ "args": ["// kept",]}},} // end',
        '{"mcp": {"servers": {"a": {"command": "x"}}}}',
        '{"projects": {"/p": {"mcpServers": {"a": {"command": "x"}}}}}',
    )
    for text in shapes:
        file.write_text(text)
        assert [each.name for each in read_client(file).servers] == ["a"], text
    assert read_client(file).servers[0].place == ("projects", "/p", "mcpServers")


@pytest.mark.parametrize("text", ["[]", "{}", "{", '{"mcpServers": 1}', '{"a": 1, "a": 2}'])
def test_what_is_no_clients_file_is_refused(empty: Shell, text: str) -> None:
    (empty.folder / "x.json").write_text(text)
    code = empty.json("init", "--from", "x.json", "--yes", code=2)["error"]["code"]
    assert code in ("client.shape", "client.syntax")


def test_an_address_is_taken_with_its_key_in_a_file(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer abcdef", "X-Api-Key": "ghijkl", "Accept-Language": "de"}
    found = taken({"type": "http", "url": "https://a.example/mcp", "headers": headers}, tmp_path)
    assert sorted(found.secrets.values()) == ["abcdef", "ghijkl"]
    assert found.settings.headers == {"Accept-Language": "de"} and set(found.settings.header_files) == {"X-Api-Key"}


def test_inputs_and_folders_of_an_editor_are_filled_in(tmp_path: Path) -> None:
    said = {"command": "serve", "args": ["${workspaceFolder}/data"], "env": {"PASSWORD": "${input:pw}"}}
    found = taken(said, tmp_path, answer="typed")
    assert found.settings.command[1] == f"{tmp_path}/data" and list(found.secrets.values()) == ["typed"]
    with pytest.raises(Left, match="asks for the input 'pw'"):
        taken(said, tmp_path)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"command": "sh", "args": ["-c", "x"]}, "is a shell"),
        ({"command": "npx", "args": ["s", "--api-key", "sk-abcdefghijk"]}, "looks like a secret"),
        ({"command": "npx", "args": ["s", "--token=abc"]}, "looks like a secret"),
        ({"command": "npx", "args": ["postgres://u:p@h/d"]}, "looks like a secret"),
        ({"command": "npx", "args": ["${env:HOME}"]}, "has the variable"),
        ({"url": "https://a.example/sse", "type": "sse"}, "speaks SSE"),
        ({"url": "http://a.example/mcp"}, "not https"),
        ({"url": "https://a.example/mcp", "headers": {"X": "${env:NO_SUCH_ONE}"}}, "is not set"),
        ({"args": []}, "neither a command nor a url"),
    ],
)
def test_what_cannot_be_said_in_settings_stays_with_the_client(said: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(Left, match=why):
        taken(said, tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("LEVEL", "debug", False), ("PORT", "8080", False), ("DIR", "/srv/data", False), ("ON", "true", False),
        ("URL", "https://a.example/x", False), ("API_KEY", "x", True), ("X", "ghp_abcdefghij", True),
        ("URL", "https://a.example/x?sig=1", True), ("X", "7f3a9c0b1d2e4f5a6b7c8d9e", True), ("X", "a b c", True),
    ],
)  # fmt: skip
def test_a_value_counts_as_a_secret_unless_it_is_plainly_none(name: str, value: str, secret: bool) -> None:
    assert secret_looking(name, value) is secret


def test_interlock_itself_is_known_again() -> None:
    for command in (["/opt/bin/interlock", "gateway", "stdio"], ["python", "-m", "interlock", "gateway", "stdio"]):
        assert Named(("mcpServers",), "x", {"command": command[0], "args": command[1:]}).ours
    assert not Named(("mcpServers",), "interlock", {"command": "npx", "args": ["gateway", "stdio"]}).ours


def test_two_servers_never_share_a_name(empty: Shell) -> None:
    client(empty, {"A b": FAR, "a-b": {**FAR, "env": {"X": "1"}}, "local": {**FAR, "env": {"X": "2"}}})
    said = empty.json("init", "--from", "mcp.json", "--yes")
    names = [each["name"] for each in said["servers"]]
    assert names == ["a-b", "a-b-2", "local-server"]
