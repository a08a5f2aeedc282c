"""What the overview of a time is made of. Frozen, and JSON by `Overview.as_json`; times are microseconds, UTC.

Every figure is of one tenant and of what the ledger recorded within the time. A call is counted under each answer that
it was given: one that was held and then done is in `held` and in `done`, so answers can be more than `calls`. Rehearsed
calls (dry runs) are in none. Money is in micro-USD (millionths of a US dollar), and 0 where no price is known.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from interlock.limits.use import BudgetUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one part of the work took.

    Attributes:
        part: `model` (a model's turn, with its retries), `tool` (an execution, with its retries; none for a cached
            result), `gates` (everything of a call that is neither: its gates, waiting for its turn in a batch, the
            commits; from the policy's decision on, and never a person's time; not of a call whose tool's time is not
            recorded, such as one that was cut off) or `person` (from a request for approval to an answer).
        count: Durations that were counted.
        mean_us, p50_us, p95_us, p99_us: Microseconds; percentiles are at most 5 % off. 0 where `count` is 0.
    """

    part: str
    count: int
    mean_us: int
    p50_us: int
    p95_us: int
    p99_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How often calls were answered so.

    Attributes:
        done, refused, failed, withheld: The call ended so.
        held, unknown: It came to wait for a person.
    """

    done: int = 0
    refused: int = 0
    failed: int = 0
    withheld: int = 0
    held: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One bucket of the time, for charts.

    Attributes:
        at_us: Where it begins; it is `Overview.step_us` long.
        calls: Calls that were proposed.
        answers: How calls were answered.
        latency: By part: `model`, `tool`, `gates`, `person`, always these four in this order.
        tokens, micro_usd: What models took.
        requested: Requests for approval.
    """

    at_us: int
    calls: int
    answers: Answers
    latency: tuple[Latency, ...]
    tokens: int
    micro_usd: int
    requested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFigures:
    """One tool.

    Attributes:
        tool, server, effect: Which; `(unknown)` for every call that was never valid, `(other)` for what there was no
            room to count by name.
        calls: Proposed calls.
        answers: How they were answered.
        latency: Executions (`part` is `tool`).
        cached: Answers that came out of the cache.
        offered: Turns of a model that had it on offer, of those whose offer is recorded: where it is a selection, or
            the agent names its tools.
        chosen: Calls that models of agents' runs proposed of it; with `offered`, how it is selected.
        stumbled: Runs' streaks of failed or refused calls of it.
        recovered: How many of those ended with a call of it that was done, in the same run.
        micro_usd: What its own calls cost by its declaration, where a budget counts money, and their verification.
        turn_tokens, turn_micro_usd: Its share of the model turns that proposed calls: a turn is divided evenly
            among its calls.
        granted: Calls that a grant released instead of a person.
    """

    tool: str
    server: str
    effect: str
    calls: int
    answers: Answers
    latency: Latency
    cached: int
    offered: int
    chosen: int
    stumbled: int
    recovered: int
    micro_usd: int
    turn_tokens: int
    turn_micro_usd: int
    granted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFigures:
    """One way in which calls of one tool ended badly.

    Attributes:
        tool: Which.
        outcome: `failed`, `refused`, `withheld` or `unknown`.
        code: Stable code of the answer (docs/reference/errors.md says what each means).
        count: How often.
    """

    tool: str
    outcome: str
    code: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What models were told of calls that were not done. The text is no part of it: it may quote what was sent.

    Attributes:
        outcome: As of `ErrorFigures`, or `held`.
        gate: The gate that stopped them; empty where an execution failed.
        code: Stable code of the answer.
        count: How often.
    """

    outcome: str
    gate: str
    code: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFigures:
    """What policy decided. A decision with several reasons is counted under each.

    Attributes:
        verdict: `allow`, `deny` or `require_approval`.
        reason: Id of a rule that determined it; empty where none did.
        count: How often.
    """

    verdict: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """One model.

    Attributes:
        model: Its name.
        turns: Its turns that were recorded.
        input_tokens, output_tokens: As its provider counts.
        cached_tokens, reasoning_tokens: Parts of the two.
        micro_usd: What they cost by the price that the agent names.
        latency: Its turns (`part` is `model`).
    """

    model: str
    turns: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    micro_usd: int
    latency: Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """Who or what made models work, or called tools.

    Attributes:
        name: An agent's name, or a principal's pseudonym; empty for runs of no agent.
        turns, tokens, micro_usd: Of models.
        calls: Proposed calls; 0 of an agent, whose calls are counted by principal and tool.
    """

    name: str
    turns: int
    tokens: int
    micro_usd: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverFigures:
    """What one person decided.

    Attributes:
        person: Principal id.
        approved, rejected, edited, responded: Answers.
        hasty: Privileged calls that they looked at for less than 2 s.
        latency: From the request to their answer (`part` is `person`).
        viewed: How long they looked (`part` is `viewed`); count 0 where nobody measured it.
    """

    person: str
    approved: int
    rejected: int
    edited: int
    responded: int
    hasty: int
    latency: Latency
    viewed: Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Requests for approval.

    Attributes:
        requested: Made within the time.
        expired, withdrawn, superseded: Ended without a person's answer.
        granted: Calls that a grant released instead.
        approved, answered: Answers that approved, and all answers: the approval rate is the one over the other.
    """

    requested: int
    expired: int
    withdrawn: int
    superseded: int
    granted: int
    approved: int
    answered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Two tools that one run used.

    Attributes:
        first, second: Names, in the order of the alphabet.
        runs: Runs that used both.
    """

    first: str
    second: str
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """Runs.

    Attributes:
        started, finished, cancelled: Within the time.
        ends: Reason of the end (an agent's: `answer`, `limit`, `declined`, `model_failed`, …) to how many, the most
            first.
    """

    started: int
    finished: int
    cancelled: int
    ends: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What happened in one tenant within a time.

    Attributes:
        tenant: Whose.
        since_us, until_us: The time that was counted: it begins with a whole bucket, so at or before what was asked.
        step_us: Length of a point: a minute for up to 6 hours, an hour for up to 8 days, else a day.
        complete_from_us: Nothing before this was read yet, or it is not kept any more: figures before it are too low.
        as_of_us: When the newest event was that is counted; 0 where there is none.
        calls: Calls that were proposed.
        answers: How calls were answered.
        points: One for each step of the time, those without events as well, oldest first.
        latency: By part, as of a `Point`.
        tools: The most called first; at most 200.
        errors: The most frequent first; at most 100.
        told: The most frequent first; at most 50.
        decisions: The most frequent first; at most 100.
        models: By turns; at most 50.
        agents, users: By money, tokens, then calls; at most 50.
        users_count: Distinct principals that called a tool.
        holds: Requests for approval.
        approvers: The busiest first; at most 50.
        loops: Calls that were refused because they went in circles.
        fan_outs: Calls that were refused because a turn proposed too many.
        together: Pairs of tools, the most frequent first; at most 30.
        runs: Runs.
        dead_letters: Writes that were given up on.
        budgets: Every budget row in force now, as `interlock limits` tells it: not of the time, but of the present
            period; empty where nobody keeps them current (see `Measures.note_budgets`).
    """

    tenant: str
    since_us: int
    until_us: int
    step_us: int
    complete_from_us: int
    as_of_us: int
    calls: int
    answers: Answers
    points: tuple[Point, ...]
    latency: tuple[Latency, ...]
    tools: tuple[ToolFigures, ...]
    errors: tuple[ErrorFigures, ...]
    told: tuple[Told, ...]
    decisions: tuple[DecisionFigures, ...]
    models: tuple[ModelFigures, ...]
    agents: tuple[Spender, ...]
    users: tuple[Spender, ...]
    users_count: int
    holds: Holds
    approvers: tuple[ApproverFigures, ...]
    loops: int
    fan_outs: int
    together: tuple[Together, ...]
    runs: RunFigures
    dead_letters: int
    budgets: tuple[BudgetUse, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens that models took, input and output."""
        return sum(each.input_tokens + each.output_tokens for each in self.models)

    @property
    def micro_usd(self) -> int:
        """What models cost, micro-USD."""
        return sum(each.micro_usd for each in self.models)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON: objects with the names of the attributes."""
        said = asdict(self)
        said["budgets"] = [{**use._asdict(), "whose": dict(use.whose)} for use in self.budgets]
        return {**said, "tokens": self.tokens, "micro_usd": self.micro_usd}
