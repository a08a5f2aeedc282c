"""What Interlock aims at: ratios between rows of one run, and a few figures of a row alone.

An aim whose rows were not measured is shown as not measured, never as met.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from bench.candidate import Row
from bench.ratios import more, ratio
from bench.runner import Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One row takes at most so many times what another one takes, or at most so much.

    Attributes:
        name: Where the aim stands.
        suite: Where both rows stand.
        row, of: Measured row and what it is compared with; None where the aim is about the row alone.
        at_most: Largest ratio, or largest number of `unit`.
        cpu: Compare CPU time, which other programs disturb least; else wall time.
        unit: Of an aim about a row alone: `Python-level calls`, `µs`, `ms`, `s` (all wall time), `CPU µs` or `bytes a
            step`; of two rows, `µs` for what the one takes more than the other instead of the ratio, or `bytes` for the
            ratio of what they store.
        figure: What is compared instead of the time, by its name among the suite's columns; its unit is its last word.
    """

    name: str
    suite: str
    row: Row
    of: Row | None
    at_most: float
    cpu: bool
    unit: str = ""
    figure: str = ""

    def sentence(self) -> str:
        """The aim in words."""
        if self.figure:
            what, _, unit = self.figure.rpartition(" ")
            more = "" if self.of is None else f" more than {_said(self.of)}"
            return f"{_said(self.row)}: at most {self.at_most:g} {unit}{more} ({what or 'memory'})"
        if self.of is None:
            return f"{_said(self.row)}: at most {self.at_most:,g} {self.unit}"
        measure = "CPU" if self.cpu else "time"
        if self.unit == "bytes":
            return f"{_said(self.row)}: at most {self.at_most:g} × the bytes of {_said(self.of)}"
        if self.unit:
            return f"{_said(self.row)}: at most {self.at_most:g} {self.unit} more than {_said(self.of)} ({measure})"
        return f"{_said(self.row)}: at most {self.at_most:g} × {_said(self.of)} ({measure})"

    def measured(self, results: Mapping[Row, Series]) -> float | None:
        """The ratio or number that was measured; None where a row is missing."""
        row = results.get(self.row)
        if row is None or not row.measured:
            return None
        of = None if self.of is None else results.get(self.of)
        if self.of is not None and (of is None or not of.measured):
            return None
        if self.figure:
            return median(row.figures[self.figure]) if of is None else more(row, of, self.figure)
        if of is None:
            match self.unit:
                case "Python-level calls":
                    return row.calls
                case "bytes a step":
                    return row.bytes_each
                case "CPU µs":
                    return median(row.cpu_us)
                case unit:
                    return median(row.wall_us) / {"µs": 1, "ms": 1e3, "s": 1e6}[unit]
        if self.unit == "bytes":
            return row.bytes_each / of.bytes_each if row.bytes_each and of.bytes_each else None
        return _more_us(row, of, self.cpu) if self.unit else ratio(row, of, self.cpu)


def _alone(name: str, suite: str, row: Row, at_most: float, unit: str) -> Aim:
    return Aim(name=name, suite=suite, row=row, of=None, at_most=at_most, cpu=False, unit=unit)


def _figure(name: str, suite: str, row: Row, of: Row | None, at_most: float, figure: str) -> Aim:
    return Aim(name=name, suite=suite, row=row, of=of, at_most=at_most, cpu=False, figure=figure)


def _cpu(name: str, suite: str, row: Row, of: Row, at_most: float) -> Aim:
    return Aim(name=name, suite=suite, row=row, of=of, at_most=at_most, cpu=True)


def _wall(name: str, suite: str, row: Row, of: Row, at_most: float) -> Aim:
    return Aim(name=name, suite=suite, row=row, of=of, at_most=at_most, cpu=False)


def _bytes(name: str, suite: str, row: Row, of: Row, at_most: float) -> Aim:
    return Aim(name=name, suite=suite, row=row, of=of, at_most=at_most, cpu=False, unit="bytes")


READ, MISSED, WRITE = "interlock, read", "interlock, read, memo missed", "interlock, write"
LIMITED = f"{WRITE}, two rates and two budgets"
READS, TURNS = "interlock, reads", "interlock, turns"
THREAD, DELTA = "langgraph, turns", "langgraph, delta channel, turns"
AGENT, BY_HAND = "interlock, agent", "loop by hand"
SERVE, SERVE_ON_DISK, SERVER = "interlock serve", "interlock serve, on disk", "server alone"
PROXY = "mcp sdk, proxy"
GROUNDED = "interlock, grounding"
TOOLS, EVENTS = "interlock, ten of the tools", "interlock, events"

AIMS: tuple[Aim, ...] = (
    _cpu("P1", "call", Row(READ, 1), Row("pydantic", 1), 15),
    _alone("P1", "call", Row(READ, 1), 80, "Python-level calls"),
    _cpu("peers", "call", Row(MISSED, 1), Row("langgraph, tool node", 1), 0.75),
    _cpu("peers", "call", Row(MISSED, 1), Row("fastmcp, in memory", 1), 0.25),
    Aim(name="limits", suite="limits", row=Row(LIMITED, 1), of=Row(WRITE, 1), at_most=30, cpu=True, unit="µs"),
    _alone("P3", "screen", Row("interlock, a text of 2 KiB", 1), 10, "CPU µs"),
    _wall("P4", "durable", Row(READ, 1), Row("one record", 1), 1.3),
    _wall("P4", "durable", Row(WRITE, 1), Row("two records", 1), 1.3),
    # at least 0.4 × the floor's calls per second
    _wall("P4", "durable", Row(READ, 64), Row("one record", 64), 1 / 0.4),
    _wall("P4", "durable", Row(WRITE, 64), Row("two records", 64), 1 / 0.4),
    # at least ten times the peers' steps per second
    _wall("peers", "durable", Row(WRITE, 64), Row("dbos step", 64), 0.1),
    _wall("peers", "durable", Row(WRITE, 64), Row("langgraph turn", 64), 0.1),
    _cpu("scale", "scale", Row(TOOLS, 10_000), Row(TOOLS, 10), 1.2),
    _cpu("scale", "scale", Row(EVENTS, 1_000_000), Row(EVENTS, 0), 1.2),
    _figure("grounding", "grounding", Row(GROUNDED, 100_000), None, 0.5, "p99 ms"),
    _figure("grounding", "grounding", Row(GROUNDED, 1_000_000), None, 5, "p99 ms"),
    _cpu("P5", "resume", Row(READS, 1000), Row("one record a step", 1000), 4),
    _alone("P5", "resume", Row(READS, 1000), 10, "ms"),
    _alone("P5", "resume", Row(READS, 1000), 1200, "bytes a step"),
    _cpu("peers", "resume", Row(TURNS, 1000), Row(THREAD, 1000), 1),
    _cpu("peers", "resume", Row(TURNS, 1000), Row(DELTA, 1000), 1),
    _bytes("peers", "resume", Row(TURNS, 1000), Row(THREAD, 1000), 1 / 50),
    _bytes("peers", "resume", Row(TURNS, 1000), Row(DELTA, 1000), 1),
    _alone("recovery", "recover", Row("interlock, open runs", 1000), 30, "s"),
    _alone("recovery", "recover", Row("interlock, ledger opened", 1_000_000), 5, "s"),
    _cpu("P6", "agent", Row(AGENT, 10), Row(BY_HAND, 10), 5),
    _cpu("P6", "agent", Row(AGENT, 100), Row(BY_HAND, 100), 5),
    _cpu("P6", "agent", Row(AGENT, 100), Row(AGENT, 10), 1.2),
    _cpu("peers", "agent", Row(AGENT, 10), Row("pydantic-ai, agent", 10), 1),
    _cpu("peers", "agent", Row(AGENT, 10), Row("openai-agents, agent", 10), 1),
    _cpu("peers", "agent", Row(AGENT, 10), Row("langgraph, agent", 10), 1),
    _cpu("peers", "agent", Row(AGENT, 10), Row("agent-framework, agent", 10), 1),
    _cpu("peers", "agent", Row(AGENT, 100), Row("agent-framework, agent", 100), 1),
    _alone("P6", "parallel", Row(AGENT, 10), 51.5, "ms"),
    _wall("graph", "graph", Row("interlock, graph", 1), Row("reads by hand", 1), 1.1),
    _wall("graph", "graph", Row("interlock, graph on disk", 1), Row("reads by hand, on disk", 1), 1.1),
    _wall("graph", "graph", Row("interlock, graph on disk", 1), Row("reads by hand", 1), 1.1),
    _figure("P7", "gateway", Row(SERVE, 1), Row(SERVER, 1), 0.5, "p50 ms"),
    _figure("P7", "gateway", Row(SERVE_ON_DISK, 1), Row(SERVER, 1), 0.9, "p50 ms"),
    # at least 3,000 calls a second, 2,500 with the ledger on disk
    _alone("P7", "gateway", Row(SERVE, 32), 333, "µs"),
    _alone("P7", "gateway", Row(SERVE_ON_DISK, 32), 400, "µs"),
    _figure("P7", "gateway", Row(SERVE, 32), None, 2, "p99/p50 ×"),
    _figure("P7", "gateway", Row(SERVE_ON_DISK, 32), None, 2, "p99/p50 ×"),
    _figure("P7", "gateway", Row(SERVE, 32), None, 2, "p99/p50 in CPU ×"),
    _figure("P7", "gateway", Row(SERVE_ON_DISK, 32), None, 2, "p99/p50 in CPU ×"),
    # the SDK's proxy does nothing but pass on; every call here is decided and recorded
    *(_cpu("peers", "gateway", Row(SERVE, count), Row(PROXY, count), 1.5) for count in (1, 8, 32)),
    *(_cpu("peers", "gateway", Row(SERVE_ON_DISK, count), Row(PROXY, count), 1.5) for count in (1, 8, 32)),
    _figure("P7", "gateway", Row(SERVE, 32), None, 45, "MiB"),
    _figure("P7", "gateway", Row(SERVE, 1), None, 0.4, "start s"),
    _cpu("P8", "import", Row("interlock", 1), Row("pydantic", 1), 1.4),
)


def _more_us(row: Series, of: Series, cpu: bool) -> float:
    """What a row takes more, as the median over rounds of the difference within a round."""
    times, others = (row.cpu_us, of.cpu_us) if cpu else (row.wall_us, of.wall_us)
    return median(one - other for one, other in zip(times, others, strict=True))


def _said(row: Row) -> str:
    return row.name if row.size == 1 else f"{row.name} at {row.size:,}"
