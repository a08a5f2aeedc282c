"""Who asks at the door, and what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from interlock.core.principal import Principal
from interlock.core.trace import TRACEPARENT, TRACESTATE, TraceContext, trace_context
from interlock.errors import BadInput
from interlock.keys import TOOLS, WORDS

RUN = "interlock/run"
"""`_meta` of a request: the handle of a run of one's own; of a result: the run that the call was made in."""

CALL = "interlock/call"
"""`_meta` of a result: which call it is of."""

NAME = "interlock/idempotency-key"
"""`_meta` of a request: the client's own name of the call; by it, asking twice is asking once."""

USER_WORDS = "interlock/words"
"""`_meta` of a request: the user's own words; believed of a key with the scope `attest:words` alone."""

CONTINUATION = "interlock/continuation"
"""`_meta` of a held result, and of the request by which its client comes back, where the revision has no field."""

_TEXT_MAX = {RUN: 128, NAME: 256, USER_WORDS: 65_536, CONTINUATION: 4096}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sends requests, as the transport knows them.

    Attributes:
        principal: On whose behalf the calls are made.
        scopes: What the key opens.
        client: What the client calls itself; says nothing of who it is.
        session: The transport's session or process, which nobody else has; empty where each request stands alone.
        lasting: Whether that session is over only when its process is.
        trace: Whose trace its transport says that this request belongs to; None for none.
    """

    principal: Principal
    scopes: frozenset[str] = frozenset({TOOLS})
    client: str = ""
    session: str = ""
    lasting: bool = False
    trace: TraceContext | None = None

    @property
    def may_call(self) -> bool:
        """Whether the key opens tools at all."""
        return TOOLS in self.scopes

    def calling_itself(self, client: str) -> Caller:
        """The same with what the client calls itself."""
        return replace(self, client=client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to call a tool.

    Attributes:
        tool, arguments: As the client sent them; unchecked.
        run: Handle of a run to make the call in; empty where the client names none.
        name: The client's own name of the call; empty for none.
        words: The user's own words; None where they are not seen.
        continuation: What a held answer gave the client to come back with; empty for none.
        trace: Whose trace the call belongs to; None for none.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""
    name: str = ""
    words: str | None = None
    continuation: str = ""
    trace: TraceContext | None = None


def asked(
    caller: Caller, tool: str, arguments: Mapping[str, Any] | None, meta: Mapping[str, object], continuation: str = ""
) -> Asked:
    """What a request asks for, with what its `_meta` says of it.

    Args:
        continuation: What came in the revision's own field.

    Raises:
        BadInput: An entry of ours in `_meta` is no text, or too long.
    """
    words = _text(meta, USER_WORDS)
    return Asked(
        tool=tool, arguments=arguments or {}, run=_text(meta, RUN), name=_text(meta, NAME),
        words=words if words and WORDS in caller.scopes else None,
        continuation=continuation or _text(meta, CONTINUATION),
        trace=trace_context(meta.get(TRACEPARENT), meta.get(TRACESTATE, "")) or caller.trace,
    )  # fmt: skip


def _text(meta: Mapping[str, object], key: str) -> str:
    said = meta.get(key, "")
    if not isinstance(said, str) or len(said) > _TEXT_MAX[key]:
        raise BadInput(
            f"_meta.{key}: no text of at most {_TEXT_MAX[key]} characters", code="gateway.meta",
            remedy="Leave it out, or send a shorter text.",
        )  # fmt: skip
    return said
