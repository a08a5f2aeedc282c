"""What somebody may look at and work in: everything of their tenant, or else what is their own.

What is another tenant's is not there, in the same words as what never was (threat T35).
"""

from __future__ import annotations

from typing import Any

from interlock.api.site import Site
from interlock.api.who import Who
from interlock.core.call_state import CallState
from interlock.core.run import RunState
from interlock.errors import NotEntitled, NotFound
from interlock.keys import WORDS


async def run_of(site: Site, who: Who, run_id: str) -> RunState:
    """A run, current.

    Raises:
        NotFound: There is none of this tenant, or none of their own where they may see no other.
        NotEntitled: They may look at nothing at all.
    """
    own_only = only_own(who)
    conversation = await site.plane.plane.ledger.conversation(run_id, who.tenant)
    await conversation.refresh()
    run = conversation.state
    if own_only and not is_own(who, run):
        raise NotFound(f"no run {run_id!r} here", code="run.not_found", remedy="List runs with `interlock runs list`.")
    return run


async def call_of(site: Site, who: Who, run_id: str, call_id: str) -> tuple[RunState, CallState]:
    """A call of a run, current.

    Raises:
        NotFound, NotEntitled: As `run_of`; or the run has no such call.
    """
    run = await run_of(site, who, run_id)
    if (call := run.calls.get(call_id)) is None:
        raise no_call(call_id)
    return run, call


async def row_of_call(site: Site, who: Who, call_id: str) -> dict[str, Any]:
    """The row of a call of this tenant, by its id alone.

    Raises:
        NotFound: There is none.
    """
    rows = await site.store.rows("tool_call", {"call_id": call_id, "tenant": who.tenant})
    if not rows:
        raise no_call(call_id)
    return rows[0]


def no_call(call_id: str) -> NotFound:
    """What is said of a call that is not there."""
    return NotFound(f"no call {call_id!r}", code="call.not_found", remedy="See the calls of its run.")


def only_own(who: Who) -> bool:
    """Whether they may look at nothing but what is their own.

    Raises:
        NotEntitled: Not even at that.
    """
    if who.may("see"):
        return False
    if not who.may("propose"):
        who.require("see")
    return True


def is_own(who: Who, run: RunState) -> bool:
    """Whether a run is theirs."""
    return run.principal is not None and (run.tenant, run.principal.id) == (who.tenant, who.principal.id)


def require_words(who: Who, what: str) -> None:
    """Refuse what says in the user's name what they want, from whoever nobody trusts to say it.

    Args:
        what: The field that says it.

    Raises:
        NotEntitled: Their key has not the scope `attest:words`.
    """
    if WORDS not in who.scopes:
        raise NotEntitled(
            f"{what}: what you came with does not let you say what the user wants", code="auth.words",
            remedy=f"Leave it out, or use a key with the scope {WORDS}.",
        )  # fmt: skip
