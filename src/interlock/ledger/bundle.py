"""Whole chains as one file that anybody can check for ever: `offline.py`, the standard library, and the log's key.

JSON lines, each in its canonical form (docs/reference/bundle.md): what it is, the keys, the head of the log, the
events with their inclusion proofs, and a last line that signs all before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from interlock.core.canonical import Json, canonical
from interlock.core.event import Event
from interlock.ledger.note import Note, PublicKey
from interlock.ledger.signing import Signer

FORMAT = "bundle/1"

_ABOUT = (
    "Events of an Interlock ledger, exported to be checked without it: "
    "python3 -I offline.py THIS_FILE --key KEY_OF_THE_LOG"
)


class Sealed(NamedTuple):
    """What the events of a bundle are shown to stand in.

    Attributes:
        note: The signed head of the log.
        keys: Its keys in their order, each with the word by which the one before handed over; empty for the first.
        prove: The inclusion proof of a leaf, by its index, in the tree of that head.
    """

    note: Note
    keys: Sequence[tuple[PublicKey, str]]
    prove: Callable[[int], Sequence[bytes]]


def bundle(events: Iterable[tuple[int, Event]], sealed: Sealed, signer: Signer) -> Iterator[bytes]:
    """The lines of a bundle, to be written one after the other.

    Args:
        events: Every event of each chain from its first on, with its position in the log, from 1; none of them beyond
            the head.
        signer: The key that signed the head; it signs the file as well.
    """
    digest, count = hashlib.sha256(), 0
    for line in _lines(events, sealed):
        count += "header" in line
        text = canonical(line) + b"\n"
        digest.update(text)
        yield text
    found = digest.digest()
    end: dict[str, Json] = {"events": count, "sha256": found.hex(), "signature": signer.vouch(found, count)}
    yield canonical(end) + b"\n"


def verifier() -> str:
    """The text of the one-file verifier."""
    return files("interlock.ledger").joinpath("offline.py").read_text(encoding="utf-8")


def _lines(events: Iterable[tuple[int, Event]], sealed: Sealed) -> Iterator[dict[str, Json]]:
    yield {"about": _ABOUT, "interlock": FORMAT, "origin": sealed.note.checkpoint.origin}
    for key, word in sealed.keys:
        yield {"key": key.text, "word": word}
    yield {"checkpoint": sealed.note.text}
    for position, event in events:
        index = position - 1
        line: dict[str, Json] = {
            "header": event.header.decode(), "index": index, "proof": [part.hex() for part in sealed.prove(index)],
        }  # fmt: skip
        if event.payload:
            line |= {"payload": event.payload.decode(), "salt": event.salt.hex()}
        yield line
