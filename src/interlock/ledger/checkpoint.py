"""The ledger held against what its sinks have: whether it was rolled back, forked, or only is ahead of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from interlock.core.event import Kind
from interlock.errors import LedgerError, StoreUnavailable
from interlock.ledger.note import Checkpoint
from interlock.ledger.sealing import SinkState, Standing
from interlock.ledger.sinks import Sink, readable
from interlock.ledger.sqlite_log import Log

SENT_AT_ONCE = 1000
"""Checkpoints that are sent to a sink with one write."""

ACCEPT_RESTORE = "accept-restore"
"""`act` of the operator's event that a backup was restored knowingly."""


class Restore(NamedTuple):
    """That an operator restored a backup knowingly.

    Attributes:
        size: Events that the ledger had then, this word not counted.
        given_up: Heads, as size and root, that sinks have of the log that was given up.
    """

    size: int
    given_up: frozenset[tuple[int, str]]

    def covers(self, head: Checkpoint) -> bool:
        """Whether this head was given up."""
        return (head.size, head.root.hex()) in self.given_up


def restores(log: Log) -> list[Restore]:
    """The restores that operators accepted, in order: only what is sealed, or anybody could say it who can write."""
    sealed = log.sealed
    return read_restores(said.body for said in log.said(Kind.OPERATOR) if said.pos <= sealed)


def read_restores(bodies: Iterable[object]) -> list[Restore]:
    """Those of them that are said by these bodies of operators' events; what cannot be read says none."""
    found = []
    for body in bodies:
        if not isinstance(body, dict) or body.get("act") != ACCEPT_RESTORE:
            continue
        size, given_up = body.get("size"), body.get("given_up")
        if isinstance(size, int) and isinstance(given_up, list) and all(isinstance(head, dict) for head in given_up):
            found.append(Restore(size, frozenset((head.get("size"), str(head.get("root"))) for head in given_up)))
    return found


def compare(log: Log, sinks: Sequence[Sink], *, quick: bool = False) -> list[SinkState]:
    """How the ledger stands towards each sink. Reads the end of each, and a tile or two for each level of the tree.

    Args:
        quick: Believe the ledger's own checkpoint where it is the very one that a sink has: whoever has sealed it has
            held it against the tree.
    """
    heads = [_newest(sink) for sink in sinks]  # before the ledger, or what comes between would look like a rollback
    accepted = restores(log)
    return [_compare(log, head, accepted, quick) for head in heads]


def refusal(states: Sequence[SinkState]) -> StoreUnavailable | None:
    """Why nothing may be written; None where it may."""
    for state in states:
        if state.standing is Standing.ROLLBACK:
            return StoreUnavailable(
                f"the ledger was rolled back: {state.why}", code="ledger.rollback", remedy=_REMEDY
            )  # fmt: skip
        if state.standing is Standing.FORK:
            return StoreUnavailable(f"the ledger was forked: {state.why}", code="ledger.fork", remedy=_REMEDY)
    return None


def _newest(sink: Sink) -> SinkState:
    """What a sink has, not compared yet."""
    try:
        text = sink.newest()
    except LedgerError as error:
        return SinkState(sink.name, Standing.UNREACHABLE, why=str(error.args[0]))
    note = readable(text) if text is not None else None
    if text is not None and note is None:
        why = f"the newest line of {sink.name} is no checkpoint"
        return SinkState(sink.name, Standing.UNREACHABLE, text=text, why=why)
    return SinkState(sink.name, Standing.CURRENT, note.checkpoint if note is not None else None, text)


def _compare(log: Log, state: SinkState, accepted: Sequence[Restore], quick: bool) -> SinkState:
    size, head = log.sealed, state.newest
    if state.standing is Standing.UNREACHABLE:
        return state
    if head is None:
        return state._replace(standing=Standing.BEHIND if size else Standing.CURRENT)
    for restore in reversed(accepted):
        if restore.covers(head):
            return state._replace(standing=Standing.BEHIND, after=restore.size)
    if head.size > size:
        why = f"its newest checkpoint is over {size} events, and {state.sink} has one over {head.size}"
        return state._replace(standing=Standing.ROLLBACK, why=why)
    own = log.at(head.size) if quick else None
    if (own is None or own.note != state.text) and not _begins_as(log, head):
        why = f"{state.sink} has another root over its first {head.size} events"
        return state._replace(standing=Standing.FORK, why=why)
    return state._replace(standing=Standing.BEHIND if head.size < size else Standing.CURRENT, after=head.size)


def _begins_as(log: Log, head: Checkpoint) -> bool:
    try:
        return log.tree().root(head.size) == head.root
    except LookupError:
        return False


_REMEDY = (
    "Run `interlock ledger verify`; restore the newest backup, or, if this one was restored knowingly, "
    "`interlock ledger accept-restore --reason TEXT`."
)
