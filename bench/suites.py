"""The suites: what is measured, how long, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One table.

    Attributes:
        name: As `--only` takes it.
        title: Over the table.
        size: What `size` counts, as a column; empty where every candidate has one size.
        rounds: How often every worker is asked.
        seconds: How long one batch should take; 0 for one call a batch.
        rate: Whether calls per second are shown.
        ranked: Whether rows stand by size and time; else each candidate's sizes stand together.
        stored: What bytes on disk are shown for, in the singular; empty where they are not.
        figures: Further columns: medians of what each batch says of itself.
        added: One of these, shown also as what a row has more of it than its floor.
        counts: Whether Python-level calls are counted: exact and free of noise, but of one thread only.
    """

    name: str
    title: str
    size: str = ""
    rounds: int
    seconds: float
    rate: bool = False
    ranked: bool = True
    counts: bool = False
    stored: str = ""
    figures: tuple[str, ...] = ()
    added: str = ""


SUITES: tuple[Suite, ...] = (
    Suite(
        name="call",
        title="One call in process, validation included",
        rounds=25,
        seconds=0.15,
        counts=True,
    ),
    Suite(
        name="limits",
        title="One write in memory, with limits and with a grant",
        rounds=25,
        seconds=0.15,
        counts=True,
    ),
    Suite(
        name="screen",
        title="The screen of one result of 2 KiB with nothing to find",
        rounds=25,
        seconds=0.15,
    ),
    Suite(
        name="durable",
        title="One durable call: SQLite on disk, synchronous=FULL",
        size="lanes",
        rounds=15,
        seconds=0.3,
        rate=True,
    ),
    Suite(
        name="scale",
        title="One call with little and with much around it",
        size="size",
        ranked=False,
        rounds=15,
        seconds=0.15,
        counts=True,
    ),
    Suite(
        name="grounding",
        title="Where one call's arguments came from, with so much text in the run",
        size="bytes",
        ranked=False,
        rounds=9,
        seconds=1.0,
        figures=("p50 ms", "p99 ms", "taken in, ms"),
        counts=True,
    ),
    Suite(
        name="resume",
        title="A run resumed: its state read from disk by who does not know it",
        size="steps",
        rounds=15,
        seconds=0.3,
        stored="step",
    ),
    Suite(
        name="recover",
        title="After a crash",
        size="size",
        ranked=False,
        rounds=3,
        seconds=0.0,
    ),
    Suite(
        name="agent",
        title="One turn of an agent: the model's message, one read, its result",
        size="turns",
        ranked=False,
        rounds=15,
        seconds=0.3,
        counts=True,
    ),
    Suite(
        name="parallel",
        title="Ten reads of 50 ms in one turn of an agent, with its answer after them",
        size="reads",
        rounds=9,
        seconds=0.3,
    ),
    Suite(
        name="gateway",
        title="One call over HTTP on loopback, through what stands before a server",
        size="clients",
        rounds=9,
        seconds=1.0,
        rate=True,
        figures=("p50 ms", "p99 ms", "p99/p50 ×", "p99/p50 in CPU ×", "MiB", "start s"),
        added="p50 ms",
    ),
    Suite(
        name="graph",
        title="A graph of ten reads of 50 ms, four of them one after the other",
        rounds=9,
        seconds=0.0,
    ),
    Suite(
        name="import",
        title="A whole process that imports and ends",
        rounds=11,
        seconds=0.0,
    ),
)
