"""A run as an eval sees it: what was proposed, what came of it, what was said last, and what all of it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from interlock.agent.result import result_of
from interlock.core.canonical import Json, parse_json
from interlock.core.event import Event, Kind
from interlock.core.message import Usage
from interlock.core.run import RunState
from interlock.errors import BadInput
from interlock.models.metered import Price

PriceOf = Callable[[str], Price | None]
"""Given the name of a model, what it costs; None where nobody knows."""


class SeenCall(NamedTuple):
    """One call that the run itself proposed.

    Attributes:
        call_id: Which.
        tool: Name as proposed.
        arguments: As validated, defaults applied; as proposed where it was never valid; None where that is no object.
        outcome: What was told last: `done`, `refused`, `held`, `failed`, `withheld`, `unknown`, or `open`.
        code: Why; empty where it is done.
        writes: Whether it is more than a read.
    """

    call_id: str
    tool: str
    arguments: Json
    outcome: str
    code: str
    writes: bool

    @property
    def may_have_changed(self) -> bool:
        """Whether it changed something, or nobody can say that it did not."""
        return self.writes and self.outcome in ("done", "withheld", "unknown")


class SeenRun(NamedTuple):
    """One run.

    Attributes:
        run_id: Which.
        words: What its user said; empty where that was not seen.
        calls: Its own, in the order of their proposal; not those that were made for them.
        answer: The last words of its model; empty where it has none.
        end: How it ended, as of an agent's result; of a run that no agent drives, its status.
        steps: Turns of the model; of a run that no agent drives, calls.
        tokens: Read and written together, as far as they were counted.
        latency_ms: From its start to its last event.
        micro_usd: What its model cost; None where nobody knows.
        agent: Name of the agent that drove it; empty for none.
        models: Names of the models that said its turns.
        policies: Digests of the policies that decided its calls.
    """

    run_id: str
    words: str
    calls: tuple[SeenCall, ...]
    answer: str
    end: str
    steps: int
    tokens: int
    latency_ms: int
    micro_usd: int | None
    agent: str = ""
    models: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()


def seen_run(run: RunState, events: Sequence[Event], price_of: PriceOf) -> SeenRun:
    """A run from its fold and its events.

    Args:
        price_of: What models cost; where it does not know, what the run's budgets were charged counts.
    """
    calls = tuple(_calls(run, events))
    latency_ms = (events[-1].at_us - events[0].at_us) // 1000 if events else 0
    transcript = run.transcript
    agent = "" if transcript is None else transcript.agent
    if transcript is None:
        words, answer, end, steps, tokens = run.words or "", "", run.status, len(calls), 0
    else:
        result = result_of(run)
        words, answer, end, steps = transcript.words[0].text, result.text, result.end.value, result.turns
        tokens = result.input_tokens + result.output_tokens
    money = _money(events, price_of)
    models = frozenset(event.fact.body.get("model", "") for event in events if event.fact.kind is Kind.MESSAGE)
    policies = frozenset(event.fact.policy_hash for event in events if event.fact.kind is Kind.CALL_DECIDED)
    return SeenRun(
        run.run_id, words, calls, answer, end, steps, tokens, latency_ms, money, agent, models - {""}, policies - {""}
    )


def _calls(run: RunState, events: Sequence[Event]) -> list[SeenCall]:
    arguments: dict[str, Json] = {}
    for event in events:
        if event.fact.kind is Kind.CALL_DECIDED:
            arguments.setdefault(event.fact.call_id, _arguments(event.fact.body))
    found = []
    for call in sorted(run.calls.values(), key=lambda call: call.step):
        if not call.parent_id:
            told = call.outcome
            outcome, code = ("open", "") if told is None else (told.kind.value, told.code)
            given = arguments.get(call.call_id)
            found.append(SeenCall(call.call_id, call.tool, given, outcome, code, call.writes))
    return found


def _arguments(body: dict[str, Any]) -> Json:
    """What was given, as it was validated or else as it was said."""
    proposed = body.get("proposed", {})
    found = body["arguments"] if "arguments" in body else proposed.get("arguments")
    if found is None and "arguments_text" in proposed:
        try:
            found = parse_json(proposed["arguments_text"])
        except BadInput:
            return None
    return dict(found) if isinstance(found, dict) else None


def _money(events: Sequence[Event], price_of: PriceOf) -> int | None:
    """What the turns cost by their tokens; where a price is not known, what was charged; None for neither."""
    total, known, charged, counted = 0, True, 0, False
    for event in events:
        body = event.fact.body
        if event.fact.kind is Kind.MESSAGE:
            price = price_of(body.get("model", ""))
            usage = body.get("usage")
            if price is None:
                known = False
            elif usage:
                total += price.of(Usage(**usage)).micro_usd
            elif price != Price(0, 0):
                known = False
        elif event.fact.kind is Kind.BUDGET_SETTLED and "micro_usd" in body.get("spent", {}):
            charged, counted = charged + body["spent"]["micro_usd"], True
    if known:
        return total
    return charged if counted else None
