"""Events in the order of their commits become counts: the one place that says what is counted, and as what.

A count is a key, `(what, …labels)`, and by how much it grows. Nothing of a call's content is in a key: names of tools,
models and agents, pseudonyms of people, codes. What a dry run rehearses is not counted.

A body is read as it is found (`bodies.py`), so that no event that a ledger can hold ends the counting.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.core.event import CLOSING, Event, Kind
from interlock.telemetry.bodies import items, number, part
from interlock.telemetry.measures_times import one

Key = tuple[Any, ...]
"""What is counted: its name, then its labels. By how much it grows is 1, an amount, or one duration (`took`)."""

Counts = list[tuple[Key, int]]

RUNS_MAX: Final = 20_000
"""Runs of which is remembered what their next events are about; the one that said nothing for longest is forgotten."""

CALLS_MAX: Final = 1_000
"""Open calls of a run that are remembered, the newest."""

TOOLS_MAX: Final = 32
"""Tools of a run of which is counted which others it used."""

BY: Final = "by"
"""Calls by principal and tool: for whoever looks for patterns. There are too many such pairs to be kept over time."""

NAME_MAX: Final = 128
"""Characters of a name that are kept."""

NOWHERE: Final = ""
"""Server of what no registry knows."""

UNKNOWN: Final = "(unknown)"
"""The tool of a call that names none that there is: the name is a model's invention, and there is no end of those."""


@dataclass(slots=True)
class _Call:
    tool: str = UNKNOWN
    server: str = NOWHERE
    effect: str = ""
    dry: bool = False
    decided_us: int = 0
    held: bool = False


@dataclass(slots=True)
class _Run:
    """What the next events of a run are about.

    Attributes:
        last_us: When something last happened that a model's turn could follow on.
        shares, share: Calls of the last turn that were not decided yet, and what tokens and money each has of it.
        asked: When each open request was made.
        stumbled: Tools whose last call failed or was refused.
    """

    principal: str = ""
    agent: str = ""
    last_us: int = 0
    shares: int = 0
    share: tuple[int, int] = (0, 0)
    offered: tuple[str, ...] = ()
    calls: OrderedDict[str, _Call] = field(default_factory=OrderedDict)
    asked: dict[str, int] = field(default_factory=dict)
    tools: set[str] = field(default_factory=set)
    stumbled: set[str] = field(default_factory=set)

    def call(self, call_id: str) -> _Call:
        found = self.calls.get(call_id)
        if found is None:
            found = self.calls[call_id] = _Call()
            if len(self.calls) > CALLS_MAX:
                self.calls.popitem(last=False)
        return found


class Fold:
    """Follows events from any position on; what was said of a run before is not known, and is counted as that."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def counts(self, event: Event) -> Counts:
        """What an event adds. Events come in the order of their commits, each once."""
        fact = event.fact
        read = _READ.get(fact.kind)
        if read is None:
            return _NOTHING
        runs, chain = self._runs, event.chain
        run = runs.get(chain)
        if run is None:
            run = runs[chain] = _Run(last_us=event.at_us)
            if len(runs) > RUNS_MAX:
                runs.popitem(last=False)
        else:
            runs.move_to_end(chain)
        counts: Counts = []
        read(run, event, counts)
        if fact.kind not in _BESIDE:
            run.last_us = event.at_us
        if fact.kind in _ENDS and not run.calls:
            del runs[chain]
        return counts


def name(text: object) -> str:
    """A name as it is kept."""
    return text[:NAME_MAX] if isinstance(text, str) else ""


def took(counts: Counts, part: str, of: str, us: int) -> None:
    """Count a duration, and add it up."""
    us = max(0, us)
    counts.append((("took", part, of), one(us)))
    counts.append((("took_us", part, of), us))


def _run_started(run: _Run, event: Event, counts: Counts) -> None:
    body = event.fact.body
    run.principal = name(part(body, "principal").get("id"))
    run.agent = name(body.get("agent"))
    run.offered = tuple(map(name, items(body.get("tools"))))
    counts.append((("run", "started", name(body.get("driver")), ""), 1))


def _run_ended(run: _Run, event: Event, counts: Counts) -> None:
    fact = event.fact
    how = "finished" if fact.kind is Kind.RUN_FINISHED else "cancelled"
    reason = name(fact.body.get("reason")) if how == "finished" else ""  # of a cancelled one it is a person's words
    counts.append((("run", how, run.agent, reason), 1))


def _offered(run: _Run, event: Event, counts: Counts) -> None:
    run.offered = tuple(map(name, items(event.fact.body.get("tools"))))


def _message(run: _Run, event: Event, counts: Counts) -> None:
    body = event.fact.body
    model = name(body.get("model"))
    who = run.principal or event.fact.principal_id
    labels = (model, run.agent, who)
    counts.append((("turns", *labels), 1))
    usage = part(body, "usage")
    for what, of in _TOKENS:
        if count := number(usage.get(of)):
            counts.append(((what, *labels), count))
    tokens = sum(number(usage.get(of)) or 0 for of in ("input_tokens", "output_tokens"))
    money = number(body.get("micro_usd")) or 0
    if money:
        counts.append((("micro_usd", *labels), money))
    since = run.last_us or event.at_us
    us = number(body.get("took_us"))
    took(counts, "model", model, event.at_us - since if us is None else us)
    if run.offered and not body.get("final"):
        counts.append((("offered", run.offered), 1))
    if calls := len(items(body.get("calls"))):
        run.shares, run.share = calls, (tokens // calls, money // calls)


def _decided(run: _Run, event: Event, counts: Counts) -> None:
    fact, body = event.fact, event.fact.body
    call = run.call(fact.call_id)
    proposed, tool = part(body, "proposed"), part(body, "tool")
    is_first = isinstance(body.get("proposed"), dict)  # of a valid call it is often empty
    if proposed.get("dry_run"):
        call.dry = True
    if tool:
        call.tool = name(tool.get("name")) or UNKNOWN
        call.server, call.effect = name(tool.get("server")), name(body.get("effect"))
    elif is_first and _is_a_tool(body):
        call.tool = name(proposed.get("tool")) or UNKNOWN
    if not call.dry:
        if is_first:
            who = name(fact.principal_id) or run.principal
            counts.append((("proposed", call.tool, call.server, call.effect), 1))
            counts.append((("user", who), 1))
            counts.append(((BY, who, call.tool), 1))
            _together(run, call.tool, counts)
            if run.shares and "parent" not in proposed:
                _chosen(run, call.tool, counts)
        if fact.decision:
            reasons = items(part(body, "decision").get("reasons")) or ("",)
            counts.extend((("decided", str(fact.decision), name(reason)), 1) for reason in reasons)
        if verify := part(body, "verify"):
            _verified(call, verify, counts)
        call.decided_us = number(part(body, "facts").get("now_us")) or call.decided_us
    _ended(run, event, counts)


def _chosen(run: _Run, tool: str, counts: Counts) -> None:
    """A call of the model's last turn: it has its part of what the turn took."""
    run.shares -= 1
    counts.append((("chosen", tool), 1))
    for what, share in zip(("turn_tokens", "turn_micro_usd"), run.share, strict=True):
        if share:
            counts.append(((what, tool), share))


def _is_a_tool(body: dict[str, Any]) -> bool:
    """Whether a call that was never valid names a tool that there is."""
    stop = part(body, "stop")
    return stop.get("gate") == "validate" and stop.get("code") != "validate.unknown_tool"


def _together(run: _Run, tool: str, counts: Counts) -> None:
    if tool in run.tools or tool == UNKNOWN or len(run.tools) >= TOOLS_MAX:
        return
    counts.extend((("pair", *sorted((tool, other))), 1) for other in run.tools)
    run.tools.add(tool)


def _verified(call: _Call, verify: dict[str, Any], counts: Counts) -> None:
    counts.append((("verified", name(verify.get("verdict")), call.tool), 1))
    if "cached_ms" not in verify and (money := number(verify.get("micro_usd"))):
        counts.append((("verify_micro_usd", call.tool), money))


def _intent(run: _Run, event: Event, counts: Counts) -> None:
    call = run.call(event.fact.call_id)
    if event.fact.body.get("grant_id"):
        counts.append((("granted", call.tool), 1))


def _result(run: _Run, event: Event, counts: Counts) -> None:
    fact, body = event.fact, event.fact.body
    call = run.call(fact.call_id)
    us = number(body.get("took_us"))
    if us is not None and "cached" not in body:
        took(counts, "tool", call.tool, us)
    if "cached" in body:
        counts.append((("cached", call.tool), 1))
    for unit, spent in part(body, "spent").items():
        if amount := number(spent):
            counts.append((("spent", call.tool, name(unit)), amount))
    if us is None and "cached" not in body:
        call.decided_us = 0  # how long its tool took nobody wrote down: what the gates took cannot be told from it
    _ended(run, event, counts, us or 0)


def _ended(run: _Run, event: Event, counts: Counts, took_us: int = 0) -> None:
    """The call was answered: count what, and what of its time was neither its tool's nor a person's."""
    fact = event.fact
    if not fact.outcome:
        return
    call = run.call(fact.call_id)
    if fact.outcome in CLOSING:
        run.calls.pop(fact.call_id, None)
    if call.dry:
        return
    if call.decided_us and fact.kind in _GATED:
        took(counts, "gates", "", event.at_us - call.decided_us - took_us)
    call.decided_us = 0  # also of one that is held again: what comes next is a person's time
    if fact.outcome == "held" and call.held:
        return
    call.held = fact.outcome == "held"
    body = fact.body
    gate, code = name(part(body, "stop").get("gate")), name(part(body, "outcome").get("code"))
    counts.append((("ended", fact.outcome, call.tool, call.server, call.effect, gate, code), 1))
    if fact.outcome in ("failed", "refused"):
        if call.tool not in run.stumbled:
            run.stumbled.add(call.tool)
            counts.append((("stumbled", call.tool), 1))
    elif fact.outcome == "done" and call.tool in run.stumbled:
        run.stumbled.discard(call.tool)
        counts.append((("recovered", call.tool), 1))


def _requested(run: _Run, event: Event, counts: Counts) -> None:
    fact, body = event.fact, event.fact.body
    asked_us = number(body.get("requested_us"))
    run.asked[fact.approval_id] = event.at_us if asked_us is None else asked_us
    counts.append((("requested", name(part(body, "tool").get("name")), name(body.get("effect"))), 1))


def _answered(run: _Run, event: Event, counts: Counts) -> None:
    fact, body = event.fact, event.fact.body
    who = name(fact.principal_id)
    counts.append((("answered", fact.decision, who), 1))
    if body.get("hasty"):
        counts.append((("hasty", who), 1))
    if (asked_us := run.asked.get(fact.approval_id)) is not None:
        took(counts, "person", who, event.at_us - asked_us)
    if (viewed_ms := number(body.get("viewed_ms"))) is not None:
        took(counts, "viewed", who, viewed_ms * 1000)


def _over(run: _Run, event: Event, counts: Counts) -> None:
    how = event.fact.kind.value.partition(".")[2]
    run.asked.pop(event.fact.approval_id, None)
    if how != "consumed":
        counts.append((("over", how), 1))


def _settled(run: _Run, event: Event, counts: Counts) -> None:
    """What is no call is over: models, whose tokens and money their turns tell. Here, only that it was lost."""
    if event.fact.body.get("why"):
        counts.append((("lost",), 1))


def _dead(run: _Run, event: Event, counts: Counts) -> None:
    counts.append((("dead", run.call(event.fact.call_id).tool), 1))


def _notice(run: _Run, event: Event, counts: Counts) -> None:
    body = event.fact.body
    counts.append((("notice", event.fact.kind.value.partition(".")[2], name(body.get("channel"))), 1))


_NOTHING: Final[Counts] = []
_TOKENS: Final = (
    ("input", "input_tokens"), ("output", "output_tokens"), ("cached_input", "cached_tokens"),
    ("reasoning", "reasoning_tokens"),
)  # fmt: skip
_GATED: Final = frozenset({Kind.CALL_DECIDED, Kind.CALL_RESULT, Kind.CALL_UNKNOWN})
_BESIDE: Final = frozenset({Kind.BUDGET_RESERVED, Kind.BUDGET_SETTLED})
_ENDS: Final = frozenset({Kind.RUN_FINISHED, Kind.RUN_CANCELLED})

_READ: Final[dict[Kind, Callable[[_Run, Event, Counts], None]]] = {
    Kind.RUN_STARTED: _run_started,
    Kind.RUN_FINISHED: _run_ended,
    Kind.RUN_CANCELLED: _run_ended,
    Kind.RUN_CLAIMED: lambda run, event, counts: None,
    Kind.RUN_WORDS: lambda run, event, counts: None,
    Kind.TOOLS_OFFERED: _offered,
    Kind.MESSAGE: _message,
    Kind.CALL_DECIDED: _decided,
    Kind.CALL_INTENT: _intent,
    Kind.CALL_RESULT: _result,
    Kind.CALL_UNKNOWN: _result,
    Kind.CALL_RECONCILED: _result,
    Kind.CALL_REPORTED: lambda run, event, counts: None,
    Kind.CALL_DEAD_LETTERED: _dead,
    Kind.APPROVAL_REQUESTED: _requested,
    Kind.APPROVAL_DECIDED: _answered,
    Kind.APPROVAL_EXPIRED: _over,
    Kind.APPROVAL_WITHDRAWN: _over,
    Kind.APPROVAL_SUPERSEDED: _over,
    Kind.APPROVAL_CONSUMED: _over,
    Kind.BUDGET_SETTLED: _settled,
    Kind.NOTICE_DELIVERED: _notice,
    Kind.NOTICE_FAILED: _notice,
}
"""What each kind adds; the others say when a model could begin, or nothing that is counted."""
