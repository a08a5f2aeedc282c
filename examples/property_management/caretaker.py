"""The same work as an agent, for its evals: what its model says is written down, from the turns of the script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import interlock
from examples.property_management.script import ELMFIELD, FREYA, TURNS, Turn
from examples.scene import Ask, Expect
from interlock import OutcomeKind
from interlock.core.message import Message, Role
from interlock.core.tool import Offer
from interlock.models.replay import ReplayModel

INSTRUCTIONS = """\
You work for the office of a property manager. You report what is broken, arrange visits, and prepare what others
decide.
Look everything up before you name it. What waits for a person waits: say so, and do not try another way.
"""

_NIGHT = {
    "property_id": ELMFIELD,
    "category": "heating",
    "description": "No heating in the whole house since this evening, and it freezes.",
    "priority": "emergency",
}


class Talk(NamedTuple):
    """One conversation: what somebody types, the model's turns, and its answer."""

    words: str
    turns: tuple[Turn, ...]
    answer: str


TALKS = (
    Talk(
        "Eirlys Colquhoun at Elmfield Gardens has had no heating since Sunday: report it.",
        TURNS[:7],
        "The heating of Eirlys Colquhoun's flat at Elmfield Gardens is reported, as urgent.",
    ),
    Talk(
        "Give Eirlys Colquhoun 150 back for January.",
        (TURNS[12]._replace(after=None),),
        "A refund of 150.00 waits for finance.",
    ),
    Talk(
        "The whole of Elmfield Gardens has no heating tonight, and it freezes.",
        (Turn("Now, as an emergency.", (Ask("create_maintenance_request", _NIGHT, Expect(OutcomeKind.HELD)),)),),
        "It is reported as an emergency.",
    ),
    Talk(
        "Freya Sato is leaving, take her off the books.",
        (Turn("I erase her.", (Ask("delete_tenant", {"tenant_id": FREYA}, Expect(OutcomeKind.REFUSED)),)),),
        "I may not erase Freya Sato's record: somebody of yours must.",
    ),
)


class WrittenModel:
    """Says what was written for a conversation that begins with these words, by how far it has come."""

    name, output_max = "replay:property_management", ReplayModel.output_max

    async def reply(self, messages: Sequence[Message], tools: Sequence[Offer]) -> Message:
        """The next turn of the conversation."""
        words = next(message.text for message in messages if message.role is Role.USER)
        talk = next((talk for talk in TALKS if talk.words == words), None)
        turns = () if talk is None else (*map(_message, talk.turns), Message(role=Role.MODEL, text=talk.answer))
        return await ReplayModel(*turns).reply(messages, tools)


def _message(turn: Turn) -> Message:
    proposals = tuple(
        interlock.Proposal(tool=ask.tool, arguments=json.dumps(ask.arguments), id=f"call-{place}")
        for place, ask in enumerate(turn.asks)
    )
    return Message(role=Role.MODEL, text=turn.says, proposals=proposals)


CARETAKER = interlock.Agent("caretaker", WrittenModel(), INSTRUCTIONS)
"""The agent; it is offered every tool."""
