"""The third act: what people approve again and again is granted within bounds, and what runs away is stopped."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread

import interlock
from examples.deployment import FINANCE, key_file
from examples.property_management.deployment import AGENT
from examples.runtime import INTERLOCK
from examples.scene import Expect, Scene
from interlock import OutcomeKind
from interlock.settings import FILE

WORDS = (
    "Jamila Colquhoun, Kaito Pellegrin and Marisol Eklund had no heating either: 60 back for each. And has Chidi "
    "Kowalczyk paid yet?"
)

REFUND = "refund_payment"
MOST = 6_000
WIDENED = {"/payment_id": {"any": True}, "/amount_cents": {"at_most": MOST}, "/reason": {"any": True}}
"""What somebody of finance makes of the proposal: any payment, and no more than 60."""

USES = 5
LASTS_S = int(timedelta(days=7).total_seconds())
PAYMENTS = (500275, 500277, 500278)
JANUARY_OF_CHIDI = 500259
VAIN = 3
"""Equal reads in a row that may be answered the same."""

_SUGGEST_S = 60.0


async def stand_and_stop(scene: Scene, folder: Path) -> None:
    """A grant is proposed from what was approved; calls pass by it until a budget is used up; a loop is ended."""
    scene.teller.says(FINANCE.id, "has approved three refunds by now, and asks what to approve once and for all.")
    proposal = await anyio.to_thread.run_sync(_suggested, folder)
    await _granted(scene, proposal)
    scene.teller.says("bartholomew", WORDS)
    async with scene.plane.run(AGENT, words=WORDS) as run:
        scene.teller.says(AGENT.id, "Three refunds, one after the other. Nobody is asked: there is a grant.")
        for payment, expect in zip(PAYMENTS, _REFUNDS, strict=True):
            arguments = {"payment_id": payment, "amount_cents": 6_000, "reason": "No heating for two days"}
            outcome = await run.call(REFUND, arguments)
            await scene.call_ended(outcome, expect, len(await scene.new_effects()))
        scene.teller.says(AGENT.id, "Then Chidi's payment. And again, and again: maybe it changes.")
        for expect in _LOOKS:
            outcome = await run.call("get_payment", {"payment_id": JANUARY_OF_CHIDI})
            await scene.call_ended(outcome, expect, len(await scene.new_effects()))


_REFUNDS = (
    *[Expect(OutcomeKind.DONE, effects=1)] * 2,
    Expect(OutcomeKind.REFUSED, "limit.budget"),
)
"""There are 400 for refunds: 270 of them were used in the acts before."""

_LOOKS = (*[Expect(OutcomeKind.DONE)] * VAIN, Expect(OutcomeKind.REFUSED, "limit.loop"))


async def _granted(scene: Scene, proposal: dict[str, Any]) -> None:
    """The proposal covers what was approved and nothing else; a person decides what it shall be."""
    covers = len(proposal.get("covers", ()))
    told = "proposed" if proposal.get("tool", {}).get("name") == REFUND else "nothing"
    why = f"covers the {covers} refunds that were approved, and nothing else"
    await scene.person_did("a grant is proposed", f"{told} {covers}", "proposed 3", why=why)
    terms = interlock.GrantTerms(
        tool=REFUND, where=WIDENED, uses=USES, lasts_s=LASTS_S, reason="the boiler of January", subject=AGENT.id
    )
    scene.teller.says(FINANCE.id, f"widens it to any payment, narrows it to 60, {USES} times, for a week. Issues it.")
    grant = await scene.plane.issue_grant(terms, FINANCE)
    why = f"up to {MOST / 100:.0f}, {grant.uses} times, for {AGENT.id}"
    await scene.person_did(f"{FINANCE.id} issues a grant", "granted", "granted", why=why)


def _suggested(folder: Path) -> dict[str, Any]:
    """What the command proposes to somebody of finance first; nothing where it proposes nothing."""
    done = subprocess.run(
        [str(INTERLOCK), "approvals", "suggest-grants", "--json", "--settings", str(folder / FILE)],
        env=os.environ | {"INTERLOCK_KEY": key_file(folder, FINANCE).read_text(encoding="utf-8").strip()},
        capture_output=True, text=True, timeout=_SUGGEST_S, check=False,
    )  # fmt: skip
    found: list[dict[str, Any]] = json.loads(done.stdout).get("suggestions", []) if done.stdout.startswith("{") else []
    return found[0] if found else {}
