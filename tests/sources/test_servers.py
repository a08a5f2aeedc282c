"""Servers behind a plane: real processes, made with the official SDK."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from interlock import Interlock, Outcome, Settings, open_plane
from interlock.server_book import command_digest
from interlock.server_settings import ServerSettings
from interlock.sources.mcp_server import State
from tests.planes import ANA

pytestmark = pytest.mark.anyio
FAR = Path(__file__).with_name("far_server.py")
EFFECTS = {"add": "read", "echo": "read", "fail": "reversible", "die": "reversible"}


def server(**said: Any) -> dict[str, Any]:
    return {"name": "far", "command": [sys.executable, str(FAR)], "trust": True, "effects": EFFECTS, **said}


@asynccontextmanager
async def opened(folder: Path, *servers: dict[str, Any]) -> AsyncIterator[Interlock]:
    made = Settings(ledger=None, folder=folder, mode="evaluate_only", servers=servers)  # type: ignore[arg-type]
    async with open_plane(made) as plane:
        yield plane


async def called(plane: Interlock, tool: str, arguments: dict[str, Any]) -> Outcome:
    async with plane.run(ANA, words="w") as run:
        return await run.call(tool, arguments)


async def test_a_servers_tools_stand_among_the_own_ones_and_answer_through_the_path(tmp_path: Path) -> None:
    async with opened(tmp_path, server()) as plane:
        assert [tool.name for tool in plane.tools] == ["far__add", "far__die", "far__echo", "far__fail"]
        outcome = await called(plane, "far__add", {"n": 1})
        assert outcome.done and outcome.value["structuredContent"] == {"n": 2}
        failed = await called(plane, "far__fail", {})
        assert (failed.kind.value, failed.code) == ("failed", "execute.rejected")
        assert failed.value["content"][0]["text"].startswith("no such")  # data; it asks for a retry in vain
        lost = await called(plane, "far__die", {})
        assert (lost.kind.value, lost.code) == ("unknown", "execute.unknown")


async def test_a_server_gets_the_variables_that_are_named_and_the_calls_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    monkeypatch.setenv("PASSED", "p")
    said = server(env={"GIVEN": "g"}, env_pass=["PASSED"])
    async with opened(tmp_path, said) as plane:
        outcome = await called(plane, "far__echo", {"z": None, "a": 1e22})
        told = json.loads(outcome.value["content"][0]["text"])
        assert {"PATH", "HOME", "GIVEN", "PASSED"} <= told["env"].keys() and "SECRET_OF_OURS" not in told["env"]
        assert told["arguments"] == {"a": 1e22, "z": None}
        assert len(told["meta"]["interlock/idempotency-key"]) == 64
        assert told["cwd"] == str(tmp_path)


async def test_a_variable_may_be_a_secret_by_reference_that_is_read_at_each_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = server(env={"TOKEN": {"$secret": "env://FAR_TOKEN"}, "GIVEN": "g"})
    async with opened(tmp_path, said) as plane:
        far = plane.fleet.server("far")
        assert far.state is State.DOWN and "env://FAR_TOKEN: the variable is not set" in far.why
    for value in ("the first words", "the second words"):
        monkeypatch.setenv("FAR_TOKEN", value)
        async with opened(tmp_path, said) as plane:
            outcome = await called(plane, "far__echo", {})
            told = json.loads(outcome.value["content"][0]["text"])["env"]
            assert (told["GIVEN"], told["TOKEN"]) == ("g", value) and "FAR_TOKEN" not in told
    made, other = (
        ServerSettings(**server(env={"TOKEN": {"$secret": name}})) for name in ("env://A_KEY", "env://B_KEY")
    )
    assert command_digest(made) != command_digest(other), "what is reviewed is the reference"
    assert command_digest(made) == command_digest(ServerSettings(**server(env={"TOKEN": {"$secret": "env://A_KEY"}})))


@pytest.mark.parametrize(
    "said", [{"$secret": "FAR_TOKEN"}, {"$secret": "env://A", "x": "y"}, {"secret": "env://A"}, {}]
)
def test_what_is_no_reference_is_refused_where_a_text_may_be_one(said: dict[str, str]) -> None:
    for where in ("env", "headers"):
        with pytest.raises(ValueError, match=where):
            ServerSettings(**server(**{where: {"TOKEN": said}}))


async def test_a_command_that_was_not_reviewed_is_not_started(tmp_path: Path) -> None:
    reviewed = ServerSettings(**server(trust=False))
    sure = command_digest(reviewed)
    for said, state in (
        (server(trust=False), State.UNREVIEWED),
        (server(trust=False, command_digest=sure), State.READY),
        (server(trust=False, command_digest=sure, env={"A": "1"}), State.UNREVIEWED),
    ):
        async with opened(tmp_path, said) as plane:
            assert plane.fleet.server("far").state is state
            assert plane.tools == ()  # the tools of one that is not trusted wait for a person, however it was started


async def test_one_that_cannot_be_started_costs_its_own_tools_alone(tmp_path: Path) -> None:
    other = {"name": "gone", "command": ["/no/such/program"], "trust": True}
    async with opened(tmp_path, other, server()) as plane:
        assert plane.fleet.server("gone").state is State.DOWN
        assert (await called(plane, "far__add", {"n": 1})).done
