"""Servers at an address: the official SDK's in both revisions, and one that keeps to no rule."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.server.lowlevel import Server as SdkServer

from interlock import Interlock, Outcome, OutcomeKind, Principal, Settings, World, open_plane
from interlock.core.canonical import canonical
from interlock.core.clock import SystemClock
from interlock.core.ids import named_call_id
from interlock.sources.mcp_connection import SHARED
from interlock.sources.mcp_server import LINES_MAX, State
from interlock.sources.relay import Nobody, Way
from tests.planes import ANA, BOB
from tests.sources.far_server import called as far_called
from tests.sources.far_server import listed as far_listed
from tests.sources.test_hostile import resident
from tests.sources.web import Hostile, Served, serving

pytestmark = pytest.mark.anyio
ONCE = {"one": {"attempts_max": 1}}


class Later(SystemClock):
    """A monotonic clock that a test sets on."""

    later_s = 0.0

    def mono_s(self) -> float:
        """See `Clock`."""
        return super().mono_s() + self.later_s


@asynccontextmanager
async def behind(
    folder: Path, served: Served, clock: SystemClock | None = None, **said: Any
) -> AsyncIterator[Interlock]:
    server = {"name": "far", "url": f"{served.url}/mcp", "trust": True, "effects": {"one": "reversible"}, **said}
    made = Settings(ledger=None, folder=folder, mode="evaluate_only", servers=[server])  # type: ignore[arg-type]
    async with open_plane(made, world=World(clock=clock or SystemClock())) as plane:
        assert plane.fleet.server("far").state is State.READY, plane.fleet.server("far").why
        yield plane


async def called(plane: Interlock, tool: str = "far__one", who: Principal = ANA, **arguments: Any) -> Outcome:
    async with plane.run(who, words="w") as run:
        return await run.call(tool, arguments)


@pytest.mark.parametrize("as_json", [True, False])
async def test_the_sdks_server_answers_in_the_newest_revision(tmp_path: Path, as_json: bool) -> None:
    server = SdkServer("far", on_list_tools=far_listed, on_call_tool=far_called)
    async with serving(server.streamable_http_app(json_response=as_json)) as served, behind(tmp_path, served) as plane:
        assert plane.fleet.server("far").revision == "2026-07-28"
        outcome = await called(plane, "far__add", n=1)
        assert outcome.done and outcome.value["structuredContent"] == {"n": 2}
        failed = await called(plane, "far__fail")
        assert failed.kind is OutcomeKind.FAILED and failed.value["isError"] is True


async def test_a_header_may_be_a_secret_by_reference_that_no_answer_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_TOKEN", "all-the-words-here")
    headers = {"x-api-key": {"$secret": "env://FAR_TOKEN"}, "x-plain": "p"}
    app = Hostile("plain")
    async with serving(app) as served, behind(tmp_path, served, headers=headers):
        assert {(each["x-api-key"], each["x-plain"]) for each in app.headers} == {("all-the-words-here", "p")}
    server = SdkServer("far", on_list_tools=far_listed, on_call_tool=far_called)
    async with serving(server.streamable_http_app()) as served, behind(tmp_path, served, headers=headers) as plane:
        outcome = await called(plane, "far__echo", x="all-the-words-here", y="q")
        told = outcome.value["content"][0]["text"]
        assert "all-the-words-here" not in told and '"x": "[secret]"' in told


async def test_exactly_the_bytes_that_were_checked_are_sent(tmp_path: Path) -> None:
    """T42: numbers, letters and nothing are spelt as they were when they were decided about."""
    app = Hostile("plain")
    given = {"z": None, "a": 1e22, "b": [1.0, 2, -0.5], "é": "\u2028", "n": 2**60}
    async with serving(app) as served, behind(tmp_path, served) as plane:
        assert (await called(plane, **given)).done
    assert canonical(given) in next(body for body in app.seen if b"tools/call" in body)


@pytest.mark.parametrize(
    ("kind", "became", "code"),
    [
        ("plain", OutcomeKind.DONE, ""),
        ("400", OutcomeKind.FAILED, "execute.rejected"),
        ("redirect", OutcomeKind.FAILED, "execute.rejected"),
        ("500", OutcomeKind.UNKNOWN, "execute.unknown"),
        ("gzip", OutcomeKind.UNKNOWN, "execute.unknown"),
        ("break", OutcomeKind.UNKNOWN, "execute.unknown"),
        ("stream", OutcomeKind.UNKNOWN, "execute.unknown"),
        ("stream-json", OutcomeKind.UNKNOWN, "execute.unknown"),
        ("drip", OutcomeKind.UNKNOWN, "execute.unknown"),
    ],
)
async def test_what_became_of_a_write_is_told_truly(tmp_path: Path, kind: str, became: OutcomeKind, code: str) -> None:
    """T30, faults K23, K26, K28: what may have arrived is unknown, what was turned away has failed, once."""
    app = Hostile(kind)
    before = resident()
    async with serving(app) as served, behind(tmp_path, served, result_bytes_max=1 << 20, timeout_s=5) as plane:
        outcome = await called(plane)
        assert (outcome.kind, outcome.code) == (became, code)
        assert len(app.calls) == 1
        assert resident() - before < 32 << 20


@pytest.mark.parametrize("kind", ["404", "429"])
async def test_what_was_not_taken_is_sent_again(tmp_path: Path, kind: str) -> None:
    """A session that is over at their end, and a server that asks to wait: nothing was done, so it is tried again."""
    app = Hostile(kind)
    async with serving(app) as served, behind(tmp_path, served, tools={"one": {"attempts_max": 2}}) as plane:
        outcome = await called(plane)
        assert outcome.kind is OutcomeKind.FAILED and len(app.calls) == 2


async def test_a_closed_port_is_told_as_nothing_sent(tmp_path: Path) -> None:
    """Fault K22."""
    async with serving(Hostile("plain")) as served, behind(tmp_path, served, tools=ONCE) as plane:
        await served.stop()
        outcome = await called(plane)
        assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, "execute.unavailable")


class Front(Nobody):
    """A client in front that answers everything, and writes down what it was asked."""

    way = Way.DURING
    takes: Mapping[str, Any] = {"sampling": {}, "elicitation": {}, "roots": {}}

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []

    async def ask(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append((server, method, params))
        return {"action": "accept", "content": {}}

    async def tell(self, server: str, method: str, params: Mapping[str, Any]) -> None:
        self.asked.append((server, method, params))


async def test_a_question_reaches_the_client_of_its_own_call_with_the_servers_name(tmp_path: Path) -> None:
    """T36: it comes on the stream of the call's answer, so it is known whose it is."""
    app, front, other = Hostile("asks"), Front(), Front()
    async with serving(app) as served, behind(tmp_path, served, allow=["elicitation"]) as plane:
        async with plane.run(ANA, words="w") as run:
            with plane.fleet.relay.attach(named_call_id(run.run_id, "a"), front), plane.fleet.relay.attach("b", other):
                assert (await run.call("far__one", {}, name="a")).done
        assert [each[:2] for each in front.asked] == [("far", "elicitation/create")] and other.asked == []
        assert [each["result"]["action"] for each in answers(app)] == ["accept"]


@pytest.mark.parametrize("allow", [[], ["sampling", "roots", "logging"]])
async def test_a_question_that_the_operator_did_not_allow_is_refused(tmp_path: Path, allow: list[str]) -> None:
    app, front = Hostile("asks"), Front()
    async with (
        serving(app) as served, behind(tmp_path, served, allow=allow) as plane, plane.run(ANA, words="w") as run
    ):  # fmt: skip
        with plane.fleet.relay.attach(named_call_id(run.run_id, "a"), front):
            assert (await run.call("far__one", {}, name="a")).done
    assert front.asked == [] and all("error" in each for each in answers(app)) and answers(app)


async def test_a_question_of_a_call_that_nobody_is_in_front_of_is_refused(tmp_path: Path) -> None:
    app = Hostile("asks")
    async with serving(app) as served, behind(tmp_path, served, allow=["elicitation"]) as plane:
        assert (await called(plane)).done
    assert all("error" in each for each in answers(app)) and answers(app)


def answers(app: Hostile) -> list[dict[str, Any]]:
    """What came back for the server's own questions."""
    return [said for body in app.seen if body and "method" not in (said := json.loads(body))]


async def test_each_principal_has_a_connection_and_a_list_of_its_own(tmp_path: Path) -> None:
    """T43: what one is shown is never another's, and a tool that is not on one's own list is not called."""
    app = Hostile("plain")
    async with serving(app) as served, behind(tmp_path, served, per_principal=True, tools=ONCE) as plane:
        assert (await called(plane)).done
        app.lists[""] = []
        outcome = await called(plane, who=BOB)  # whose own connection lists nothing
        assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, "execute.unavailable")
        assert (await called(plane)).done
        shown = [[tool.name for tool in await plane.tools_for(who)] for who in (ANA, BOB)]
        assert shown == [["far__one"], []]
    assert len(app.calls) == 2


async def test_where_all_share_a_connection_all_are_shown_what_it_lists(tmp_path: Path) -> None:
    async with serving(Hostile("plain")) as served, behind(tmp_path, served) as plane:
        assert [[tool.name for tool in await plane.tools_for(who)] for who in (ANA, BOB)] == [["far__one"]] * 2


async def test_whose_own_connection_does_not_answer_is_shown_none_of_its_tools(tmp_path: Path) -> None:
    async with serving(Hostile("plain")) as served, behind(tmp_path, served, per_principal=True) as plane:
        await served.stop()
        assert await plane.tools_for(ANA) == ()


async def test_a_principals_own_list_is_asked_for_again(tmp_path: Path) -> None:
    """T7: what its connection listed when it was opened does not stand for ever."""
    app, clock = Hostile("plain"), Later()
    async with serving(app) as served, behind(tmp_path, served, clock, per_principal=True, tools=ONCE) as plane:
        assert (await called(plane)).done
        app.lists[""] = []
        assert (await called(plane)).done  # not so soon
        clock.later_s += 301
        assert (await called(plane)).code == "execute.unavailable"
        assert await plane.tools_for(ANA) == ()
    assert len(app.calls) == 2


async def test_what_one_principal_alone_is_shown_outlasts_the_list_of_the_others(tmp_path: Path) -> None:
    app, clock = Hostile("plain"), Later()
    async with serving(app) as served, behind(tmp_path, served, clock, per_principal=True) as plane:
        server = plane.fleet.server("far")
        app.lists[""] = ["one", "own"]
        await plane.tools_for(ANA)
        app.lists[""] = ["one"]
        await server._relist(server._lines[SHARED])
        assert [tool.name for tool in server.tools] == ["far__one", "far__own"]
        clock.later_s += 301
        await plane.tools_for(ANA)  # whose list has it no more either
        assert [tool.name for tool in server.tools] == ["far__one"]


async def test_the_connection_that_was_idle_longest_makes_room(tmp_path: Path) -> None:
    async with serving(Hostile("plain")) as served, behind(tmp_path, served, per_principal=True) as plane:
        people = [Principal(f"p{number}") for number in range(LINES_MAX + 2)]
        for who in people:
            assert (await called(plane, who=who)).done
        kept = {key[1] for key in plane.fleet.server("far")._lines}
        assert kept == {
            "",
            *(who.id for who in people[-(LINES_MAX - 1) :]),
        }  # "" is the shared one, which lists the tools
