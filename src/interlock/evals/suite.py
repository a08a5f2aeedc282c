"""A suite: cases with what must come of each, and how they are played. How it is written stands in `suite_file.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.core.canonical import Json
from interlock.core.principal import Principal
from interlock.evals.chaos import Chaos
from interlock.evals.predicate import Pattern, Where
from interlock.models.metered import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCall:
    """A call that must be made, or must not be.

    Attributes:
        tool: Its name, as proposed.
        where: What must hold of its arguments.
        outcomes: What may come of it; anything where empty.
        code: The reason of what came of it; any where empty.
    """

    tool: str
    where: Where = field(default_factory=dict)
    outcomes: tuple[str, ...] = ()
    code: str = ""

    def __str__(self) -> str:
        """The call as a report has it."""
        came = " or ".join(self.outcomes) + (f" {self.code}" if self.code else "")
        said = "; ".join(f"{place or '(all)'} {predicate}" for place, predicate in self.where.items())
        return f"{self.tool}{f' ({said})' if said else ''}{f', {came.strip()}' if came.strip() else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAnswer:
    """What the last words must say, letters of either case and any spaces counted as the same.

    Attributes:
        contains: Facts: texts that must be in it.
        matches: Facts: patterns that must be found in it.
        lacks: Texts that must not be in it.
    """

    contains: tuple[str, ...] = ()
    matches: tuple[Pattern, ...] = ()
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """What one run may take at most; None for any.

    Attributes:
        steps: Turns of the model; of a run that no agent drives, calls.
        tokens: Read and written together.
        latency_ms: From its start to its last event.
        micro_usd: What it costs.
    """

    steps: int | None = None
    tokens: int | None = None
    latency_ms: int | None = None
    micro_usd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must come of a case. What is left out is not asked.

    Attributes:
        order: How `tools` binds: `any_order` (each so often, others beside), `in_order` (others between), `exactly`.
        tools: Names of the tools that must be called; None where that is not asked.
        calls: Calls that must be made, each another one.
        forbidden: Calls that must not be made.
        only: Whether every call that changed something, or may have, must be one of `calls`.
        answer: What the last words must say.
        end: How the run must end; any way where empty.
        most: What it may take.
    """

    order: str = "any_order"
    tools: tuple[str, ...] | None = None
    calls: tuple[ExpectedCall, ...] = ()
    forbidden: tuple[ExpectedCall, ...] = ()
    only: bool = False
    answer: ExpectedAnswer = ExpectedAnswer()
    end: str = ""
    most: Most = Most()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAnswer:
    """What a tool answers in the place of its far end.

    Attributes:
        when: What must hold of the arguments.
        value: The result.
        rejected: The far end does not do it, for this reason; empty where it answers with the value.
    """

    when: Where = field(default_factory=dict)
    value: Json = None
    rejected: str = ""


Answers = Mapping[str, tuple[WrittenAnswer, ...]]
"""Name of a tool to its answers: the first that fits is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case.

    Attributes:
        name: No two alike.
        words: What the user says; over recorded runs, what the run's user said.
        run: The recorded run that it is about; empty for every one with these words.
        expect: What must come of it.
        rubric: What a judge holds the answer against; empty where none is asked.
        repeat: How often it is played.
        answers: Of this case, before those of the suite.
    """

    name: str
    words: str = ""
    run: str = ""
    expect: Expectation = Expectation()
    rubric: str = ""
    repeat: int = 1
    answers: Answers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBy:
    """The model that judges, and what it may cost.

    Attributes:
        model: Provider and model; or `python:module:NAME`, a model of your own.
        key_file, base_url: As of a verifier.
        tokens_max: Tokens that one verdict may have.
        timeout_s: Seconds that one may take.
        price: None for the list price.
        micro_usd_max: Millionths of a US dollar that all verdicts of one command may cost.
    """

    model: str
    key_file: str = ""
    base_url: str = ""
    tokens_max: int = 1024
    timeout_s: float = 30.0
    price: Price | None = None
    micro_usd_max: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Below what the command's answer is no.

    Attributes:
        pass_rate: Part of the trials that must pass, 0 to 1.
        lost: Cases that may be lost against the baseline.
    """

    pass_rate: float = 1.0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Cases, and how they are played.

    Attributes:
        name: What it is called.
        cases: In their order.
        agent: Name of an agent of the settings, or `module:name`; empty for the only one that there is.
        recorded: Whether it is held against runs of the ledger, and nothing is played.
        since: Of these, those since then, as it is typed; empty for all.
        principal: On whose behalf the cases are played.
        reads: Whether reads without a written answer reach their far ends. Whatever does more never does.
        answers: What tools answer in the place of their far ends.
        approver: Who approves whatever is held; None where a run that waits is at its end.
        seed: Of all that is drawn at random.
        price: What the model costs; None for what the agent says.
        chaos: What goes wrong with tools.
        judge: Who judges answers; None where no case asks.
        need: Below what the answer is no.
        digest: SHA-256 of what its file says, hexadecimal: the same in JSON, TOML and YAML.
    """

    name: str
    cases: tuple[Case, ...]
    agent: str = ""
    recorded: bool = False
    since: str = ""
    principal: Principal
    reads: bool = False
    answers: Answers = field(default_factory=dict)
    approver: Principal | None = None
    seed: int = 0
    price: Price | None = None
    chaos: tuple[Chaos, ...] = ()
    judge: JudgedBy | None = None
    need: Need = Need()
    digest: str = ""
