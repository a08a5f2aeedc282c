"""How many calls get through where attempts fail for a moment: `python -m proof.transient` (issue 3, shown by 4).

Thirty of a hundred attempts fail transiently: the far end answers 429 with and without Retry-After or 503, or refuses
the connection, over real sockets. Keyed and read calls are made with 1 to 6 attempts each; pauses take no time. What is
measured stands beside the arithmetic of independent failures, 1 - 0.3^n. The far end dedupes nothing: an effect that
was done twice would stand there twice.

Exits 0 only where no effect doubled, every share is what the arithmetic allows, and some number of attempts reaches
99 in a hundred.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel

from interlock import (
    CallContext,
    Interlock,
    NotSent,
    Principal,
    Settings,
    Tool,
    TryLater,
    World,
    foreign_tool,
    open_plane,
)
from interlock.testing import CountedIds, FrozenClock
from interlock.testing.simulated_tools import NUMBER
from proof.far_end import HttpFarEnd, Reply

FAILING = 0.3
"""Part of the attempts that fail."""

REFUSED = 0.25
"""Part of those that find the port closed; the others are answered, a third each way."""

BUSY = (
    Reply(429, does=False, headers=(("Retry-After", "7"),)),
    Reply(429, does=False),
    Reply(503, does=False),
)
WANTED = 0.99
ATTEMPTS = range(1, 7)
ANA = Principal("ana", roles=frozenset({"support"}))
_RUN = 40
"""Calls of one run, made sixteen at a time."""

_ROLES = {"n": "control"}
"""What the number is for: it names nobody, so that where it comes from holds nothing."""


class Measured(NamedTuple):
    """What came of the calls with so many attempts.

    Attributes:
        attempts_max: The tools' option.
        calls: How many were made, half of them keyed writes, half reads.
        done: How many succeeded.
        doubled: Effects of keyed calls that the far end did more than once.
        lost: Keyed calls that are done without an effect.
        attempts: Attempts of all calls.
    """

    attempts_max: int
    calls: int
    done: int
    doubled: int
    lost: int
    attempts: int

    @property
    def share(self) -> float:
        """Part of the calls that succeeded."""
        return self.done / self.calls

    @property
    def expected(self) -> float:
        """The same by arithmetic."""
        return 1 - FAILING**self.attempts_max

    @property
    def plausible(self) -> bool:
        """Whether the two are no further apart than chance allows: four standard deviations."""
        deviation = math.sqrt(self.expected * (1 - self.expected) / self.calls)
        return abs(self.share - self.expected) <= 4 * deviation


def main() -> int:
    options = _options()
    started = time.monotonic()
    rows = []
    for attempts_max in ATTEMPTS:
        rows.append(anyio.run(measure, attempts_max, options.calls, options.seed))
        print(f"{attempts_max} of {len(ATTEMPTS)} rows", file=sys.stderr, flush=True)
    print(f"{FAILING:.0%} of attempts fail: refused, 429 with and without Retry-After, 503; seed {options.seed}")
    print(f"{'attempts_max':>12}{'calls':>8}{'succeed':>10}{'1-0.3^n':>10}{'doubled':>9}{'lost':>6}{'tries/call':>12}")
    for row in rows:
        print(
            f"{row.attempts_max:>12}{row.calls:>8}{row.share:>10.2%}{row.expected:>10.2%}{row.doubled:>9}{row.lost:>6}"
            f"{row.attempts / row.calls:>12.2f}"
        )
    enough = next((row for row in rows if row.share >= WANTED), None)
    sound = all(row.plausible and not row.doubled and not row.lost for row in rows)
    by_default = next(row for row in rows if row.attempts_max == _default())
    print(f"by default ({by_default.attempts_max} attempts) {by_default.share:.2%} succeed; ", end="")
    print(f"{WANTED:.0%} need {enough.attempts_max}" if enough else f"{WANTED:.0%} are not reached", end="; ")
    print(f"{sum(row.doubled for row in rows)} effects doubled, in {time.monotonic() - started:.0f} s")
    if options.json:
        said = [{**row._asdict(), "share": row.share, "expected": row.expected} for row in rows]
        options.json.write_text(json.dumps(said, indent=1) + "\n")
    return int(not (sound and enough))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m proof.transient",
        description="Calls that succeed where three attempts of ten fail for a moment.",
    )
    parser.add_argument("--calls", type=int, default=2000, metavar="N", help="calls for each number of attempts (2000)")
    parser.add_argument("--seed", type=int, default=3, metavar="N", help="which attempts fail (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


def _default() -> int:
    return Tool(name="x", input_schema={}, body=_never).attempts_max


async def _never(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("it only shows a default")


async def measure(attempts_max: int, calls: int, seed: int) -> Measured:
    """Make the calls, sixteen at a time, and count."""

    async def no_pause(seconds: float) -> None:
        await anyio.lowlevel.checkpoint()

    def answer(body: Any) -> Reply:
        chance = random.Random(f"{seed}/{attempts_max}/answer/{body['n']}/{body['attempt']}")
        fails = chance.random() < FAILING * (1 - REFUSED) / (1 - FAILING * REFUSED)
        return chance.choice(BUSY) if fails else Reply()

    world = World(clock=FrozenClock(), new_id=CountedIds(), pause=no_pause)
    with HttpFarEnd(answer) as far_end, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        ports = _Ports(far_end.port, closed.getsockname()[1], f"{seed}/{attempts_max}/port")
        tools = [_tool("pay", ports, attempts_max, effect="reversible", keyed=True)]
        tools.append(_tool("look", ports, attempts_max, effect="read"))
        async with open_plane(Settings(ledger=None), tools=tools, world=world, engine=False) as plane:
            kinds: Counter[tuple[str, str]] = Counter()
            for first in range(0, calls, _RUN):
                await _one_run(plane, range(first, min(first + _RUN, calls)), kinds)
    paid = Counter(body["n"] for _, body in far_end.effects if body["tool"] == "pay")
    return Measured(
        attempts_max=attempts_max,
        calls=sum(kinds.values()),
        done=sum(count for (_, kind), count in kinds.items() if kind == "done"),
        doubled=sum(times > 1 for times in paid.values()),
        lost=kinds["pay", "done"] - len(paid),
        attempts=ports.dialled,
    )


async def _one_run(plane: Interlock, numbers: range, kinds: Counter[tuple[str, str]]) -> None:
    async with plane.run(ANA) as run:

        async def one(n: int) -> None:
            name = ("pay", "look")[n % 2]
            async with slots:
                kinds[name, (await run.call(name, {"n": n})).kind] += 1

        slots = anyio.Semaphore(16)
        async with anyio.create_task_group() as tasks:
            for n in numbers:
                tasks.start_soon(one, n)


class _Ports:
    """Which port an attempt dials: the far end's, or one that refuses."""

    def __init__(self, listening: int, closed: int, seed: str) -> None:
        self._listening = listening
        self._closed = closed
        self._seed = seed
        self.dialled = 0

    def next(self, n: int, attempt: int) -> int:
        self.dialled += 1
        chance = random.Random(f"{self._seed}/{n}/{attempt}").random()
        return self._closed if chance < FAILING * REFUSED else self._listening


def _tool(name: str, ports: _Ports, attempts_max: int, **options: Any) -> Tool:
    async def body(arguments: dict[str, Any], context: CallContext) -> object:
        port = ports.next(arguments["n"], context.attempt)
        return await _post(port, {**arguments, "tool": name, "attempt": context.attempt}, context.idempotency_key)

    return foreign_tool(
        name, "far", "Does something with a number.", NUMBER, body, attempts_max=attempts_max, roles=_ROLES, **options
    )


async def _post(port: int, body: dict[str, Any], key: str) -> object:
    """One request; what it raises is what is known of it."""
    text = json.dumps(body)
    try:
        connection = await anyio.connect_tcp("127.0.0.1", port)
    except OSError as error:
        raise NotSent(str(error)) from error
    async with connection:
        await connection.send(
            f"POST / HTTP/1.0\r\nIdempotency-Key: {key}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
        )
        answer = b"".join([part async for part in connection]).decode()
    head, _, said = answer.partition("\r\n\r\n")
    status = int(head.split()[1])
    if status in (429, 503):
        asked = [line.partition(":")[2] for line in head.splitlines() if line.lower().startswith("retry-after:")]
        raise TryLater(str(status), retry_after_s=float(asked[0]) if asked else None)
    assert status == 200, status
    return json.loads(said)


if __name__ == "__main__":
    sys.exit(main())
