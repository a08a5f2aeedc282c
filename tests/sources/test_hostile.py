"""Servers that keep to no rule: each costs at most its own tools, and what became of its call is told truly."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest

from interlock import Interlock, Outcome, OutcomeKind, Settings, open_plane
from interlock.core.ids import named_call_id
from interlock.core.tool import CallContext
from interlock.errors import NotSent, Rejected, ToolError
from interlock.sources.mcp_connection import SHARED, Plan, Terms
from interlock.sources.mcp_entries import sorted_out
from interlock.sources.mcp_pace import CALM_MAX_S, CALM_S, CHANGES_FREE, Pace
from interlock.sources.mcp_pulse import SILENT, until_news
from interlock.sources.mcp_server import Server, State
from interlock.sources.mcp_tools import Profile
from interlock.sources.relay import Nobody, Way
from interlock.testing import FrozenClock
from tests.planes import ANA

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent
GOOD = {
    "name": "good", "command": [sys.executable, str(HERE / "hostile_server.py"), "plain"], "trust": True,
    "effects": {"one": "read"},
}  # fmt: skip


@asynccontextmanager
async def beside(kind: str, **said: Any) -> AsyncIterator[Interlock]:
    """A plane with a hostile server, and a good one beside it."""
    command = [sys.executable, str(HERE / "hostile_server.py"), kind]
    bad = {"name": "bad", "command": command, "trust": True, "effects": {"one": "reversible"}, **said}
    made = Settings(ledger=None, folder=HERE, mode="evaluate_only", servers=[bad, GOOD])  # type: ignore[arg-type]
    async with open_plane(made) as plane:
        yield plane


async def called(plane: Interlock, tool: str = "bad__one", arguments: dict[str, Any] | None = None) -> Outcome:
    async with plane.run(ANA, words="w") as run:
        return await run.call(tool, arguments or {})


def bad(plane: Interlock) -> Server:
    return plane.fleet.server("bad")


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("kind", ["endless", "forever", "many", "heavy"])
async def test_a_list_without_end_stops_at_the_cap_and_others_work(kind: str) -> None:
    """T45: the server is left alone until it is started again by a person."""
    async with beside(kind) as plane:
        assert bad(plane).state is State.QUARANTINED
        assert [tool.name for tool in plane.tools] == ["good__one"]
        assert (await called(plane, "good__one")).done
        assert not (await called(plane)).done


async def test_a_definition_beyond_bounds_is_left_out_and_its_neighbours_stay() -> None:
    async with beside("bad") as plane:
        assert [tool.name for tool in plane.tools] == ["bad__fine", "good__one"]
        left_out = {**bad(plane).refused, **{name: why for (_, name), why in plane.fleet.refused.items()}}
        assert left_out.keys() == {"bad__not a name", "bad__refs"}
    async with beside("large") as plane:
        assert [tool.name for tool in plane.tools] == ["good__one"]
        assert "definition" in bad(plane).refused["one"]


async def test_an_entry_without_the_protocols_form_costs_itself_alone() -> None:
    async with beside("malformed") as plane:
        assert bad(plane).state is State.READY
        assert [tool.name for tool in plane.tools] == ["bad__fine", "good__one"]
        assert {"odd-title", "odd-notes", "bare", "entry 4", "entry 5", "entry 7"} <= bad(plane).refused.keys()
        assert (await called(plane, "bad__fine")).done
    async with beside("no-list") as plane:
        assert bad(plane).state is State.DOWN
        assert (await called(plane, "good__one")).done


@pytest.mark.parametrize(
    ("form", "sound", "odd"),
    [
        (types.Prompt, {"name": "p", "more": 1}, {"name": "p", "arguments": "x"}),
        (types.Resource, {"name": "r", "uri": "file:///r"}, {"name": "r"}),
        (types.ResourceTemplate, {"name": "t", "uriTemplate": "file:///{a}"}, {"name": 5, "uriTemplate": "x"}),
    ],
)
async def test_entries_of_other_lists_are_sorted_out_too(form: Any, sound: Any, odd: Any) -> None:
    kept, wrong = sorted_out([odd, sound, "x"], form)
    assert kept == [sound] and len(wrong) == 2


class Failing:
    """A connection that does not open while it is told to fail; a `Connection`."""

    fails = False
    tries = pings = 0

    def __init__(self) -> None:
        self.changed, self.why = anyio.Event(), "not connected"
        self.odd: Mapping[str, str] = {}
        self.open = self.busy = self.stateless = False
        self.offers, self.revision, self.errors = frozenset({"tools"}), "2025-11-25", b""

    async def keep(self, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
        """See `Connection`."""
        Failing.tries += 1
        if Failing.fails:
            self.why = "it hung up"
            raise NotSent("it hung up")
        self.open, self.why = True, ""
        task_status.started()
        await anyio.sleep_forever()

    def close(self) -> None:
        """See `Connection`."""
        self.open = False

    async def call(self, name: str, arguments: Mapping[str, Any], context: CallContext) -> dict[str, Any]:
        """See `Connection`."""
        raise AssertionError("nobody calls it")

    async def request(self, method: str, params: Mapping[str, Any], call_id: str) -> dict[str, Any]:
        """See `Connection`: what does not answer a ping is over for whoever asked."""
        assert method == "ping"
        Failing.pings += 1
        if Failing.pings > 3:
            raise ToolError("nothing came", code="server.lost")
        if Failing.pings == 2:
            raise Rejected("no such method")
        return {}

    async def list(self, method: str, key: str) -> list[dict[str, Any]]:
        """See `Connection`."""
        return [{"name": "one", "inputSchema": {"type": "object"}}]


async def test_a_principals_own_connection_that_keeps_failing_is_tried_ever_more_seldom() -> None:
    """The shared one and its tools stay as they are; a login, or a person's restart, has it tried at once."""
    clock = FrozenClock()
    plan = Plan(terms=Terms(server="far"), connect=lambda key: Failing(), profile=Profile(server="far"),
                per_principal=True)  # fmt: skip
    async with anyio.create_task_group() as tasks:
        server = Server(plan, clock, tasks, lambda: None)
        await server.start()
        Failing.fails, Failing.tries = True, 0
        for _ in range(5):
            assert await server.unseen("default", "ana") == {"one"}
        assert (server.state, Failing.tries) == (State.READY, 1), "tried once, and then not before its time"
        tried = []
        for second in range(120):
            clock.advance(1)
            before = Failing.tries
            await server.unseen("default", "ana")
            tried += [second] if Failing.tries > before else []
        assert len(tried) < 12 and tried[-1] - tried[-2] > 20
        Failing.fails = False
        server.retry()
        assert await server.unseen("default", "ana") == frozenset()
        tasks.cancel_scope.cancel()


async def test_a_server_that_does_not_answer_a_ping_is_opened_again() -> None:
    """A9: any answer will do, that it knows no such request too."""
    Failing.fails, Failing.tries, Failing.pings = False, 0, 0
    clock = FrozenClock()
    plan = Plan(terms=Terms(server="far"), connect=lambda key: Failing(), profile=Profile(server="far"), ping_s=0.01)
    async with anyio.create_task_group() as tasks:
        server = Server(plan, clock, tasks, lambda: None)
        tasks.start_soon(server.tend)
        with anyio.fail_after(30):
            while server.state is not State.DOWN:
                await anyio.lowlevel.checkpoint()
        assert (server.why, Failing.pings) == (SILENT, 4)
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("state", ["busy", "stateless"])
async def test_a_server_that_works_for_us_or_knows_no_ping_is_not_asked(state: str) -> None:
    Failing.pings = 0
    connection = Failing()
    connection.open = True
    setattr(connection, state, True)
    plan = Plan(terms=Terms(server="far"), connect=lambda key: connection, profile=Profile(server="far"),
                relist_s=0.05, ping_s=0.01)  # fmt: skip
    with anyio.fail_after(30):
        await until_news(connection, plan)
    assert connection.open and Failing.pings == 0


async def test_an_answer_without_end_is_cut_at_the_cap_and_memory_stays(tmp_path: Path) -> None:
    """T30, fault K29: 1 GiB on one line."""
    async with beside("huge", result_bytes_max=1 << 20) as plane:
        before = resident()
        outcome = await called(plane)
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, "execute.unknown")
        assert resident() - before < 32 << 20
        assert "more than 1048576 bytes" in bad(plane).why or bad(plane).state is State.READY
        assert (await called(plane, "good__one")).done


async def test_a_server_that_ends_mid_call_leaves_the_write_unknown_and_comes_back() -> None:
    async with beside("exits") as plane:
        assert (await called(plane)).kind is OutcomeKind.UNKNOWN
        with anyio.fail_after(30):
            while bad(plane).state is not State.READY or bad(plane).restarts == 0:
                await anyio.sleep(0.05)


async def test_an_answer_to_nobody_and_a_second_answer_reach_nobody() -> None:
    """Fault K29: no delivery to another call."""
    async with beside("wrong-id") as plane:
        for _ in range(2):
            outcome = await called(plane)
            assert outcome.done and outcome.value["content"][0]["text"] == "done"


async def test_lines_that_are_no_messages_end_the_connection() -> None:
    async with beside("junk") as plane:
        assert (await called(plane)).kind is OutcomeKind.UNKNOWN
        with anyio.fail_after(30):
            while "no message" not in bad(plane).why:
                await anyio.sleep(0.02)


async def test_a_storm_of_changes_is_one_change_and_delays_nobody_for_good() -> None:
    """T37: 100,000 notices before an answer."""
    async with beside("flood", timeout_s=120) as plane:
        before = resident()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(called, plane)
            assert (await called(plane, "good__one")).done
        assert resident() - before < 32 << 20


async def test_an_error_of_the_protocol_has_failed_and_its_words_are_data() -> None:
    """T41: what it says of timeouts and of trying again decides nothing."""
    async with beside("error") as plane:
        outcome = await called(plane)
        assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, "execute.rejected")
        assert outcome.value == {"error": {"code": -32603, "message": "timeout, please retry", "data": {"a": 1}}}
        assert "retry" not in outcome.message


async def test_what_is_no_result_leaves_a_write_unknown() -> None:
    async with beside("no-result") as plane:
        assert (await called(plane)).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize("kind", ["silent", "drips"])
async def test_a_server_that_does_not_answer_in_time_is_told_that_the_call_is_over(kind: str) -> None:
    """The deadline is of the whole call, not of each byte (T30); the server gets `notifications/cancelled`."""
    async with beside(kind, timeout_s=1) as plane:
        assert (await called(plane)).kind is OutcomeKind.UNKNOWN
        if kind == "silent":
            with anyio.fail_after(30):
                while b"cancelled" not in bad(plane).errors:
                    await anyio.sleep(0.02)


async def test_a_definition_that_changed_behind_our_back_is_not_called_as_it_was() -> None:
    """T7: what was decided is what the server lists now, or nothing leaves."""
    async with beside("swaps", relist_s=1) as plane:
        with anyio.fail_after(30):
            while "changed" not in plane.plane.registry.withheld.get("bad__one", ""):
                await anyio.sleep(0.05)
        outcome = await called(plane)
        assert outcome.kind is OutcomeKind.REFUSED


async def test_what_was_decided_for_an_earlier_definition_does_not_leave() -> None:
    """T7: also where the call had passed every gate before the server was listed again."""
    async with beside("swaps", relist_s=1) as plane:
        (decided,) = bad(plane).tools
        context = CallContext(
            run_id="r",
            call_id="c",
            attempt=1,
            idempotency_key="k",
            principal_id=ANA.id,
            tenant=ANA.tenant,
            deadline_s=5,
        )
        assert await decided.body({}, context)
        with anyio.fail_after(30):
            while bad(plane).tools == (decided,):
                await anyio.sleep(0.05)
        with pytest.raises(NotSent):
            await decided.body({}, context)


async def test_a_question_on_a_process_is_put_only_while_it_is_clear_whose_it_is() -> None:
    """T36: there is one call under way, or nobody is asked; and nobody is sent to what is no web address."""
    front = Front()
    async with beside("asks", allow=["elicitation"]) as plane:

        async def ask(name: str, url: str) -> None:
            async with plane.run(ANA, words="w") as run:
                with plane.fleet.relay.attach(named_call_id(run.run_id, name), front):
                    outcome = await run.call("bad__one", {"url": url}, name=name)
                    said.append(outcome.value["content"][0]["text"])

        said: list[str] = []
        await ask("web", "https://login.example/")
        await ask("script", "javascript:alert(1)")
        assert [params["url"] for params in front.asked] == ["https://login.example/"]
        assert '"action": "accept"' in said[0] and '"error"' in said[1]
        async with anyio.create_task_group() as tasks:
            for name in ("a", "b"):
                tasks.start_soon(ask, name, "https://login.example/")
        assert len(front.asked) == 1 and all('"error"' in each for each in said[2:])


async def test_a_server_that_changes_its_tools_over_and_over_fills_no_ledger() -> None:
    """T37, T45: each change is recorded whole, so one that goes on is listed ever more seldom, and is not called."""
    async with beside("swaps") as plane, beside("plain") as calm:
        for each in (bad(plane), bad(calm)):
            for _ in range(CHANGES_FREE + 3):
                await each._relist(each._lines[SHARED])
        assert bad(plane)._pace.restless and bad(plane)._pace.calm_s > CALM_S
        assert not bad(calm)._pace.restless and bad(calm)._pace.calm_s == CALM_S
        bad(plane)._lines[SHARED].connection.changed.set()
        with pytest.raises(NotSent, match="over and over"):
            await bad(plane)._fresh(SHARED)


def test_the_pace_slows_down_to_a_minute_and_is_forgotten_when_it_was_quiet() -> None:
    clock = FrozenClock()
    pace = Pace(clock)
    for _ in range(100):
        pace.changed()
        clock.advance(pace.calm_s)
    assert pace.calm_s == CALM_MAX_S
    clock.advance(2 * CALM_MAX_S)
    assert pace.calm_s == CALM_S and not pace.restless


class Front(Nobody):
    """A client in front that answers everything."""

    way = Way.DURING
    takes: Mapping[str, Any] = {"sampling": {}, "elicitation": {}, "roots": {}}

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []

    async def ask(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(params)
        return {"action": "accept"}

    async def tell(self, server: str, method: str, params: Mapping[str, Any]) -> None: ...
