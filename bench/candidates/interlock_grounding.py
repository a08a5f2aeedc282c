"""Where a call's arguments came from, with so much text in the run: one decision of `ground`, and taking the text in.

The context is what a run has read: records of a thousand characters, mostly free text, in results of twenty. A call has
seven arguments, of which a quarter each are a record's, nobody's, a part of others' text and the user's. Every tenth
result is private, so that what goes out is looked at too. `p50 ms` and `p99 ms` are CPU time of single decisions.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import process_time_ns
from typing import Any

from bench.candidate import Candidate, Opened, Setting

_RECORD = 1000
_TOGETHER = 20
_NOW_US = 1_763_700_000_000_000
SAID = (
    "Please pay the invoice of Alice Smith before next Friday, and send her a receipt of 1,250.00 euros for room 204."
)


@asynccontextmanager
async def decisions(setting: Setting) -> AsyncIterator[Opened]:
    from interlock.core.tool import CallContext, Effect, Tool
    from interlock.grounding.ground import ground
    from interlock.grounding.index import Index
    from interlock.grounding.profile import FieldRule, Profile

    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        raise AssertionError("nothing runs")

    draw = random.Random(setting.size)
    words = ["".join(draw.choices("etaoinshrdlucmf", k=draw.randint(2, 9))) for _ in range(5000)]
    results = [
        [_record(draw, words) for _ in range(_TOGETHER)] for _ in range(max(setting.size // (_RECORD * _TOGETHER), 1))
    ]
    fields = (FieldRule("id", shape="id"), FieldRule("name"), FieldRule("email", shape="email"))
    public, private = Profile(fields=fields), Profile(fields=fields, readers=("user",))
    index = Index()
    index.say(SAID)
    began = process_time_ns()
    for number, result in enumerate(results):
        index.tell(f"call-{number}", result, private if number % 10 == 0 else public, anchored=False)
    took_ms = (process_time_ns() - began) / 1e6
    roles = {"to": "target", "account": "selector", "amount": "amount", "body": "content", "date": "control",
             "subject": "content"}  # fmt: skip
    profile = Profile(roles=roles, phrases=("pay *", "send * receipt"), reviewed=True)
    schema = {"type": "object", "properties": {"currency": {"enum": ["EUR", "USD"]}}}
    tool = Tool(name="pay", input_schema=schema, effect=Effect.IRREVERSIBLE, body=body)
    calls = [_call(draw, words, draw.choice(draw.choice(results)), kind % 4) for kind in range(256)]
    times: list[int] = []

    async def batch(n: int) -> None:
        times.clear()
        for at in range(n):
            began = process_time_ns()
            found = ground(index, tool, profile, calls[at & 255], _NOW_US)
            times.append(process_time_ns() - began)
            assert len(found.arguments) == 7 and found.saw_private and found.mandated, found

    def figures() -> Mapping[str, float]:
        said = sorted(times)
        return {
            "p50 ms": said[len(said) // 2] / 1e6,
            "p99 ms": said[len(said) * 99 // 100] / 1e6,
            "taken in, ms": took_ms,
        }

    yield Opened(batch=batch, validates=False, figures=figures)


def _record(draw: random.Random, words: list[str]) -> dict[str, Any]:
    one, other = draw.choices(words, k=2)
    return {
        "id": f"rec_{draw.randrange(10**9)}",
        "name": f"{one.title()} {other.title()}",
        "email": f"{one}.{other}@example.com",
        "note": " ".join(draw.choices(words, k=_RECORD // 7)),
    }


def _call(draw: random.Random, words: list[str], record: dict[str, Any], kind: int) -> dict[str, Any]:
    return {
        "to": (record["email"], f"{draw.choice(words)}@nobody.example", record["note"][30:60], "Alice Smith")[kind],
        "account": record["id"] if kind else f"rec-{draw.randrange(10**9)}",
        "amount": 1250 if kind else draw.randrange(10**6) / 100,
        "subject": f"Receipt {' '.join(draw.choices(words, k=3))}",
        "body": " ".join(draw.choices(words, k=_RECORD // 7)),
        "date": "2025-11-28",
        "currency": "EUR",
    }


CANDIDATES = (
    Candidate(
        name="interlock, grounding",
        suite="grounding",
        what="`ground` of one call with seven arguments, in a run that has read so many bytes",
        open=decisions,
        distributions=("interlock",),
        sizes=(100_000, 1_000_000, 10_000_000),
    ),
)
