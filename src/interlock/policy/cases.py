"""Policy tested as a table: cases from a file, each with the decision that is expected.

    {"tools": [{"name": "refund", "effect": "irreversible"}],          // optional: stand-ins
     "cases": [{"name": "a clerk's refund waits", "principal": {"id": "u1", "roles": ["clerk"]},
                "tool": "refund", "arguments": {"amount": 5}, "expect": "require_approval",
                "rules": ["irreversible-held", "irreversible"]}]}

A key that is not known is refused: a case that is read in part tests something else than it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from interlock.core.canonical import canonical, parse_json
from interlock.core.clock import SECOND_US
from interlock.core.decision import Decision, Verdict
from interlock.core.principal import Principal
from interlock.core.provenance import Traced, provenance_from_json
from interlock.core.secret import standing
from interlock.core.tool import Effect, Tool
from interlock.errors import BadInput, PolicyError
from interlock.policy.cedar import Policy
from interlock.policy.facts import Facts, Resource, Session, server_resource

DEFAULT_CASES = Path(__file__).with_name("default.cases.json")
"""What the policy that ships says about each tier."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CasePrincipal(_Strict):
    """Who asks."""

    id: str = Field(min_length=1)
    tenant: str = Field(default="default", min_length=1)
    roles: frozenset[str] = frozenset()
    kind: Literal["user", "service"] = "user"


class CaseSession(_Strict):
    """What the run did before; see facts.Session."""

    calls: int = 0
    tool_calls: int = 0
    writes: int = 0
    refusals: int = 0
    age_s: int = 0
    words_seen: bool = False


class CaseOrigin(_Strict):
    """Where one argument leaf came from."""

    role: str
    level: Literal["third", "model", "record", "anchored", "user", "system"]


class CaseProvenance(_Strict):
    """Where the arguments came from; see core.provenance.Provenance.

    Attributes:
        lacks: Codes of what the contracts ask for and the call has not.
        arguments: Pointer to role and level.
    """

    lacks: tuple[str, ...] = ()
    arguments: dict[str, CaseOrigin] = Field(default_factory=dict)
    profiled: bool = False
    mandated: bool = False
    words_seen: bool = False
    saw_third: bool = False
    saw_private: bool = False
    sent_out: bool = False

    def traced(self) -> Traced:
        """As a decision sees it."""
        said = self.model_dump()
        said["lacks"] = [{"code": code} for code in self.lacks]
        said["arguments"] = {where: each | {"rung": "case"} for where, each in said["arguments"].items()}
        found = provenance_from_json(said)
        return Traced(lambda: found, profiled=self.profiled, judged=True)


class CaseTool(_Strict):
    """A stand-in for a tool, for cases about tiers and not about the deployment's tools."""

    name: str
    effect: Effect
    server: str = "local"
    category: str = ""
    outward: bool = False
    input_schema: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "additionalProperties": False})


class Case(_Strict):
    """One line of the table.

    Attributes:
        arguments: As validation would leave them, defaults included.
        provenance: Where the arguments came from.
        resource: Attributes that the lookup of the resource argument would return.
        now: When, ISO 8601 with a zone.
        expect: The verdict.
        rules: Ids of exactly the rules that determine it; not looked at where left out.
    """

    name: str = Field(min_length=1)
    principal: CasePrincipal
    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    session: CaseSession = CaseSession()
    provenance: CaseProvenance = CaseProvenance()
    resource: dict[str, Any] = Field(default_factory=dict)
    now: AwareDatetime = datetime.fromisoformat("2026-01-05T12:00:00Z")
    expect: Verdict
    rules: frozenset[str] | None = None


class CaseFile(_Strict):
    """A table of cases, with stand-in tools where it is not about the deployment's own."""

    tools: tuple[CaseTool, ...] = ()
    cases: tuple[Case, ...]


class CaseResult(NamedTuple):
    """How one case went.

    Attributes:
        case: The case.
        decision: What policy said.
        wrong: What is not as expected, one sentence; empty where it passed.
    """

    case: Case
    decision: Decision
    wrong: str


def read_cases(path: Path) -> CaseFile:
    """The cases of a file.

    Raises:
        PolicyError: It cannot be read, is not strict JSON, or has a key or value that is not known.
    """
    try:
        text = path.read_bytes()
        parse_json(text)  # refuses a key named twice, which pydantic would not see
        return CaseFile.model_validate_json(text, strict=True)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}", code="policy.cases") from None
    except BadInput as error:
        raise PolicyError(f"{path}: {error}", code="policy.cases") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        raise PolicyError(f"{path}: {where}: {first['msg']}", code="policy.cases") from None


def run_cases(file: CaseFile, policy: Policy) -> tuple[CaseResult, ...]:
    """Ask the policy about every case; about the file's stand-in tools where it has any.

    Raises:
        PolicyError: A case names no tool, or the policy does not fit the stand-ins.
    """
    if file.tools:
        policy = policy.with_tools(_stand_in(tool) for tool in file.tools)
    return tuple(_run(case, policy) for case in file.cases)


def case_facts(case: Case, policy: Policy) -> Facts:
    """The record that a case describes.

    Raises:
        PolicyError: It names no tool that the policy knows.
    """
    tool = policy.tool(case.tool)
    if tool is None:
        raise PolicyError(f"case {case.name!r}: no tool is named {case.tool!r}", code="policy.cases")
    return Facts(
        Principal(**case.principal.model_dump()),
        tool,
        standing(case.arguments),
        canonical(case.arguments),
        Session(**case.session.model_dump()),
        round(case.now.timestamp() * SECOND_US),
        _resource(tool, case),
        case.provenance.traced(),
    )


def _run(case: Case, policy: Policy) -> CaseResult:
    decision = policy.decide(case_facts(case, policy))
    said = frozenset(reason.removeprefix("rule:") for reason in decision.reasons if reason.startswith("rule:"))
    wrong = ""
    if decision.verdict is not case.expect:
        wrong = f"expected {case.expect}, got {decision.verdict} ({', '.join(decision.reasons)})"
    elif case.rules is not None and case.rules != said:
        wrong = f"expected the rules {sorted(case.rules)}, got {sorted(said)}"
    return CaseResult(case, decision, wrong)


def _resource(tool: Tool, case: Case) -> Resource:
    entity, value = tool.entities.get(tool.resource), case.arguments.get(tool.resource)
    if entity is None or type(value) not in (str, int):
        return server_resource(tool.server)
    return Resource(entity.type, str(value), case.resource)


def _stand_in(tool: CaseTool) -> Tool:
    async def body(arguments: Mapping[str, Any], context: object) -> object:
        raise AssertionError("a stand-in never runs")

    return Tool(**tool.model_dump(), body=body)
