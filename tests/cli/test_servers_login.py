"""Logging in to a server behind, as it is typed: a process of its own, and a browser."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.shell import Shell
from tests.sources.granting import Granting, browser


@contextmanager
def typed(shell: Shell, *words: str, who: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "INTERLOCK_KEY": shell.keys[who], "INTERLOCK_CONFIG": str(shell.folder / "interlock.toml")}
    command = [str(Path(sys.executable).with_name("interlock")), "servers", *words, "--json"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=env, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def address(stream: io.TextIOBase) -> str:
    return next(line.strip() for line in iter(stream.readline, "") if line.startswith("http"))


@pytest.fixture
def granting(shell: Shell) -> Iterator[Granting]:
    """A deployment with two servers behind, of which one wants logins of this authorization server."""
    with Granting() as made:
        settings = shell.folder / "interlock.toml"
        settings.write_text(
            f'{settings.read_text()}\n[[servers]]\nname = "near"\nurl = "http://127.0.0.1:9/mcp"\n'
            f'[[servers]]\nname = "far"\nurl = "http://127.0.0.1:{made.port}/mcp"\n'
            f'[servers.oauth]\nissuer = "{made.issuer}"\nclient_id = "us"\n'
        )
        yield made


def test_a_person_logs_in_with_a_browser_and_out_again(shell: Shell, granting: Granting) -> None:
    with typed(shell, "login", "far", who="ana") as process, browser() as one:
        page = one.get(address(process.stderr))  # type: ignore[arg-type]
        out, err = process.communicate(timeout=20)
        assert (page.status_code, page.text) == (200, "You are logged in. Close this window.")
    assert json.loads(out) == {"server": "far", "principal": "ana", "tenant": "default", "logged_in": True}
    assert all(token not in out + err for token in granting.live)
    assert shell.json("servers", "logout", "far", who="olga")["was_logged_in"] is False
    assert shell.json("servers", "logout", "far", who="ana")["revoked"] is True
    assert "was not logged in" in shell.run("servers", "logout", "far", who="ana").out
    assert len(granting.revoked) == 2


def test_without_a_browser_here_the_address_is_typed(shell: Shell, granting: Granting) -> None:
    with typed(shell, "login", "far", "--paste", who="ana") as process, browser() as one:
        one.follow_redirects = False
        back = one.get(address(process.stderr)).headers["location"]  # type: ignore[arg-type]
        out, err = process.communicate(back + "\n", timeout=20)
    assert json.loads(out)["logged_in"] is True, err
    with typed(shell, "login", "far", "--paste", who="ana") as process, browser() as one:
        out, err = process.communicate("https://evil.example/callback?code=c&state=s\n", timeout=20)
    assert json.loads(out)["error"]["code"] == "cli.callback" and process.returncode == 2


def test_nobody_logs_in_where_no_login_is_wanted(shell: Shell, granting: Granting) -> None:
    for words in (("login", "near"), ("logout", "near")):
        assert shell.json("servers", *words, code=2)["error"]["code"] == "servers.no_login"
    assert shell.run("servers", "login", "far", key="").code == 5
    assert granting.asked == []
