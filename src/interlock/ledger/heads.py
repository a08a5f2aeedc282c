"""Heads of the log, wherever they are kept, held against the events and against the keys that had to sign them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from interlock.errors import LedgerError
from interlock.ledger.checkpoint import Restore
from interlock.ledger.findings import Finding, Found
from interlock.ledger.merkle import Tree
from interlock.ledger.note import Note
from interlock.ledger.signing import KeyHistory, is_signed
from interlock.ledger.sinks import Sink, readable
from interlock.ledger.sqlite_log import Log

_PAGE = 1000

Tell = Callable[[Found], None]


class Head(NamedTuple):
    """A head that somebody keeps.

    Attributes:
        note: The signed checkpoint.
        where: Who keeps it.
        outside: Whether that is outside the ledger.
    """

    note: Note
    where: str
    outside: bool

    @property
    def size(self) -> int:
        """Events that it is over."""
        return self.note.checkpoint.size


def own_heads(log: Log, tell: Tell) -> list[Head]:
    """The ledger's own checkpoints."""
    found, after = [], -1
    while page := log.checkpoints(after, _PAGE):
        after = page[-1].size
        for stored in page:
            note = readable(str(stored.note))
            if note is None:
                tell(Found(Finding.SIGNATURE, f"the checkpoint over {stored.size} events is none"))
            elif note.checkpoint.size != stored.size:
                what = f"the checkpoint over {stored.size} events is one over {note.checkpoint.size}"
                tell(Found(Finding.FORK, what))
            else:
                found.append(Head(note, "the ledger", False))
    return found


def sink_texts(sink: Sink) -> tuple[list[str], str]:
    """What a sink has, and why it cannot be read; empty where it can."""
    try:
        return list(sink.notes()), ""
    except LedgerError as error:
        return [], str(error.args[0])


def sink_heads(name: str, texts: Iterable[str], restores: Sequence[Restore], tell: Tell) -> list[Head]:
    """The heads of a sink that still count: those of a log that was given up knowingly are left out.

    A sink grows with the log. Where a head is over no more events than the one before it, the log was put back; an
    operator's word must say that this was known.
    """
    kept: list[Head] = []
    for number, text in enumerate(texts, 1):
        note = readable(text)
        if note is None:
            tell(Found(Finding.SIGNATURE, f"entry {number} of {name} is no checkpoint"))
            continue
        head = Head(note, name, True)
        if kept and head.size <= kept[-1].size:
            if note.checkpoint == kept[-1].note.checkpoint:
                continue
            if (restore := _covering(restores, kept[-1])) is None:
                tell(Found(Finding.FORK, f"entry {number} of {name} is over fewer events than the one before it"))
            else:
                kept = [one for one in kept if one.size <= restore.size]
        kept.append(head)
    if kept and (restore := _covering(restores, kept[-1])) is not None:
        kept = [one for one in kept if one.size <= restore.size]
    return kept


class Judged(NamedTuple):
    """What the heads say together.

    Attributes:
        anchored: Events that the newest sound head outside is over.
        proven: Events up to which the tree that is kept is the one that was signed.
        sound: Events up to which they are the ones that were signed.
    """

    anchored: int
    proven: int
    sound: int


class Court:
    """Judges heads.

    Args:
        roots: Roots that the events make, by size; left out where they make none.
        tree: The tree that is kept.
        keys: Whose word counts.
        events: How many events there are.
    """

    def __init__(self, roots: Mapping[int, bytes], tree: Tree, keys: KeyHistory, events: int) -> None:
        self._roots = roots
        self._tree = tree
        self._keys = keys
        self._events = events

    def judge(self, heads: Iterable[Head], tell: Tell) -> Judged:
        """Tell of every head that is not signed as it had to be, or not over these events."""
        anchored = proven = sound = 0
        for head in sorted(heads, key=lambda one: one.size):
            if why := self._unsigned(head):
                tell(Found(Finding.SIGNATURE, f"the checkpoint of {head.where} over {head.size} events {why}"))
                continue
            root = head.note.checkpoint.root
            kept = self._kept(head.size)
            if kept == root:
                proven = head.size
            if head.size > self._tree.size:
                what = f"{head.where} has a checkpoint over {head.size} events, and the ledger sealed {self._tree.size}"
                tell(Found(Finding.FORK, what))
            if head.size > self._events:
                tell(Found(Finding.TRUNCATED, f"{head.where} has a checkpoint over {head.size} events, and there are "
                           f"{self._events}", self._events + 1))  # fmt: skip
            elif self._roots.get(head.size) == root:
                if kept != root:
                    tell(Found(Finding.PROJECTION, f"the tree over {head.size} events is not what the events make"))
                anchored, sound = head.size if head.outside else anchored, head.size
            elif kept != root and head.size <= self._tree.size:
                tell(Found(Finding.FORK, f"{head.where} has another root over the first {head.size} events"))
        return Judged(anchored, proven, sound)

    def _unsigned(self, head: Head) -> str:
        key = self._keys.at(head.size)
        if key is None:  # the ledger names none: somebody outside may know one
            known = any(is_signed(head.note, vouched) for vouched in self._keys.vouched)
            return "" if known else "is signed by a key that the ledger does not name"
        if head.note.checkpoint.origin != key.name:
            return "is one of another log"
        return "" if is_signed(head.note, key) else "is not signed by the key that had to"

    def _kept(self, size: int) -> bytes:
        try:
            return self._tree.root(size) if size <= self._tree.size else b""
        except LookupError:
            return b""


def _covering(restores: Sequence[Restore], head: Head) -> Restore | None:
    return next((one for one in reversed(restores) if one.covers(head.note.checkpoint)), None)
