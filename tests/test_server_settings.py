"""What a server may be, as the settings say it (T19)."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from interlock.server_book import command_digest
from interlock.server_settings import ServerSettings

SOURCE = Path(__file__).resolve().parents[1] / "src" / "interlock"


def server(**said: Any) -> ServerSettings:
    return ServerSettings(**{"name": "far", "command": ["npx", "-y", "pkg@1.2.3"], **said})


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "x"], ["/bin/bash", "x.sh"], ["npx", "-c", "x"], ["npx", "--call=x"], ["python3", "-c", "x"],
        ["/usr/bin/python3.11", "-c", "x"], ["node", "-e", "x"], ["node", "--eval=x"], ["env", "-S", "x"], [""],
        ["a\0b"],
    ],
)  # fmt: skip
def test_what_runs_its_argument_as_code_is_no_command(command: list[str]) -> None:
    with pytest.raises(ValidationError):
        server(command=command)


@pytest.mark.parametrize(
    "command", [["npx", "-y", "pkg@1.2.3"], ["python3", "-m", "mcp_server_git"], ["/opt/server", "-c", "a.toml"]]
)
def test_a_program_or_a_package_is_one(command: list[str]) -> None:
    assert server(command=command).command == tuple(command)


def test_every_change_of_what_is_started_has_another_digest() -> None:
    """But for the values that a variable has elsewhere, which are not this file's."""
    digests = {
        command_digest(said)
        for said in (
            server(), server(command=["npx", "-y", "pkg@1.2.4"]), server(command=["npx", "-y pkg@1.2.3"]),
            server(env={"A": "1"}), server(env={"A": "2"}), server(env_pass=["A"]), server(env_files={"A": "f"}),
            server(cwd="/srv"),
        )
    }  # fmt: skip
    assert len(digests) == 8
    assert command_digest(server(prefix="x__", effects={"a": "read"})) == command_digest(server())


@pytest.mark.parametrize(
    "said",
    [
        {"name": "local"}, {"name": "Far"}, {"url": "https://far.example/mcp"}, {"command": []}, {"allow": ["tools"]},
        {"command": [], "url": "http://far.example/"}, {"command": [], "url": "http://127.0.0.1.far.example/"},
        {"command": [], "url": "https://a:b@far.example/"}, {"effects": {"a": "harmless"}},
    ],
)  # fmt: skip
def test_what_is_not_acceptable_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        server(**said)


def test_nothing_but_the_fleet_and_its_transport_starts_a_process() -> None:
    """No route can: who starts one is named here."""
    starts = {"open_process", "run_process", "Popen", "create_subprocess_exec", "create_subprocess_shell", "execvp"}
    found = {
        file.relative_to(SOURCE).as_posix()
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in starts
    }
    assert found <= {"sources/mcp_stdio.py", "sources/warden.py", "cli/demo.py"} | {
        path for path in found if path.startswith("testing/")
    }
    assert "sources/mcp_stdio.py" in found


URL = {"command": [], "url": "https://far.example/mcp"}
OAUTH = {"issuer": "https://as.example", "client_id": "us"}


@pytest.mark.parametrize(
    ("oauth", "more"),
    [
        ({"issuer": "http://as.example"}, {}), ({"issuer": "javascript:x"}, {}), ({"issuer": ""}, {}),
        ({"client_id": ""}, {}), ({"may_register": True}, {}), ({"grant": "client_credentials"}, {}),
        ({"grant": "password"}, {}), ({"scopes": ["a b"]}, {}), ({"client_id": "a\nb"}, {}),
        ({"redirect_port": 65_536}, {}),
        ({}, {"key_file": "k"}), ({}, {"headers": {"Authorization": "x"}}),
        ({}, {"header_files": {"AUTHORIZATION": "x"}}),
        ({}, {"url": "https://far.example/mcp?key=1"}), ({}, {"url": "", "command": ["x"]}),
    ],
)  # fmt: skip
def test_oauth_is_for_one_client_at_one_issuer_and_no_second_credential(
    oauth: dict[str, Any], more: dict[str, Any]
) -> None:
    assert server(**URL, oauth=OAUTH).apart, "each principal has a connection of its own"
    with pytest.raises(ValidationError):
        server(**{**URL, **more}, oauth={**OAUTH, **oauth})
