"""The risk matrix: what the policy in force makes of calls, by their effect and by who makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from interlock.core.tool import Effect
from interlock.wrapping.report_part import Cell, Grounds, Part, Table
from interlock.wrapping.report_tools import Entry, said
from interlock.wrapping.standing import Standing


def risk_part(grounds: Grounds, found: Sequence[Entry], standings: Sequence[Standing]) -> Part:
    """The matrix, and below it every tool by itself."""
    says = (
        "What the rules in force say of calls before anything is known of them. A rule on which it «depends» reads "
        "arguments, origins, time, the run so far or the thing that is acted on. Grants, limits, stops are not in it."
    )
    if not grounds.binding:
        says += " Decisions do not bind now: nothing is held or denied."
    known = [each for each in found if each.outlooks]
    return Part("risk", "Risk matrix", says, (_matrix(known, standings), _each(known, standings), _who(standings)))


def _matrix(found: Sequence[Entry], standings: Sequence[Standing]) -> Table:
    kinds = [(effect.value, effect, False) for effect in Effect]
    kinds.insert(1, ("read, outward", Effect.READ, True))
    rows: list[tuple[Cell, ...]] = []
    for name, effect, outward in kinds:
        some = [each for each in found if each.tool.effect is effect and _reads_out(each) is outward]
        cells = [_told(Counter(said(each.outlooks[place]) for each in some)) for place in range(len(standings))]
        rows.append((name, len(some), *cells))
    columns = ("effect", "tools", *(f"as {standing.name}" for standing in standings))
    return Table("matrix", "Effect by who calls", columns, tuple(rows))


def _reads_out(entry: Entry) -> bool:
    return entry.tool.outward and entry.tool.effect is Effect.READ


def _told(counts: Counter[str]) -> str:
    if len(counts) < 2:
        return next(iter(counts), "")
    return "; ".join(f"{counts[text]} {text}" for text in sorted(counts))


def _each(found: Sequence[Entry], standings: Sequence[Standing]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.tool.name, each.tool.version, each.tool.effect.value,
         *(said(outlook) for outlook in each.outlooks))
        for each in found
    ]  # fmt: skip
    columns = ("tool", "version", "effect", *(f"as {standing.name}" for standing in standings))
    return Table("tools", "Tool by who calls", columns, tuple(rows), empty="No tools.")


def _who(standings: Sequence[Standing]) -> Table:
    rows: list[tuple[Cell, ...]] = [(each.name, each.people) for each in standings]
    says = "The policy is asked with one sample of each. 0 keys: rules, scopes of tokens or the door name them."
    return Table("standings", "Who calls", ("who", "keys"), tuple(rows), says)
