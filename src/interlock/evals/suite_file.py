"""A suite as it is written: JSON, TOML or YAML; read strictly; an error has the file and the field."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from interlock.core.canonical import JsonLimits, canonical, digest, parse_json
from interlock.core.principal import Principal
from interlock.errors import BadInput, DefinitionError
from interlock.evals.chaos import Chaos
from interlock.evals.predicate import Pattern, Predicate, Where
from interlock.evals.suite import (
    Answers,
    Case,
    Expectation,
    ExpectedAnswer,
    ExpectedCall,
    JudgedBy,
    Most,
    Need,
    Suite,
    WrittenAnswer,
)
from interlock.models.metered import Price

LIMITS = JsonLimits(bytes_max=64 << 20, items_max=1_000_000)
"""What a file may be at most."""

_Outcome = Literal["done", "refused", "held", "failed", "withheld", "unknown"]
_End = Literal[
    "", "answer", "limit", "declined", "model_failed", "cancelled", "waiting", "unfinished", "open", "finished"
]
_CLOSED = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True, hide_input_in_errors=True)
_Share = Field(default=0.0, ge=0, le=1)
_Calls: Any = Field(default_factory=list, max_length=200)  # each is held against each call of a run


class PredicateFile(BaseModel):
    """What an argument must be; see `Predicate`."""

    model_config = _CLOSED
    equals: JsonValue = None
    matches: str | None = Field(default=None, max_length=1000)
    between: tuple[float | None, float | None] | None = Field(default=None, strict=False)
    contains: JsonValue = None
    absent: Literal[True] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("say equals, matches, between, contains or absent")
        if self.absent and len(self.model_fields_set) > 1:
            raise ValueError("what is absent can be nothing else")
        return self

    def made(self) -> Predicate:
        """The predicate.

        Raises:
            DefinitionError: Its pattern is none.
        """
        said = self.model_fields_set
        return Predicate(
            equals=(self.equals,) if "equals" in said else (),
            matches=None if self.matches is None else Pattern(self.matches),
            between=self.between, contains=(self.contains,) if "contains" in said else (), absent=bool(self.absent),
        )  # fmt: skip


_WhereFile = dict[str, PredicateFile]


class CallFile(BaseModel):
    """A call that must, or must not, be made; see `ExpectedCall`."""

    model_config = _CLOSED
    tool: str = Field(min_length=1, max_length=128)
    arguments: _WhereFile = Field(default_factory=dict)
    outcome: _Outcome | list[_Outcome] | None = None
    code: str = ""

    def made(self) -> ExpectedCall:
        """The expected call."""
        outcomes = self.outcome if isinstance(self.outcome, list) else [self.outcome] if self.outcome else []
        return ExpectedCall(tool=self.tool, where=_where(self.arguments), outcomes=tuple(outcomes), code=self.code)


class ToolsFile(BaseModel):
    """Which tools must be called; one of the three."""

    model_config = _CLOSED
    any_order: list[str] | None = None
    in_order: list[str] | None = None
    exactly: list[str] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("say one of any_order, in_order, exactly")
        return self


class AnswerFile(BaseModel):
    """What the last words must say; see `ExpectedAnswer`."""

    model_config = _CLOSED
    contains: list[str] = Field(default_factory=list)
    matches: list[str] = Field(default_factory=list)
    lacks: list[str] = Field(default_factory=list)


class MostFile(BaseModel):
    """What a run may take; see `Most`."""

    model_config = _CLOSED
    steps: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    latency_ms: int | None = Field(default=None, ge=0)
    micro_usd: int | None = Field(default=None, ge=0)


class ExpectFile(BaseModel):
    """What must come of a case; see `Expectation`."""

    model_config = _CLOSED
    tools: ToolsFile | None = None
    calls: list[CallFile] = _Calls
    forbidden: list[str | CallFile] = _Calls
    only: bool = False
    answer: AnswerFile = Field(default_factory=AnswerFile)
    end: _End = ""
    most: MostFile = Field(default_factory=MostFile)

    def made(self) -> Expectation:
        """The expectation."""
        order, tools = "any_order", None
        if self.tools is not None:
            [order] = self.tools.model_fields_set
            tools = tuple(getattr(self.tools, order) or ())
        answer = self.answer
        return Expectation(
            order=order, tools=tools, calls=tuple(call.made() for call in self.calls),
            forbidden=tuple(
                ExpectedCall(tool=each) if isinstance(each, str) else each.made() for each in self.forbidden
            ),
            only=self.only, end=self.end, most=Most(**self.most.model_dump()),
            answer=ExpectedAnswer(
                contains=tuple(answer.contains), matches=tuple(map(Pattern, answer.matches)), lacks=tuple(answer.lacks)
            ),
        )  # fmt: skip


class WrittenFile(BaseModel):
    """What a tool answers; see `WrittenAnswer`."""

    model_config = _CLOSED
    when: _WhereFile = Field(default_factory=dict)
    value: JsonValue = None
    rejected: str = Field(default="", max_length=2000)

    def made(self) -> WrittenAnswer:
        """The answer."""
        return WrittenAnswer(when=_where(self.when), value=self.value, rejected=self.rejected)


_AnswersFile = dict[str, list[WrittenFile]]


class CaseFile(BaseModel):
    """One case; see `Case`."""

    model_config = _CLOSED
    name: str = Field(min_length=1, max_length=200)
    words: str = Field(default="", max_length=262_144)
    run: str = Field(default="", max_length=100)
    expect: ExpectFile = Field(default_factory=ExpectFile)
    rubric: str = Field(default="", max_length=10_000)
    repeat: int | None = Field(default=None, ge=1, le=10_000)
    answers: _AnswersFile = Field(default_factory=dict)

    def made(self, repeat: int) -> Case:
        """The case."""
        return Case(
            name=self.name, words=self.words, run=self.run, expect=self.expect.made(), rubric=self.rubric,
            repeat=self.repeat or repeat, answers=_answers(self.answers),
        )  # fmt: skip


class PrincipalFile(BaseModel):
    """On whose behalf, or who approves."""

    model_config = _CLOSED
    id: str = Field(default="eval", pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")
    tenant: str = Field(default="default", min_length=1, max_length=100)
    roles: list[str] = Field(default_factory=list)
    kind: Literal["user", "service"] = "user"

    def made(self) -> Principal:
        """The principal."""
        return Principal(self.id, self.tenant, frozenset(self.roles), self.kind)


class ChaosFile(BaseModel):
    """What goes wrong with tools; see `Chaos`."""

    model_config = _CLOSED
    tools: list[str] = Field(default_factory=list)
    fail: float = _Share
    stall: float = _Share
    lie: float = _Share
    garbage: float = _Share

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.fail + self.stall + self.lie + self.garbage > 1:
            raise ValueError("together they are more than 1")
        return self

    def made(self) -> Chaos:
        """The rule."""
        return Chaos(
            tools=frozenset(self.tools), fail=self.fail, stall=self.stall, lie=self.lie, garbage=self.garbage
        )  # fmt: skip


class PriceFile(BaseModel):
    """What a model costs, in millionths of a US dollar for a million tokens."""

    model_config = _CLOSED
    input: int = Field(ge=0, le=10**12)
    output: int = Field(ge=0, le=10**12)
    cached: int | None = Field(default=None, ge=0, le=10**12)


class JudgeFile(BaseModel):
    """Who judges; see `JudgedBy`."""

    model_config = _CLOSED
    model: str = Field(min_length=3, max_length=200)
    key_file: str = ""
    base_url: str = ""
    tokens_max: int = Field(default=1024, ge=64, le=65_536)
    timeout_s: float = Field(default=30.0, gt=0, le=600, strict=False)
    price: PriceFile | None = None
    micro_usd_max: int = Field(default=1_000_000, ge=0, le=10**12)

    def made(self) -> JudgedBy:
        """The judge."""
        said = self.model_dump(exclude={"price"})
        return JudgedBy(**said, price=None if self.price is None else Price(**self.price.model_dump()))


class NeedFile(BaseModel):
    """Below what the answer is no; see `Need`."""

    model_config = _CLOSED
    pass_rate: float = Field(default=1.0, ge=0, le=1)
    lost: int = Field(default=0, ge=0)


class RunsFile(BaseModel):
    """Which runs of the ledger the suite is held against."""

    model_config = _CLOSED
    since: str = Field(default="", max_length=40)


class SuiteFile(BaseModel):
    """A whole suite; see `Suite`."""

    model_config = _CLOSED
    suite: str = Field(min_length=1, max_length=200)
    agent: str = Field(default="", max_length=200)
    runs: RunsFile | None = None
    principal: PrincipalFile = Field(default_factory=PrincipalFile)
    far_end: Literal["answers", "reads"] = "answers"
    answers: _AnswersFile = Field(default_factory=dict)
    approver: PrincipalFile | None = None
    repeat: int = Field(default=1, ge=1, le=10_000)
    seed: int = 0
    price: PriceFile | None = None
    chaos: list[ChaosFile] = Field(default_factory=list)
    judge: JudgeFile | None = None
    need: NeedFile = Field(default_factory=NeedFile)
    cases: list[CaseFile] = Field(min_length=1, max_length=100_000)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [case.name for case in self.cases]
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise ValueError(f"cases: two are called {twice!r}")
        if self.runs is not None and (self.agent or self.chaos or self.answers):
            raise ValueError("runs: nothing is played, so that agent, chaos and answers say nothing")
        for case in self.cases:
            if not (case.words or case.run):
                raise ValueError(f"cases: {case.name!r} has no words")
            if case.run and self.runs is None:
                raise ValueError(f"cases: {case.name!r} names a run, and the suite has no `runs`")
            if case.rubric and self.judge is None:
                raise ValueError(f"cases: {case.name!r} has a rubric, and the suite no judge")
        return self

    def made(self) -> Suite:
        """The suite."""
        return Suite(
            name=self.suite, cases=tuple(case.made(self.repeat) for case in self.cases), agent=self.agent,
            recorded=self.runs is not None, since="" if self.runs is None else self.runs.since,
            principal=self.principal.made(), reads=self.far_end == "reads", answers=_answers(self.answers),
            approver=None if self.approver is None else self.approver.made(), seed=self.seed,
            price=None if self.price is None else Price(**self.price.model_dump()),
            chaos=tuple(rule.made() for rule in self.chaos),
            judge=None if self.judge is None else self.judge.made(), need=Need(**self.need.model_dump()),
            digest=digest("interlock/suite/1", canonical(self.model_dump(mode="json", exclude_unset=True))).hex(),
        )  # fmt: skip


def _where(said: _WhereFile) -> Where:
    for place in said:
        if place and not place.startswith("/"):
            raise BadInput(f"arguments: {place!r} is no pointer", remedy="Begin it with a slash, as in `/order_id`.")
    return {place: predicate.made() for place, predicate in said.items()}


def _answers(said: _AnswersFile) -> Answers:
    return {tool: tuple(each.made() for each in answers) for tool, answers in said.items()}


def load_suite(file: Path) -> Suite:
    """Read a suite: JSON, TOML by `.toml`, YAML by `.yaml` or `.yml`, which needs the extra `openapi`.

    Raises:
        BadInput: It cannot be read, or a field is not acceptable; the message has file and field.
        MissingExtra: It is YAML, and PyYAML is not installed.
    """
    try:
        said = _parsed(file.suffix, file.read_bytes())
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}", code="eval.suite", remedy="Name a suite.") from None
    except BadInput as error:
        raise _unfit(str(file), error) from None
    return suite_of(said, str(file))


def suite_of(said: object, named: str) -> Suite:
    """The suite that a JSON value says; where that stands, `named` says.

    Raises:
        BadInput: A field is not acceptable; the message has the place and the field.
    """
    try:
        if not isinstance(said, dict):
            raise BadInput("no object", remedy="Begin with `suite:` and `cases:`.")
        return SuiteFile.model_validate(said).made()
    except ValidationError as error:
        raise _wrong(named, error) from None
    except (BadInput, DefinitionError) as error:
        raise _unfit(named, error) from None


def _unfit(named: str, error: BadInput | DefinitionError) -> BadInput:
    remedy = error.remedy or "See docs/how-to/evaluate-agents.md."
    return BadInput(f"{named}: {error.args[0]}", code="eval.suite", remedy=remedy)


def _parsed(suffix: str, text: bytes) -> Any:
    if suffix in (".yaml", ".yml"):
        from interlock.sources.openapi_yaml import parse_yaml  # PyYAML, which an extra brings

        return parse_yaml(text, LIMITS)
    if suffix == ".toml":
        try:
            return tomllib.loads(text.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"not TOML: {error}") from None
    return parse_json(text, LIMITS)


def _wrong(named: str, error: ValidationError) -> BadInput:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("str", "CallFile"))
    if first["type"] == "extra_forbidden":
        known = sorted({name for model in MODELS for name in model.model_fields})
        near = get_close_matches(str(first["loc"][-1]), known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "See docs/how-to/evaluate-agents.md."
        return BadInput(f"{named}: unknown key {where!r}", code="eval.suite", remedy=remedy)
    said = first["msg"].removeprefix("Value error, ")
    return BadInput(f"{named}: {where + ': ' if where else ''}{said}", code="eval.suite", remedy="Mend that field.")


MODELS: tuple[type[BaseModel], ...] = (
    SuiteFile, CaseFile, ExpectFile, CallFile, ToolsFile, AnswerFile, MostFile, WrittenFile, PredicateFile,
    PrincipalFile, ChaosFile, PriceFile, JudgeFile, NeedFile, RunsFile,
)  # fmt: skip
"""Every table of a suite, to say what may stand in each."""
