"""What the end of a call adds to figures, and that two who judge at once take back once. A8."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.core.call import Outcome, OutcomeKind
from interlock.core.event import Kind
from interlock.core.points import pass_by
from interlock.core.selected import Selected, Trial
from interlock.ledger.rollouts import counted, judge, word
from interlock.ledger.store import Append, MemoryStore, tenant_chain
from interlock.ledger.switch import StopSwitch
from interlock.registry.rollout import choose
from interlock.testing import FrozenClock
from tests.planes import ANA, OPA, Far
from tests.rollout.two import given, versions

SELECTED = Selected("rollout", 50, "r2", (Trial("r2", True), Trial("r3", False)))


@pytest.mark.parametrize(
    ("kind", "code", "how", "calls", "failed"),
    [
        ("done", "", (), True, False),
        ("failed", "execute.timeout", (), True, True),
        ("failed", "execute.open", (), True, True),
        ("failed", "execute.rejected", (), True, True),
        ("unknown", "execute.lost", (), True, True),
        ("withheld", "screen.output_schema", (), True, True),
        ("failed", "execute.full", (), False, False),
        ("unknown", "call.cancelled", (), False, False),
        ("done", "", ("cached",), False, False),
        ("failed", "execute.timeout", ("shared",), False, False),
        ("done", "", ("together",), True, False),
        ("refused", "rehearsal.done", (), False, False),
        ("held", "approve.held", (), False, False),
    ],
)
def test_an_end_is_counted_as_what_it_says_of_the_version(
    kind: str, code: str, how: tuple[str, ...], calls: bool, failed: bool
) -> None:
    outcome = Outcome(kind=OutcomeKind(kind), call_id="c", tool="pay", code=code)
    changes, doubted = counted(ANA, SELECTED, outcome, how)
    rows = {change.name.removeprefix("default/rollout") for change in changes}
    expected = {"/r2/new/calls", "-by/r2/ana/calls", "/r3/old/calls"} if calls else set()
    expected |= {"/r2/new/failed", "-by/r2/ana/failed", "/r3/old/failed"} if failed else set()
    if code == "execute.open":  # others' failures shut it: of this principal's calls it says nothing
        expected = {row for row in expected if "-by/" not in row}
    assert rows == expected
    assert doubted == (SELECTED.trials if failed else ())


@pytest.mark.anyio
async def test_of_two_processes_that_judge_at_once_one_takes_back() -> None:
    """Neither has read the other's word yet: the store lets one of them stand."""
    store, (_, second) = MemoryStore(FrozenClock()), versions(Far())
    one, other = StopSwitch(store), StopSwitch(store)
    said = {"percent": 100, "tolerated": 5.0, "reason": "drill", "was": 0}
    await one.say("default", word("r2", second, said, OPA))
    assert (await one.standing("default")).rollouts.find("r2") and (await other.standing("default")).rollouts.find("r2")
    failed = Outcome(kind=OutcomeKind.FAILED, call_id="c", tool="pay", code="execute.broken")
    changes, doubted = counted(ANA, SELECTED._replace(trials=(Trial("r2", True),)), failed, ())
    for _ in range(20):
        await store.append(Append("run_1", "default", [], guards=changes))
    await judge(one, store, "default", doubted, pass_by)
    await judge(other, store, "default", doubted, pass_by)
    kinds = [event.fact.kind for event in await store.read(tenant_chain("default"))]
    assert kinds == [Kind.ROLLOUT_SET, Kind.ROLLOUT_ROLLED_BACK]


def test_a_word_on_a_tool_of_another_server_is_no_word_on_this_one() -> None:
    pair = versions(Far())
    elsewhere = given(100)
    [rollout] = elsewhere.all
    moved = elsewhere._with(replace(rollout, server="far"))
    assert choose(pair, ANA, moved) == 0 and choose(pair, ANA, elsewhere) == 1
