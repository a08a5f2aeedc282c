"""The gate `verify`: where policy asks for it, somebody else reads the call cold. It only ever adds doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from interlock.core.call import LimitedCall, Stop, VerifiedCall, refuse
from interlock.core.canonical import Json
from interlock.core.decision import REVIEW, Hold, Mode
from interlock.core.run import RunState
from interlock.core.tool import Effect
from interlock.ledger.record import Entry
from interlock.models.metered import Meter
from interlock.verification.correction import corrections
from interlock.verification.question import Earlier, Question, Verifier, earlier_calls
from interlock.verification.unsure import unsure
from interlock.verification.verdict import Verdict, Word, verdict_from_json

REVIEW_S = {Effect.PRIVILEGED: 900}
REVIEW_USUAL_S = 86_400
"""Seconds that a review by people stays open: the usual times of a hold."""

_CONCERNS_TOLD = 5
_CONCERN_TOLD = 200
"""Concerns that a model is told, and characters of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Who verifies, and what becomes of a doubt. Nothing here turns a doubt into a yes.

    Attributes:
        verifier: Who is asked; None where nobody can be, and then what must be verified is refused.
        thresholds: Effect to the confidence, 0 to 100, below which an approval counts as a doubt. A verifier that
            does not say how sure it is is below every threshold.
        review: Approver group that a doubt goes to; empty where a doubt is refused.
    """

    verifier: Verifier | None = None
    thresholds: Mapping[str, int] = field(default_factory=dict)
    review: str = ""


async def verify(limited: LimitedCall, verification: Verification, entry: Entry, meter: Meter) -> VerifiedCall | Stop:
    """Pass a call that policy wants verified if its verifier approves; others pass untouched.

    Rejected is refused. Any doubt is refused too, or joins what holds the call, where people review doubts. In
    `evaluate_only` nobody is asked, because a verdict that does not bind is not worth its cost; nor in a rehearsal.
    A call that was verified under the same policy, and waited or was taken up from a lost worker since, is not
    asked about again.

    Args:
        meter: Where what the reading costs is reserved and settled.
    """
    decision = limited.allowed.decision
    hold = decision.binding_hold
    if decision.mode is Mode.ENFORCE and (review := unsure(limited.allowed.valid, entry.run, _review_s(limited))):
        hold = review if hold is None else hold.join(review)
    if not decision.verify or decision.mode is Mode.EVALUATE_ONLY:
        return VerifiedCall(limited, None, hold)
    call = limited.allowed.valid.call
    verifier = verification.verifier
    if verifier is None:
        return refuse(
            call, "verify.no_verifier", "this call needs a second opinion and none can be had here",
            next_step="Tell the user that an operator must configure a verifier.",
            audit={"remedy": "Configure a verifier under [verify], or drop @verify from the rules that ask for it."},
        )  # fmt: skip
    if call.dry_run:
        then = "wait for a person's approval" if hold else "run"
        return refuse(
            call, "rehearsal.would_verify", f"dry run: a second reader would be asked; if it agreed, this would {then}"
        )
    verdict = _said_before(limited, verifier, entry.run)
    if verdict is None:
        verdict = await verifier(_question(limited, entry, meter))
    if verdict.digest != limited.allowed.valid.digest:
        verdict = replace(verdict, verdict=Word.UNCERTAIN, confidence=None, why="it is about another call")
    return _judged(limited, verdict, verification, hold)


def _said_before(limited: LimitedCall, verifier: Verifier, run: RunState) -> Verdict | None:
    """What the same verifier said of exactly this call under this policy, when the call came by before."""
    valid, decision = limited.allowed.valid, limited.allowed.decision
    known = run.calls.get(valid.call.call_id)
    said = known.verdict if known is not None else None
    if said is None or said.get("policy") != decision.policy_digest:
        return None
    same = said["digest"] == valid.digest and said["verifier"] == verifier.identity
    return verdict_from_json(said) if same else None


def _question(limited: LimitedCall, entry: Entry, meter: Meter) -> Question:
    valid = limited.allowed.valid
    tool, call = valid.tool, valid.call
    return Question(
        tool=tool.name, server=tool.server, description=tool.description, tool_hash=tool.digest,
        effect=tool.effect.value, arguments=valid.arguments, text=valid.text, digest=valid.digest,
        words=entry.run.words, tenant=call.principal.tenant, principal=call.principal.id,
        policy=limited.allowed.decision.policy_digest, earlier=partial(_earlier, entry), meter=meter,
    )  # fmt: skip


async def _earlier(entry: Entry) -> tuple[Earlier, ...]:
    return earlier_calls(await entry.events(), entry.call.call_id)


def _judged(
    limited: LimitedCall, verdict: Verdict, verification: Verification, hold: Hold | None
) -> VerifiedCall | Stop:  # fmt: skip
    """What a verdict means: pass, people, or the end."""
    if verdict.verdict is Word.REJECTED:
        return _rejected(limited, verdict)
    effect = limited.allowed.valid.tool.effect
    doubt = _doubt(verdict, verification.thresholds.get(effect))
    if not doubt:
        return VerifiedCall(limited, verdict.as_json(), hold)
    said: dict[str, Json] = {**verdict.as_json(), "doubt": doubt}
    if not verification.review:
        return refuse(
            limited.allowed.valid.call, "verify.not_approved", "a second reading of this call did not approve it",
            next_step="Check the arguments against the user's words.", audit={"verdict": said},
        )  # fmt: skip
    review = Hold(
        groups=frozenset({verification.review}),
        expires_s=_review_s(limited),
        rules=(REVIEW,),
        in_person=True,
    )
    return VerifiedCall(limited, said, review if hold is None else hold.join(review))


def _review_s(limited: LimitedCall) -> int:
    return REVIEW_S.get(limited.allowed.valid.tool.effect, REVIEW_USUAL_S)


def _doubt(verdict: Verdict, threshold: int | None) -> str:
    """Why an answer that is no rejection is not enough; empty where it is."""
    if verdict.verdict is not Word.APPROVED:
        return "uncertain"
    if threshold is None:
        return ""
    if verdict.confidence is None:
        return f"it does not say how sure it is; {threshold} are asked for"
    return f"confidence {verdict.confidence} of {threshold}" if verdict.confidence < threshold else ""


def _rejected(limited: LimitedCall, verdict: Verdict) -> Stop:
    """The refusal, with what the reader had against the call, so that the model can do better."""
    valid = limited.allowed.valid
    concerns = "; ".join(map(_plain, verdict.concerns[:_CONCERNS_TOLD])) or "it gave no reason"
    return refuse(
        valid.call, "verify.rejected", f"a second reader rejected this call: {concerns}",
        next_step="Check it against the user's words; propose another call, or ask the user.",
        problems=corrections(valid.arguments, verdict.correction) if verdict.correction is not None else (),
        audit={"verdict": verdict.as_json()},
    )  # fmt: skip


def _plain(text: str) -> str:
    """One line of a reader's words, cut, and with what does not show itself as an escape."""
    cut = text if len(text) <= _CONCERN_TOLD else text[: _CONCERN_TOLD - 1] + "…"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut)
