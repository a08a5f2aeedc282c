"""A request for approval with whose call it is about: what every door shows of it, and the same for a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interlock.core.approval import ApprovalState
from interlock.core.canonical import Json
from interlock.core.clock import iso
from interlock.core.principal import Principal
from interlock.errors import NotFound
from interlock.ledger.conversation import Ledger
from interlock.ledger.store import Store

EFFECTS = {
    "read": "changes nothing",
    "reversible": "can be undone",
    "irreversible": "cannot be undone",
    "privileged": "changes who may do what, or what many depend on",
}
"""What each effect means to whoever decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request and whose call it is about.

    Attributes:
        run_id: The run of the call.
        subject: On whose behalf it runs, with the roles of that moment.
        words: The user's own words; None where they were not seen.
        state: The request.
    """

    run_id: str
    subject: Principal
    words: str | None
    state: ApprovalState


async def asked_of(store: Store, *, approval_id: str, tenant: str) -> Asked:
    """The request of that id.

    Raises:
        NotFound: No such request of this tenant.
    """
    rows = await store.rows("approval", {"approval_id": approval_id, "tenant": tenant})
    if not rows:
        raise NotFound(
            f"no approval request {approval_id!r}", code="approval.not_found", remedy="See `interlock approvals list`."
        )
    run_id = rows[0]["run_id"]
    run = (await Ledger(store).conversation(run_id, tenant)).state
    assert run.principal is not None, "a run that has calls was started"
    state = run.approvals[approval_id]
    if not state.request:
        raise NotFound(f"what request {approval_id!r} asked was erased", code="approval.erased")
    return Asked(run_id=run_id, subject=run.principal, words=run.words, state=state)


def request_document(asked: Asked) -> dict[str, Json]:
    """The same for a program: arguments as values and as the text that runs."""
    state, request = asked.state, asked.state.request
    kept: dict[str, Any] = {
        key: request[key] for key in ("tool", "effect", "arguments", "text", "groups", "quorum", "rules")
    }
    return {
        "approval_id": state.approval_id,
        "status": state.status,
        "run_id": asked.run_id,
        "call_id": state.call_id,
        **kept,
        "subject": {"id": asked.subject.id, "roles": sorted(asked.subject.roles), "kind": asked.subject.kind},
        "words": asked.words,
        "verify": request.get("verify"),
        "origins": request.get("origins"),
        "digest": request["approval"],
        "call_digest": request["digest"],
        "approved_by": list(state.approvals),
        "ended_by": state.ended_by,
        "words_of_answer": state.words,
        "editors": request.get("editors", []),
        "instead_of": request.get("instead_of"),
        "difference": request.get("difference", []),
        "requested_at": iso(request["requested_us"]),
        "expires_at": iso(request["expires_us"]),
    }
