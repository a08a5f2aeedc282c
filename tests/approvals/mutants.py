"""The gate of approvals, deliberately broken: each of these must be found, or the random life proves nothing.

A mutant takes pytest's monkeypatch and breaks one rule. It says in its docstring which.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from interlock import answers, recovery
from interlock.approvals import approve as gate
from interlock.approvals import recheck
from interlock.approvals.delegation import Lent
from interlock.approvals.people import Entitlement, Standing
from interlock.core import approval
from interlock.core.approval import ApprovalState
from interlock.core.call import ToolCall
from interlock.core.event import Fact
from interlock.ledger import record
from tests.simulate.mutants import approval_not_consumed, rejection_approves

Patch = pytest.MonkeyPatch


def any_digest_will_do(patch: Patch) -> None:
    """An answer to one request counts for another."""
    decide = answers.decide

    def bound(asked: ApprovalState, said: Any, *rest: Any) -> Fact:
        return decide(asked, replace(said, digest=asked.request["approval"]), *rest)

    patch.setattr(answers, "decide", bound)


def any_nonce_will_do(patch: Patch) -> None:
    """An answer is not bound to the asking."""
    decide = answers.decide

    def bound(asked: ApprovalState, said: Any, *rest: Any) -> Fact:
        return decide(asked, replace(said, nonce=asked.request["nonce"]), *rest)

    patch.setattr(answers, "decide", bound)


class _Never:
    """A clock on which nothing expires."""

    def wall_us(self) -> int:
        return 0

    def mono_s(self) -> float:
        return 0.0


def approved_for_ever(patch: Patch) -> None:
    """The gate does not look at the time."""
    honest = gate._asked_before

    async def timeless(verified: Any, asked: Any, approvals: Any, step: int) -> Any:
        return await honest(verified, asked, replace(approvals, clock=_Never()), step)

    patch.setattr(gate, "_asked_before", timeless)


def decided_too_late(patch: Patch) -> None:
    """People may answer after the time is up."""
    decide = answers.decide
    patch.setattr(answers, "decide", lambda asked, said, who, now_us: decide(asked, said, who, 0))


def _without(asked: ApprovalState, **changes: Any) -> ApprovalState:
    return replace(asked, request=asked.request | changes)


def own_calls_too(patch: Patch) -> None:
    """The one on whose behalf it runs may approve it."""
    decide = answers.decide
    patch.setattr(answers, "decide", lambda asked, *rest: decide(_without(asked, subject=""), *rest))


def own_edits_too(patch: Patch) -> None:
    """Whoever wrote the arguments may approve them."""
    decide = answers.decide
    patch.setattr(answers, "decide", lambda asked, *rest: decide(_without(asked, editors=[]), *rest))


def services_too(patch: Patch) -> None:
    """A program may approve."""
    standing = Entitlement.standing

    async def anybody(self: Entitlement, said: Any, now_us: int) -> Standing:
        found = await standing(self, said, now_us)
        return replace(found, person=replace(found.person, kind="user"))

    patch.setattr(Entitlement, "standing", anybody)


def one_is_a_quorum(patch: Patch) -> None:
    """The number of people is not counted."""
    complete = approval.complete
    patch.setattr(approval, "complete", lambda bodies, request: complete(bodies, {**request, "quorum": 1}))


def any_group_is_every_group(patch: Patch) -> None:
    """One group of several is enough."""
    patch.setattr(approval, "complete", lambda bodies, request: len(list(bodies)) >= request["quorum"])


def a_pair_is_two_people(patch: Patch) -> None:
    """Whoever lent a role counts beside whoever has it from them."""
    patch.setattr(Standing, "as_one_with", lambda self, groups: [])


def what_the_subject_lent_counts(patch: Patch) -> None:
    """The one on whose behalf it runs approves through somebody else."""
    roles_for = Standing.roles_for
    patch.setattr(Standing, "roles_for", lambda self, groups, excluded=(): roles_for(self, groups))


def lent_for_ever(patch: Patch) -> None:
    """A delegation does not end."""
    patch.setattr(Lent, "standing", lambda self, now_us: list(self.pairs.values()))


def who_has_left_may_still_decide(patch: Patch) -> None:
    """Nobody asks who has which roles now."""

    async def as_said(self: Entitlement, said: Any) -> Any:
        return said

    patch.setattr(Entitlement, "_now", as_said)


async def _nothing(*given: Any) -> list[Any]:
    return []


def approvers_are_not_asked_about_again(patch: Patch) -> None:
    """Whoever approved and has left the group since still counts."""
    patch.setattr(recheck, "_of_approvers", _nothing)


def a_stricter_policy_is_not_noticed(patch: Patch) -> None:
    """What policy asks for today is not compared with what was asked for."""
    patch.setattr(recheck, "_of_hold", lambda *given: [])


def another_definition_is_not_noticed(patch: Patch) -> None:
    """A tool that was published anew runs with the approval of the old one."""
    patch.setattr(recheck, "_of_call", lambda *given: [])


def withdrawals_are_ignored(patch: Patch) -> None:
    """A request that was taken back still waits."""
    end = ApprovalState.end
    patch.setattr(ApprovalState, "end", lambda self, status: None if status == "withdrawn" else end(self, status))


def edits_are_lost(patch: Patch) -> None:
    """An edited call is refused, and nothing is made in its place."""
    patch.setattr(recovery, "edited_call_id", lambda asked, run_id: "call_lost")


def edits_forget_who_wrote_them(patch: Patch) -> None:
    """The new call does not say who its editor was."""
    edited = recovery._edited

    def nobody(*given: Any) -> ToolCall:
        return replace(edited(*given), edited_by=())

    patch.setattr(recovery, "_edited", nobody)


def answered_calls_pass_the_gates(patch: Patch) -> None:
    """A call that a person answered in the tool's place runs all the same."""
    honest = record.answered
    patch.setattr(record, "answered", lambda call, asked: None if asked.status == "responded" else honest(call, asked))
    patch.setattr(gate, "answered", lambda call, asked: None if asked.status == "responded" else honest(call, asked))


MUTANTS = (
    any_digest_will_do, any_nonce_will_do, approved_for_ever, decided_too_late, own_calls_too, own_edits_too,
    services_too, one_is_a_quorum, any_group_is_every_group, a_pair_is_two_people, what_the_subject_lent_counts,
    lent_for_ever, who_has_left_may_still_decide, approvers_are_not_asked_about_again, a_stricter_policy_is_not_noticed,
    another_definition_is_not_noticed, rejection_approves, withdrawals_are_ignored, edits_are_lost,
    edits_forget_who_wrote_them, answered_calls_pass_the_gates, approval_not_consumed,
)  # fmt: skip
