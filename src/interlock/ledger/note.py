"""Checkpoints and signed notes as text: C2SP's tlog-checkpoint and signed-note.

    ORIGIN                                  which log
    SIZE                                    leaves of its tree, decimal
    ROOT                                    the tree's root, base64

    — NAME base64(key id ‖ signature)       Ed25519 over the three lines, each with its line end

Only the form: signatures are made and checked in `signing`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from interlock.errors import BadInput
from interlock.ledger.merkle import HASH_BYTES

NOTE_BYTES_MAX = 65_536
SIZE_MAX = 1 << 62
KEY_ID_BYTES = 4
PUBLIC_BYTES = 32
_ED25519 = b"\1"
_DASH = "— "
_NAME = re.compile(r"[^\s+]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(NamedTuple):
    """The head of a log.

    Attributes:
        origin: Which log.
        size: Leaves of its tree.
        root: The tree's root, 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


class Signature(NamedTuple):
    """A line below a note.

    Attributes:
        name: The key's.
        key_id: First four bytes of a hash over the key's name and the key; a hint, no proof.
        signature: The rest.
    """

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """As it stands in the note."""
        return f"{_DASH}{self.name} {_base64(self.key_id + self.signature)}\n"


class PublicKey(NamedTuple):
    """What a signature is checked with.

    Attributes:
        name: The key's: the origin of the log whose heads it signs.
        raw: The Ed25519 public key, 32 bytes.
    """

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        """What its signatures say that they are by."""
        return hashlib.sha256(f"{self.name}\n".encode() + _ED25519 + self.raw).digest()[:KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The form in which it is handed out: `NAME+KEY ID+base64`."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.raw)}"


class Note(NamedTuple):
    """A signed checkpoint.

    Attributes:
        checkpoint: What is said.
        signatures: Who says so, none of them checked.
    """

    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]

    @property
    def text(self) -> str:
        """The whole of it, for a store or a witness."""
        return self.checkpoint.text + "\n" + "".join(signature.line for signature in self.signatures)


def read_note(text: str) -> Note:
    """The signed checkpoint that a text is.

    Raises:
        BadInput: It is none, or is written in another way than `Note.text` writes it. Lines of a checkpoint beyond
            its root are refused as well: no log of ours has any.
    """
    if len(text) > NOTE_BYTES_MAX:
        raise _bad("is too long")
    head, gap, below = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or len(lines) != 3 or not below.endswith("\n"):
        raise _bad("has not three lines, an empty one and signatures")
    origin, size, root = lines
    if not _NAME.fullmatch(origin):
        raise _bad("names no log")
    if not _SIZE.fullmatch(size) or int(size) > SIZE_MAX:
        raise _bad("has no size")
    checkpoint = Checkpoint(origin, int(size), _bytes(root, HASH_BYTES))
    note = Note(checkpoint, tuple(map(_signature, below.removesuffix("\n").split("\n"))))
    if note.text != text:
        raise _bad("is not in the one spelling that it has")
    return note


def read_public(text: str) -> PublicKey:
    """The public key that a text is.

    Raises:
        BadInput: It is none, is no Ed25519 key, or its id is another key's.
    """
    name, _, rest = text.strip().partition("+")
    _, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        raw = b""
    key = PublicKey(name, raw[1:])
    if len(raw) != 1 + PUBLIC_BYTES or not _NAME.fullmatch(name) or key.text != text.strip():
        raise BadInput("this is no public key of a ledger", code="ledger.key", remedy="Write it as NAME+ID+KEY.")
    return key


def signed_by(note: Note, keys: Sequence[PublicKey]) -> list[tuple[PublicKey, bytes]]:
    """The keys that the note says it is signed by, each with its signature, which is still to be checked."""
    return [
        (key, signature.signature)
        for signature in note.signatures
        for key in keys
        if (signature.name, signature.key_id) == (key.name, key.key_id)
    ]


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _NAME.fullmatch(name):
        raise _bad("has a line that is no signature")
    raw = _bytes(encoded, None)
    if len(raw) <= KEY_ID_BYTES:
        raise _bad("has a signature that is too short")
    return Signature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str, length: int | None) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _bad("has a line that is not base64") from None
    if length is not None and len(found) != length:
        raise _bad(f"has {len(found)} bytes where {length} belong")
    return found


def _bad(what: str) -> BadInput:
    return BadInput(f"the checkpoint {what}", code="ledger.note", remedy="Take it from where it was published.")
