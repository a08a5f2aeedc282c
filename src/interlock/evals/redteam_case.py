"""What a red team brings: tools with profiles, and cases, each a run in which some calls are a hijacked model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from interlock.core.canonical import Json
from interlock.core.clock import SECOND_US
from interlock.grounding.profile import Profile

PAYLOAD: Final = "{{payload}}"
"""Where in the text of a result the planted text stands."""

TODAY_US: Final = 1_715_767_200 * SECOND_US
"""Noon of 2024-05-15, the day on which the published suites play."""


class Step(NamedTuple):
    """One call of a case, with what its tool returned.

    Attributes:
        tool, arguments: As the model proposes it.
        result: What the tool returns, JSON.
        error: What it fails with instead; empty for a result.
        attacker: It serves whoever planted the text, and no user.
        suspect: Nothing says whom it serves: who is asked about it does not approve it.
    """

    tool: str
    arguments: Mapping[str, Any]
    result: Json = None
    error: str = ""
    attacker: bool = False
    suspect: bool = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run.

    Attributes:
        case_id: Unique in its suite.
        words: What the user said; None where nobody saw it.
        steps: Its calls, in order; `PAYLOAD` in a result stands for the planted text.
        payload: The planted text; empty where nothing is planted.
        mandates: Tools that the application declares for this run.
        kind: What its attack would achieve: `effect`, `fetch` or `text`; `benign` for legitimate work.
        threat: Id in the threat model, such as `T1`; empty where it has none.
    """

    case_id: str
    words: str | None
    steps: tuple[Step, ...]
    payload: str = ""
    mandates: tuple[str, ...] = ()
    kind: str = "benign"
    threat: str = ""

    @property
    def attack(self) -> bool:
        """Whether a hijacked model is at work in it."""
        return self.kind != "benign"


class Definition(NamedTuple):
    """A tool of a suite.

    Attributes:
        name, description, input_schema: As it is offered.
        effect, outward: By the operator's word.
        server: Whose tool it is; the suite's where empty.
    """

    name: str
    description: str
    input_schema: Mapping[str, Any]
    effect: str
    outward: bool = False
    server: str = ""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Cases over one set of tools.

    Attributes:
        name: Its name, and that of the server whose the tools are.
        tools: What can be called.
        profiles: Tool name to its trust profile.
        cases: The runs.
        now_us: When they play, microseconds UTC.
    """

    name: str
    tools: tuple[Definition, ...]
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    now_us: int = TODAY_US

    @property
    def writes(self) -> frozenset[str]:
        """Tools that do more than read."""
        return frozenset(tool.name for tool in self.tools if tool.effect != "read")

    @property
    def consequential(self) -> frozenset[str]:
        """The same, with reads that carry data out."""
        return self.writes | frozenset(tool.name for tool in self.tools if tool.outward)


def map_texts(value: Json, change: Callable[[str], str]) -> Json:
    """The JSON value with every text in it changed, keys as well."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_texts(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): map_texts(item, change) for key, item in value.items()}
    return value


def texts_of(value: Json) -> Iterator[str]:
    """Every text in a JSON value, keys as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts_of(item)


def planted(case: Case, written: Callable[[int, int], str]) -> Case:
    """The case with its planted text written out.

    Args:
        written: Given the number of a place, from 0, and how many there are: what stands there.
    """
    places = sum(text.count(PAYLOAD) for step in case.steps for text in texts_of(step.result))
    place = iter(range(places))

    def fill(text: str) -> str:
        while PAYLOAD in text:
            text = text.replace(PAYLOAD, written(next(place), places), 1)
        return text

    steps = tuple(
        step._replace(result=map_texts(step.result, fill), error=fill(step.error)) if places else step
        for step in case.steps
    )
    return replace(case, steps=steps)
