"""The question that a held call puts to people: what exactly will run, who may say yes, until when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from interlock.approvals.grants import Grants
from interlock.approvals.people import Entitlement
from interlock.core.call import ValidCall, VerifiedCall
from interlock.core.canonical import Json, canonical, digest
from interlock.core.clock import SECOND_US, Clock
from interlock.core.event import Fact, Kind
from interlock.core.ids import IdMaker
from interlock.core.provenance import Traced

_PLACES_MAX = 2
"""Places that are shown of each value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """What requesting needs.

    Attributes:
        clock: For the expiry.
        new_id: Makes approval ids.
        grants: What people have granted beforehand.
        nonce: Makes the nonce that a decision must bear, 32 hexadecimal digits.
        entitlement: Who may say yes now.
        per_minute_max: Answers that one person may give in a minute.
        pending_max: Requests of one run that may wait; where more do, the run is paused.
    """

    clock: Clock
    new_id: IdMaker
    grants: Grants
    nonce: Callable[[], str]
    entitlement: Entitlement
    per_minute_max: int = 30
    pending_max: int = 20


def request(verified: VerifiedCall, approvals: Approvals, step: int, instead_of: Mapping[str, Json]) -> Fact:
    """The `approval.requested` fact of a held call. It is the parked call: its canonical arguments are inside.

    Args:
        instead_of: The request that this one follows and what changed since then; empty for the first.
    """
    hold = verified.hold
    assert hold is not None, "only a held call asks for approval"
    valid = verified.limited.allowed.valid
    tool, call = valid.tool, valid.call
    now_us = approvals.clock.wall_us()
    body: dict[str, Json] = {
        "digest": valid.digest,
        "nonce": approvals.nonce(),
        "groups": sorted(hold.groups),
        "quorum": hold.quorum,
        "rules": list(hold.rules),
        "requested_us": now_us,
        "expires_us": now_us + hold.expires_s * SECOND_US,
        "subject": call.principal.id,
        "effect": tool.effect.value,
        "tool": {"server": tool.server, "name": tool.name, "hash": tool.digest},
        "arguments": valid.arguments,
        "text": valid.text.decode(),
        **instead_of,
    }
    if origins := shown(valid.traced):
        body["origins"] = origins
    if verified.verdict is not None:
        body["verify"] = dict(verified.verdict)
    if valid.secrets:
        body["secrets"] = _references(valid)
    if call.edited_by:
        body["editors"] = list(call.edited_by)
    body["approval"] = approval_digest(valid, body)
    approval_id = approvals.new_id("appr")
    return Fact(
        Kind.APPROVAL_REQUESTED, body, call.call_id, step, 0, call.principal.id, tool.digest, approval_id=approval_id
    )


def shown(traced: Traced) -> dict[str, Json]:
    """Where each value comes from, with what stands there, and what is not as it should be; for people to see."""
    came = traced.provenance
    found: dict[str, Json] = {}
    for each in came.arguments:
        said: dict[str, Json] = {"role": each.role, "level": each.level.word, "rung": each.rung}
        if each.flags:
            said["flags"] = list(each.flags)
        if places := [traced.quote(evidence)._asdict() for evidence in each.evidence[:_PLACES_MAX]]:
            said["found"] = places
        found[each.pointer] = said
    lacks: list[Json] = list(came.as_json().get("lacks", ()))  # type: ignore[arg-type]  # a list, as it is written
    return {"arguments": found, "lacks": lacks, "words_seen": came.words_seen} if found or lacks else {}


def approval_digest(valid: ValidCall, request_body: Mapping[str, Json]) -> str:
    """Hex digest of what an approver binds to: the call, whose it is, its effect, and the time it holds."""
    call = valid.call
    bound = {
        "call_id": call.call_id,
        "run_id": call.run_id,
        "tenant": call.principal.tenant,
        "subject": call.principal.id,
        "effect": valid.tool.effect.value,
        "secrets": _references(valid),
        "not_before": request_body["requested_us"],
        "expires": request_body["expires_us"],
    }
    return digest("interlock/approval/1", bytes.fromhex(valid.digest), canonical(bound)).hex()


def _references(valid: ValidCall) -> list[Json]:
    """The references to secrets, with where each stands."""
    return [{"argument": use.pointer, "reference": use.reference.text} for use in valid.secrets]
