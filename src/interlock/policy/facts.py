"""The closed record that a decision is made on: facts in, decision out, and nothing else.

Built from a valid call, the run so far, the resource that was resolved and one reading of the clock. The
record is kept with the decision, so that it can be explained, replayed and asked of another policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

from interlock.core.call import ValidCall
from interlock.core.canonical import Written
from interlock.core.clock import SECOND_US
from interlock.core.principal import Principal
from interlock.core.provenance import ROLES, UNTRACED, Level, Traced
from interlock.core.run import RunState
from interlock.core.secret import standing
from interlock.core.tool import Tool
from interlock.policy.shape import RESERVED

_HOUR_US = 3600 * SECOND_US
_DAY_US = 24 * _HOUR_US


class Session(NamedTuple):
    """What the run did before this call.

    Attributes:
        calls: Other calls that were proposed.
        tool_calls: Those of the same tool.
        writes: Other valid calls with effects.
        refusals: Calls that were refused.
        age_s: Whole seconds since the run started.
        words_seen: Whether the user's own words are known.
    """

    calls: int = 0
    tool_calls: int = 0
    writes: int = 0
    refusals: int = 0
    age_s: int = 0
    words_seen: bool = False


@dataclass(frozen=True)
class Resource:
    """What the call acts on: the entity that the tool's resource argument names, or else the server.

    Attributes:
        type: Entity type; `Server` for none.
        id: The argument's value as text, or the server's name.
        attributes: What the lookup returned.
    """

    type: str
    id: str
    attributes: Mapping[str, Any]

    @cached_property
    def written(self) -> Written:
        """The resource as events keep it."""
        return Written({"type": self.type, "id": self.id, "attributes": dict(self.attributes)})


class Facts(NamedTuple):
    """One record. Two equal records get the same decision from the same policy.

    Attributes:
        principal: On whose behalf.
        tool: The definition.
        arguments: As validated; in the place of a secret stands the text of its reference.
        text: Their canonical form.
        session: The run so far.
        now_us: When, microseconds UTC.
        resource: What it acts on.
        traced: Where the call comes from.
    """

    principal: Principal
    tool: Tool
    arguments: dict[str, Any]
    text: bytes
    session: Session
    now_us: int
    resource: Resource
    traced: Traced = UNTRACED


def facts_of(valid: ValidCall, run: RunState, now_us: int, resource: Resource | None = None) -> Facts:
    """The facts of one call of a run, on the clock's reading."""
    call, tool = valid.call, valid.tool
    return Facts(
        call.principal,
        tool,
        shown(valid),
        valid.text,
        _session(run, call.call_id, tool.name, now_us),
        now_us,
        resource if resource is not None else server_resource(tool.server),
        valid.traced,
    )


def shown(valid: ValidCall) -> dict[str, Any]:
    """The arguments as rules and look-ups see them: each reference to a secret is the text that it is."""
    return standing(valid.arguments) if valid.secrets else valid.arguments


@lru_cache(maxsize=1024)
def server_resource(server: str) -> Resource:
    """The resource of a call that names no entity."""
    return Resource("Server", server, {})


def forged(text: bytes) -> bool:
    """Whether an object of canonical JSON has a key that Cedar reads as an entity or a function.

    Quotes within a string are escaped there, so that the pattern stands for keys alone (or for a key
    that ends in one of them, which is refused as well).
    """
    return b'"__e' in text and any(f'"{key}":'.encode() in text for key in RESERVED)


def record_of(facts: Facts, tool: Written) -> Written:
    """The facts as they are kept, but for the arguments, which stand beside them.

    Where the call comes from is kept where it counts, or where a rule has read it: of other calls the chain says it.

    Args:
        tool: What a decision sees of the definition, made once per tool.
    """
    principal, resource = facts.principal.written, facts.resource.written
    calls, tool_calls, writes, refusals, age_s, words_seen = facts.session
    traced = facts.traced
    known = traced.provenance if traced.judged else traced.known
    provenance = None if known is None else Written(known.as_json() | ({"judged": True} if traced.judged else {}))
    text = (
        b'{"now_us":%d,"principal":%b,%b"resource":%b,"session":{"age_s":%d,"calls":%d,"refusals":%d,'
        b'"tool_calls":%d,"words_seen":%b,"writes":%d},"tool":%b}'
    ) % (
        facts.now_us, principal.text, b"" if provenance is None else b'"provenance":%b,' % provenance.text,
        resource.text, age_s, calls, refusals, tool_calls,
        b"true" if words_seen else b"false", writes, tool.text,
    )  # fmt: skip
    return Written(
        {
            "now_us": facts.now_us,
            "principal": principal,
            **({} if provenance is None else {"provenance": provenance}),
            "resource": resource,
            "session": {
                "calls": calls,
                "tool_calls": tool_calls,
                "writes": writes,
                "refusals": refusals,
                "age_s": age_s,
                "words_seen": words_seen,
            },
            "tool": tool,
        },
        text,
    )


def context_of(facts: Facts, provenance: Iterable[str] | None = None) -> dict[str, Any]:
    """What rules call `context`, in JSON's types and without the tool's definition.

    Args:
        provenance: What of `PROVENANCE` is wanted; all of it where None.
    """
    wanted = PROVENANCE if provenance is None else provenance
    return {
        "arguments": facts.arguments,
        "counts": counts_of(facts.arguments),
        "provenance": {name: PROVENANCE[name](facts.traced) for name in wanted},
        "session": facts.session._asdict(),
        "time": time_of(facts.now_us),
    }


def least_of(traced: Traced) -> dict[str, int]:
    """Role to the least level of the arguments of that role; none where there are none."""
    found = {role: traced.provenance.least(role) for role in ROLES}
    return {role: level.value for role, level in found.items() if level is not None}


def levels_of(traced: Traced) -> dict[str, int]:
    """Name of an argument to the least level of what is in it."""
    found: dict[str, Level] = {}
    for each in traced.provenance.arguments:
        name = each.pointer.split("/", 2)[1].replace("~1", "/").replace("~0", "~")
        found[name] = min(each.level, found.get(name, each.level))
    return {name: level.value for name, level in found.items()}


PROVENANCE: Final[Mapping[str, Callable[[Traced], Any]]] = {
    "lacks": lambda traced: list(traced.lacks),
    "profiled": lambda traced: traced.profiled,
    "mandated": lambda traced: traced.provenance.mandated,
    "words_seen": lambda traced: traced.provenance.words_seen,
    "saw_third": lambda traced: traced.provenance.saw_third,
    "saw_private": lambda traced: traced.provenance.saw_private,
    "sent_out": lambda traced: traced.provenance.sent_out,
    "least": least_of,
    "levels": levels_of,
}
"""What rules call `context.provenance`, each part worked out when it is read."""


def counts_of(arguments: Mapping[str, Any]) -> dict[str, int]:
    """Number of items of each list argument."""
    return {name: len(value) for name, value in arguments.items() if isinstance(value, list)}


def time_of(now_us: int) -> dict[str, int]:
    """The moment, and its hour (0 to 23) and weekday (1 for Monday to 7) in UTC."""
    days, rest = divmod(now_us, _DAY_US)
    return {"now": now_us, "hour": rest // _HOUR_US, "weekday": (days + 3) % 7 + 1}  # 1970 began on a Thursday


def _session(run: RunState, call_id: str, tool: str, now_us: int) -> Session:
    """The run without this call, which may be in it already: a held call is decided again."""
    own = run.calls.get(call_id)
    return Session(
        len(run.calls) - (own is not None),
        run.tool_calls.get(tool, 0) - (own is not None and own.tool == tool),
        run.writes - (own is not None and own.writes),
        run.refusals,
        max(0, now_us - run.started_us) // SECOND_US if run.started_us else 0,
        run.words is not None,
    )
