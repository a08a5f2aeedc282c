"""What a decision and a further source cost, counted in Python-level calls: exact on any machine. Goal Q15.

`make bench ARGS="--only grounding"` prints times.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from interlock.core.tool import CallContext, Effect, Tool
from interlock.grounding.ground import ground
from interlock.grounding.index import Index
from interlock.grounding.profile import FieldRule, Profile

NOW_US = 1_763_700_000_000_000
DRAW = random.Random(7)
WORDS = ["".join(DRAW.choices("etaoinshrdlucmf", k=DRAW.randint(3, 9))) for _ in range(3000)]
PEOPLE = Profile(fields=(FieldRule("email", shape="email"), FieldRule("name")), readers=("user",))
ROLES = Profile(roles={"to": "target", "id": "selector", "sum": "amount", "text": "content"}, phrases=("pay *",))
ARGUMENTS = {"to": "nobody@else.example", "id": "rec-77", "sum": 12.5, "text": "all is well " * 40}


async def _body(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("nothing runs")


PAY = Tool(name="pay", input_schema={"type": "object"}, effect=Effect.IRREVERSIBLE, body=_body)


def calls(do: Callable[[], object]) -> int:
    """Python-level calls that it takes."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(before)
    return count


def records(number: int) -> list[dict[str, str]]:
    return [
        {"name": " ".join(DRAW.choices(WORDS, k=2)), "email": f"{DRAW.choice(WORDS)}{at}@acme.example",
         "note": " ".join(DRAW.choices(WORDS, k=140))}
        for at in range(number)
    ]  # fmt: skip


def test_a_decision_takes_no_more_steps_beside_a_megabyte_than_beside_a_page() -> None:
    def decided(sources: int) -> int:
        index = Index()
        index.say("Please pay Alice Smith what I owe")
        for at in range(sources):
            index.tell(f"c{at}", records(20), PEOPLE, anchored=False)
        ground(index, PAY, ROLES, ARGUMENTS, NOW_US)
        return calls(lambda: ground(index, PAY, ROLES, ARGUMENTS, NOW_US))

    little, much = decided(1), decided(50)
    assert little < 600
    assert much < 1.5 * little


def test_a_source_costs_what_it_is_long_and_not_what_came_before() -> None:
    index = Index()
    index.say("Please pay Alice Smith what I owe")
    costs = [
        calls(lambda: index.tell(f"c{at}", records(20), PEOPLE, anchored=False))  # noqa: B023  called at once
        for at in range(40)
    ]
    assert max(costs[-5:]) < 1.5 * max(costs[:5])


def test_a_field_that_every_record_shares_costs_each_the_same() -> None:
    """Records that bear one name are kept as what they share, not as a list that each further one is compared with."""
    index = Index()
    index.say("Please pay Acme Corporation")
    shared = Profile(fields=(FieldRule("company"), FieldRule("email", shape="email")))
    costs = []
    for at in range(30):
        told = [{"company": "Acme Corporation", "email": f"m{at}-{each}@acme.example"} for each in range(100)]
        costs.append(calls(lambda told=told, at=at: index.tell(f"c{at}", told, shared, anchored=False)))  # type: ignore[misc]
    assert max(costs[-5:]) < 1.5 * max(costs[:5])
