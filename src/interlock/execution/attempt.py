"""One try of a tool's body, and what its failure means for the next."""

from __future__ import annotations

from dataclasses import dataclass
from traceback import format_exception_only
from typing import Any

import anyio

from interlock.core.tool import CallContext, Tool
from interlock.errors import NotSent, Rejected


@dataclass(frozen=True, slots=True)
class Failure:
    """How a try failed. The kind comes from the exception's type alone, never from its text.

    Attributes:
        kind: `timeout`, `unavailable` (nothing was sent), `rejected` (the far end did not do it) or `broken`.
        maybe_done: The effect may have happened.
        said: Words of the tool's author for the model; empty for none.
        error: Type and text of the exception, for the audit only.
    """

    kind: str
    maybe_done: bool
    said: str = ""
    error: str = ""

    def worth_retrying(self, tool: Tool) -> bool:
        """Whether another try cannot double an effect and may go better."""
        if self.kind == "rejected":
            return False
        return not self.maybe_done or not tool.writes or tool.keyed or tool.idempotent


async def attempt(tool: Tool, arguments: dict[str, Any], context: CallContext) -> Any | Failure:
    """Run the body once within its deadline.

    Cancellation passes through; every other exception of the body becomes a `Failure`. A failed write is
    `maybe_done` unless the transport proves otherwise by `NotSent` or `Rejected`.
    """
    try:
        with anyio.move_on_after(context.deadline_s):
            return await tool.body(arguments, context)
        return Failure("timeout", maybe_done=tool.writes, error=f"no answer within {context.deadline_s:g} s")
    except NotSent as error:
        return Failure("unavailable", maybe_done=False, error=_told(error))
    except Rejected as error:
        said = str(error.reason)[:2000].encode(errors="backslashreplace").decode()
        return Failure("rejected", maybe_done=False, said=said, error=_told(error))
    except TimeoutError as error:
        return Failure("timeout", maybe_done=tool.writes, error=_told(error))
    except Exception as error:  # the body is anybody's code: whatever it raises is its failure, not ours
        return Failure("broken", maybe_done=tool.writes, error=_told(error))


def _told(error: BaseException) -> str:
    """Type and text, as the ledger can keep them, whatever the error makes of being asked for its text."""
    said = "".join(format_exception_only(error)).strip()[:2000]
    return said.encode(errors="backslashreplace").decode()
