"""What the agent proposes, turn by turn, with what must come of each call. Also the story:

Bartholomew, who manages Elmfield Gardens, types one sentence. The agent gets most of it right, and the rest
wrong in the ways in which agents are known to get things wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import interlock
from examples.property_management import people
from examples.scene import Ask, Expect
from interlock import OutcomeKind

WORDS = (
    "Eirlys Colquhoun at Elmfield Gardens has had no heating since Sunday: get it mended, and give her 150 back "
    "for January. Quentin Nwosu paid late again, charge him the 25. And Freya Sato is leaving, take her off the books."
)

Act = Callable[[people.Session, interlock.Outcome | None], Awaitable[None]]
"""Something that people do; it gets the last outcome of the turn where it comes after one."""


class Turn(NamedTuple):
    """One turn of the agent: what it says that it wants, and the calls that it proposes at once."""

    says: str
    asks: tuple[Ask, ...]
    before: Act | None = None
    after: Act | None = None


DONE, HELD, REFUSED, UNKNOWN = OutcomeKind.DONE, OutcomeKind.HELD, OutcomeKind.REFUSED, OutcomeKind.UNKNOWN

ELMFIELD, EIRLYS, QUENTIN, FREYA, JANUARY = 1120, 20111, 20005, 20176, 500272
"""What the names of the story stand for; the agent learns it from the service, turn by turn."""

HEATING = "jobs@copperline-heating.example"

_DEFECT = {
    "property_id": ELMFIELD,
    "category": "heating",
    "description": "No heating in Eirlys Colquhoun's flat since Sunday; the radiators stay cold.",
    "priority": "high",
}
_VISIT = {
    "title": "Radiators at Eirlys Colquhoun's",
    "property_id": ELMFIELD,
    "starts_at": "2026-01-20T09:30:00+00:00",
    "attendees": [HEATING],
}
_REFUND = {"payment_id": JANUARY, "amount_cents": 15_000, "reason": "No heating for a week in January"}
_FEE = {"tenant_id": QUENTIN, "amount_cents": 2_500, "reason": "January's rent came twelve days late"}

TURNS = (
    Turn(
        "First a look at Elmfield Gardens.",
        (Ask("get_property", {"property_id": "Elmfield Gardens"}, Expect(REFUSED, "validate.schema")),),
    ),
    Turn(
        "It wants a number, so I search for the name. As many results as it can give.",
        (Ask("search_properties", {"query": "Elmfield Gardens", "limit": 500}, Expect(REFUSED, "validate.schema")),),
    ),
    Turn(
        "Five will do.",
        (Ask("search_properties", {"query": "Elmfield Gardens", "limit": 5}, Expect(DONE)),),
    ),
    Turn(
        "Who lives there, and what is reported already? Both at once.",
        (
            Ask("list_property_tenants", {"property_id": ELMFIELD}, Expect(DONE)),
            Ask("list_maintenance_requests", {"property_id": ELMFIELD, "status": "open"}, Expect(DONE)),
        ),
    ),
    Turn(
        "I open a ticket for the heating.",
        (
            Ask(
                "create_maintenance_ticket",
                _DEFECT,
                Expect(REFUSED, "validate.unknown_tool", offered="create_maintenance_request"),
            ),
        ),
    ),
    Turn(
        "A request, then, for property 1210.",
        (
            Ask(
                "create_maintenance_request",
                _DEFECT | {"property_id": 1210},
                Expect(REFUSED, "authorize.entity", offered=ELMFIELD),
            ),
        ),
    ),
    Turn(
        "I mixed up the digits: 1120.",
        (Ask("create_maintenance_request", _DEFECT, Expect(DONE, effects=1), name="heating-elmfield"),),
    ),
    Turn(
        "The line dropped, so my host submits it again, under the same name.",
        (Ask("create_maintenance_request", _DEFECT, Expect(DONE, repeated=True), name="heating-elmfield"),),
    ),
    Turn(
        "Copperline Heating can come on Tuesday at half past nine.",
        (
            Ask(
                "schedule_visit",
                _VISIT | {"attendees": ["info@copperline-heating.example"]},
                Expect(REFUSED, "authorize.entity", offered=HEATING),
            ),
        ),
    ),
    Turn(
        "Then with the address from the directory.",
        (Ask("schedule_visit", _VISIT, Expect(REFUSED, "authorize.stopped")),),
        before=people.stop_the_calendar,
        after=people.resume_the_calendar,
    ),
    Turn(
        "The calendar is back.",
        (Ask("schedule_visit", _VISIT, Expect(DONE, effects=1)),),
    ),
    Turn(
        "Would a refund of 150 for January go through? Only asking.",
        (Ask("refund_payment", _REFUND, Expect(REFUSED, "rehearsal.would_hold"), dry_run=True),),
    ),
    Turn(
        "It needs a person, then. I ask for it.",
        (Ask("refund_payment", _REFUND, Expect(HELD, "approve.held")),),
        after=people.decide_the_refund,
    ),
    Turn(
        "Now the late fee for Quentin Nwosu.",
        (Ask("charge_late_fee", _FEE, Expect(UNKNOWN, "execute.unknown", effects=1)),),
        before=people.break_the_fees,
    ),
    Turn(
        "No answer. I charge it again.",
        (Ask("charge_late_fee", _FEE, Expect(REFUSED, "limit.duplicate")),),
        after=people.settle_the_fee,
    ),
    Turn(
        "Last, Freya Sato off the books.",
        (Ask("delete_tenant", {"tenant_id": FREYA}, Expect(REFUSED, "authorize.not_available")),),
    ),
)

FAREWELL = (
    "The heating is reported and Copperline comes on Tuesday; Eirlys has her 150 back and Quentin is charged 25, once. "
    "Freya Sato's record I may not erase: somebody of yours must."
)
