"""Reserving and settling for what is no tool call: a model that verifies or answers costs tokens and money too.

    charges = limits.charges(principal, run, {"tokens": 4000, "micro_usd": 12_000}, now_us)
    await reserve(conversation, f"{call_id}/verify", charges)          # before anything is sent
    …
    await settle(conversation, f"{call_id}/verify", {"tokens": 812})   # shielded: whatever became of it

Tool calls do not come here: their reservation is a part of their intent, and their end settles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlock.core.charge import Charge, written
from interlock.core.event import Fact, GuardChange, Kind
from interlock.errors import DuplicateFact
from interlock.ledger.conversation import Conversation


async def reserve(
    conversation: Conversation, ref: str, charges: Sequence[Charge], rates: tuple[GuardChange, ...] = ()
) -> None:  # fmt: skip
    """Take what something may cost at worst from every budget that it touches, or from none: durable on return.

    Nothing is written where nothing is charged.

    Args:
        ref: Its name within the run, given once and never a call's id.
        charges: See `Limits.charges`.
        rates: The rows of rates that it counts in; they do not come back.

    Raises:
        GuardRefused: A budget has not that much left, or a rate is in full use; nothing was written and nothing may be
            sent.
        LedgerError: Nothing was written and nothing may be sent.
    """
    assert ref and ref not in conversation.state.calls, "what is no call has a name of its own"
    if charges or rates:
        fact = Fact(Kind.BUDGET_RESERVED, {"reserved": written(charges)}, ref)
        await conversation.append([fact], (*rates, *(charge.guard for charge in charges)))


async def settle(conversation: Conversation, ref: str, actual: Mapping[str, int]) -> None:
    """Give back what was not spent, and charge what was spent beyond: once, however often it is asked.

    What is not settled within `core.run.SETTLED_WITHIN_S` counts as lost with its worker: a recovery charges all that
    was reserved, and then this says nothing any more.

    Args:
        actual: What it cost, by unit, 0 or more; a unit that is not named cost what was reserved.

    Raises:
        LedgerError: It is not settled; a recovery will charge it in full.
    """
    if (fact := settled(conversation, ref, actual)) is not None:
        try:
            await conversation.append_outside([fact])  # a fact, whoever has the run's claim by now
        except DuplicateFact:
            await conversation.read_tail()


def settled(conversation: Conversation, ref: str, actual: Mapping[str, int], why: str = "") -> Fact | None:
    """The fact that settles a reservation; None where it is not open.

    Args:
        why: Why somebody else than who reserved it says so.
    """
    found = conversation.state.reservations.get(ref)
    if found is None:
        return None
    body = {"reserved": [list(each) for each in found[1]], "spent": dict(actual)}
    return Fact(Kind.BUDGET_SETTLED, body | {"why": why} if why else body, ref, outcome="done")
