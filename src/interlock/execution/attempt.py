"""One try of a tool's body, and what its failure means for the next."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from traceback import format_exception_only
from typing import Any

import anyio

from interlock.core.call import ValidCall
from interlock.core.progress import ProgressListeners
from interlock.core.tool import Body, CallContext, Tool
from interlock.errors import NotSent, Rejected, TryLater


@dataclass(frozen=True, slots=True)
class Failure:
    """How a try failed. The kind comes from the exception's type alone, never from its text.

    Attributes:
        kind: `timeout`, `unavailable` (nothing was sent), `busy` (the far end did not do it now), `rejected` (it did
            not and will not), `broken`, `open` (the breaker let nothing through), `full` (no room in the bulkhead),
            `down` (what it depends on does not answer), or `lost`: the worker of the try is gone.
        maybe_done: The effect may have happened.
        said: Words of the tool's author for the model; empty for none.
        error: Type and text of the exception, for the audit only.
        retry_after_s: Seconds that the far end asked for; 0 where it did not.
        answer: What the far end answered instead of a result, unscreened; None for nothing.
    """

    kind: str
    maybe_done: bool
    said: str = ""
    error: str = ""
    retry_after_s: float = 0.0
    answer: object = None

    @property
    def passing(self) -> bool:
        """Whether another try may go better; never after a word of the far end or a breaker."""
        return self.kind not in ("rejected", "open", "down", "full")


def context_of(
    valid: ValidCall, key: str, spent: dict[str, int], listeners: ProgressListeners, trace: tuple[str, str] = ("", "")
) -> CallContext:  # fmt: skip
    """What the tool's function may know of a call, and where it says what that cost and how far it is."""
    tool, call = valid.tool, valid.call
    return CallContext(
        run_id=call.run_id, call_id=call.call_id, attempt=1, idempotency_key=key,
        principal_id=call.principal.id, tenant=call.principal.tenant, deadline_s=tool.timeout_s,
        units=tool.units, spent=spent, report=listeners.tell, traceparent=trace[0], tracestate=trace[1],
    )  # fmt: skip


async def attempt(
    tool: Tool, arguments: dict[str, Any], context: CallContext, body: Body | None = None
) -> Any | Failure:  # fmt: skip
    """Run a body once within the tool's deadline: its own, or another in its place.

    Cancellation passes through; every other exception of the body becomes a `Failure`. A failed write is
    `maybe_done` unless the transport proves otherwise by `NotSent`, `TryLater` or `Rejected`.
    """
    try:
        with anyio.move_on_after(context.deadline_s):
            return await (body or tool.body)(arguments, context)
        return Failure("timeout", maybe_done=tool.writes, error=f"no answer within {context.deadline_s:g} s")
    except Exception as error:  # the body is anybody's code: whatever it raises is its failure, not ours
        return failure_of(tool, error)


def failure_of(tool: Tool, error: Exception, clean: Callable[[str], str] = str) -> Failure:
    """What an exception of the body says, by its type.

    Args:
        clean: Takes out of its texts what may be in none, before they are cut.
    """
    told = _told(error, clean)
    if isinstance(error, NotSent):
        return Failure("unavailable", maybe_done=False, error=told)
    if isinstance(error, TryLater):
        return Failure("busy", maybe_done=False, error=told, retry_after_s=_seconds(error.retry_after_s))
    if isinstance(error, Rejected):
        said = clean(str(error.reason))[:2000].encode(errors="backslashreplace").decode()
        return Failure("rejected", maybe_done=False, said=said, error=told, answer=error.said)
    if isinstance(error, TimeoutError):
        return Failure("timeout", maybe_done=tool.writes, error=told)
    return Failure("broken", maybe_done=tool.writes, error=told)


def _seconds(asked: object) -> float:
    """A pause that can be waited for: what is no number of seconds, or a negative one, is none."""
    if isinstance(asked, int | float) and not isinstance(asked, bool) and math.isfinite(asked):
        return max(0.0, float(min(asked, 1e9)))
    return 0.0


def _told(error: BaseException, clean: Callable[[str], str]) -> str:
    """Type and text, as the ledger can keep them, whatever the error makes of being asked for its text."""
    said = clean("".join(format_exception_only(error)).strip())[:2000]
    return said.encode(errors="backslashreplace").decode()
