"""The screen of one result of 2 KiB in which there is nothing to find, by the default profile.

The floor is what storing the result costs anyway: its canonical form. Beside it the sixteen patterns of
`spec/performance.md`'s figure: those of secrets and instructions that gateways ship, in Python's engine.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bench.candidate import Candidate, Opened, Setting

TEXT = (
    "The quarterly report lists 14 rooms and 3 meeting places near the river; bookings close on Friday. "
    "Ms Rossi wants the two with a view, Mr Okafor any that is quiet. Prices run from 80 to 145 euros a night. "
) * 10
SIZE = 2048
RESULT = TEXT[:SIZE]

PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        r"AKIA[0-9A-Z]{16}", r"gh[pousr]_[A-Za-z0-9]{36}", r"xox[abprs]-[A-Za-z0-9-]{10,}", r"sk-[A-Za-z0-9]{20,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----", r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+", r"AIza[A-Za-z0-9_-]{35}",
        r"api[_-]?key\s*[:=]\s*\S{16,}", r"password\s*[:=]\s*\S{8,}", r"ignore (?:all )?previous instructions",
        r"you are now", r"system prompt", r"do not tell the user", r"<(?:important|system)>", r"!\[[^\]]*\]\(https?:",
        r"<script\b",
    )
)  # fmt: skip
"""Sixteen."""


def _opened(call: Callable[[], object]) -> Opened:
    async def batch(n: int) -> None:
        for _ in range(n):
            call()

    return Opened(batch=batch, validates=False)


@asynccontextmanager
async def screen(setting: Setting, *, value: object) -> AsyncIterator[Opened]:
    from interlock import Effect, Principal, Tool
    from interlock.core.call import Outcome, ToolCall
    from interlock.screening.screen import Screens, screen_value

    async def body(arguments: object, context: object) -> object:
        return None

    tool = Tool(name="t", description="", effect=Effect.READ, body=body, input_schema={"type": "object"})
    call = ToolCall(run_id="r", call_id="c", tool="t", arguments={}, principal=Principal("ana"))
    screens = Screens(matches=lambda tool, value: True)
    told = screen_value(call, tool, value, screens)
    assert isinstance(told, Outcome), "a plain result is told"
    assert (told.value, told.screened) == (value, ()), "and as it came"
    yield _opened(lambda: screen_value(call, tool, value, screens))


@asynccontextmanager
async def canonical_form(setting: Setting) -> AsyncIterator[Opened]:
    from interlock.core.canonical import canonical

    yield _opened(lambda: canonical(RESULT))


@asynccontextmanager
async def patterns(setting: Setting) -> AsyncIterator[Opened]:
    def call() -> None:
        for pattern in PATTERNS:
            pattern.search(RESULT)

    yield _opened(call)


FLOOR, ROW = "canonical form alone", "interlock, a text of 2 KiB"
RECORDS = [{"id": n, "name": f"Room {n}", "city": "Rome", "free": n % 2 == 0, "price": 12.5 * n} for n in range(32)]

CANDIDATES = (
    Candidate(
        name=FLOOR, suite="screen", what="the result's canonical form, which is what the ledger stores of it",
        open=canonical_form, distributions=("interlock",),
    ),
    Candidate(
        name="sixteen patterns", suite="screen", what="16 patterns of Python's `re`, one after the other",
        open=patterns, floor=FLOOR,
    ),
    Candidate(
        name=ROW, suite="screen", what="the whole gate: bounds, form, and every class of the default profile",
        open=lambda setting: screen(setting, value=RESULT), floor=FLOOR, distributions=("interlock",),
    ),
    Candidate(
        name="interlock, an object of 2 KiB", suite="screen", what="the same of an object with one long text",
        open=lambda setting: screen(setting, value={"title": "Report", "text": RESULT[:-32]}), floor=FLOOR,
        distributions=("interlock",),
    ),
    Candidate(
        name="interlock, 32 records of 2 KiB", suite="screen", what="the same of 32 objects with five parts each",
        open=lambda setting: screen(setting, value=RECORDS), floor=FLOOR, distributions=("interlock",),
    ),
)  # fmt: skip
