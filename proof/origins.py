"""What it costs to know where values come from, on the whole path: `python -m proof.origins`.

Three tools, in memory: a plain read, a write without roles (for both nothing is worked out), and a write whose
arguments have roles, in a run whose user named every value. The last is made with nothing before it and with 1,000
reads before it. Printed is the process's CPU time of a call, the median of 7 series of 200. Exits 0 only where 1,000
earlier calls make it at most 1.2 times what it is with none (goal P2), and where none of the calls was held.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

import anyio

from interlock import CallContext, Interlock, Principal, Settings, Tool, foreign_tool, open_plane

RATIO_MAX = 1.2
"""How much more a judged call may cost after 1,000 earlier ones (spec: P2)."""

EARLIER = 1000
_SERIES, _CALLS, _WARM = 7, 200, 30
_WHO = Principal("ana", roles=frozenset({"support"}))
_TO = "anna.lee@acme.com"
_SCHEMA = {
    "type": "object", "properties": {"n": {"type": "integer"}, "to": {"type": "string"}}, "required": ["n"],
    "additionalProperties": False,
}  # fmt: skip


async def _body(arguments: dict[str, Any], context: CallContext) -> object:
    return {"n": arguments["n"], "text": "some words of a result, not long"}


def _tools() -> list[Tool]:
    def made(name: str, effect: str, **options: Any) -> Tool:
        return foreign_tool(name, "local", f"Does {name}.", _SCHEMA, _body, effect=effect, **options)

    pay = made("pay", "reversible", roles={"to": "target", "n": "amount"})
    return [made("get", "read"), made("put", "reversible"), pay]


async def cost(plane: Interlock, tool: str, earlier: int) -> tuple[float, int]:
    """Microseconds of CPU of one call, the median of the series, and how many were not done."""
    found, other = list[float](), 0
    values = range(1000, 1000 + _WARM + _CALLS)
    words = f"pay {_TO} " + ", ".join(f"n {value}" for value in values)
    for _ in range(_SERIES):
        async with plane.run(_WHO, words=words) as run:
            for number in range(earlier):
                await run.call("get", {"n": number})
            for value in values[:_WARM]:
                await run.call(tool, {"n": value, "to": _TO})
            began = time.process_time()
            for value in values[_WARM:]:
                other += not (await run.call(tool, {"n": value, "to": _TO})).done
            found.append((time.process_time() - began) / _CALLS * 1e6)
    return statistics.median(found), other


async def _measured() -> int:
    settings = Settings(ledger=None, limits={"calls_max": 100_000})  # type: ignore[arg-type]  # pydantic reads it
    async with open_plane(settings, tools=_tools(), engine=False) as plane:
        rows = [(name, earlier, *(await cost(plane, name, earlier))) for name, earlier in _ROWS]
    print(f"{'tool':<28} {'earlier calls':>13} {'CPU, us':>8} {'not done':>8}")
    for name, earlier, us, other in rows:
        print(f"{_SAID[name]:<28} {earlier:>13} {us:>8.0f} {other:>8}")
    ratio = rows[-1][2] / rows[-2][2]
    print(f"\nafter {EARLIER} calls: {ratio:.2f} times (at most {RATIO_MAX})")
    return 0 if ratio <= RATIO_MAX and not any(row[3] for row in rows) else 1


_ROWS = (("get", 0), ("put", 0), ("pay", 0), ("pay", EARLIER))
_SAID = {"get": "a plain read", "put": "a write without roles", "pay": "a write that is judged"}


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether the goal holds."""
    argparse.ArgumentParser(prog="python -m proof.origins", description=__doc__).parse_args(words)
    return anyio.run(_measured)


if __name__ == "__main__":
    sys.exit(main())
