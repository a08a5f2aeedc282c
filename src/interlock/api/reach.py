"""What somebody may look at and work in: everything of their tenant, or else what is their own.

What is another tenant's is not there, in the same words as what never was (threat T35).
"""

from __future__ import annotations

from typing import Any

from interlock.api.site import Site
from interlock.api.who import Who
from interlock.core.call_state import CallState
from interlock.core.principal import FIRST_TENANT
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


async def row_of_run(site: Site, who: Who, run_id: str) -> dict[str, Any]:
    """The row of a run of this tenant: for what needs no more of it than that it is there.

    Raises:
        NotFound: There is none.
    """
    rows = await site.store.rows("run", {"run_id": run_id, "tenant": who.tenant}, 1)
    if not rows:
        raise NotFound(f"no run {run_id!r} here", code="run.not_found", remedy="See the list of runs.")
    return rows[0]


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


def accepts_definitions(who: Who) -> None:
    """Refuse whoever may not accept what servers changed of their tools, which binds every tenant.

    Raises:
        NotEntitled: They are of another tenant than those who run the deployment.
    """
    _runs_deployment(who, "definitions are accepted", "tools.accept")


def loads_policy(who: Who) -> None:
    """Refuse whoever may not load the policy, which binds every tenant.

    Raises:
        NotEntitled: As `accepts_definitions`.
    """
    _runs_deployment(who, "the policy is loaded", "policies.reload")


def looks_at_ledger(who: Who) -> None:
    """Refuse whoever may not look at the ledger as a whole, which has everybody's chains.

    Raises:
        NotEntitled: As `accepts_definitions`.
    """
    _runs_deployment(who, "the ledger as a whole is looked at", "ledger.tenant")


def _runs_deployment(who: Who, what: str, code: str) -> None:
    if who.tenant != FIRST_TENANT:
        raise NotEntitled(
            f"{what} by those who run the deployment", code=code, remedy=f"Ask somebody of the tenant {FIRST_TENANT!r}."
        )
