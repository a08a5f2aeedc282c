"""The gate `verify`: where policy asks for it, somebody else reads the call cold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from interlock.core.call import LimitedCall, Stop, VerifiedCall, refuse
from interlock.core.canonical import Json
from interlock.core.decision import Mode
from interlock.core.run import RunState


class Verifier(Protocol):
    """Reads one call and answers with a structured verdict."""

    async def __call__(self, limited: LimitedCall, run: RunState) -> Mapping[str, Json]:
        """A verdict with the key `verdict`: exactly `approved`, `rejected` or `uncertain`."""
        ...


async def verify(limited: LimitedCall, verifier: Verifier | None, run: RunState) -> VerifiedCall | Stop:
    """Pass a call that policy wants verified only on the exact verdict `approved`; others pass untouched.

    In `evaluate_only` nobody is asked: a verdict that does not bind is not worth its cost.
    """
    decision = limited.allowed.decision
    if not decision.verify or decision.mode is Mode.EVALUATE_ONLY:
        return VerifiedCall(limited, None, decision.binding_hold)
    call = limited.allowed.valid.call
    if verifier is None:
        return refuse(
            call, "verify.no_verifier", "this call needs a second opinion and none can be had here",
            next_step="Tell the user that an operator must configure a verifier.",
            audit={"remedy": "Configure a verifier, or drop @verify from the rules that ask for it."},
        )  # fmt: skip
    verdict = await verifier(limited, run)
    if verdict.get("verdict") != "approved":
        return refuse(
            call, "verify.not_approved", "a second reading of this call did not approve it",
            next_step="Check the arguments against the user's words.", audit={"verdict": dict(verdict)},
        )  # fmt: skip
    return VerifiedCall(limited, verdict, decision.binding_hold)
