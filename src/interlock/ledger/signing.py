"""Ed25519: the key that signs the log's heads, and the check of a signature.

The secret's text is that of C2SP's signed-note: `PRIVATE+KEY+NAME+ID+base64`. Where it stands is the business of
whoever opens the ledger.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from interlock.core.canonical import framed
from interlock.core.event import Fact, Kind
from interlock.errors import BadInput, SettingsError
from interlock.ledger.note import Checkpoint, Note, PublicKey, Signature, read_public, signed_by

SEED_BYTES = 32
_HEAD = "PRIVATE+KEY+"
_ROTATION = "interlock/rotation/1"
_BUNDLE = "interlock/bundle/1"


class Signer:
    """A key that signs.

    Attributes:
        public: What its signatures are checked with.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self.public = PublicKey(name, self._key.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The secret, for its file."""
        encoded = base64.b64encode(b"\1" + self._seed).decode()
        return f"{_HEAD}{self.public.name}+{self.public.key_id.hex()}+{encoded}\n"

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Signer({self.public.text})"

    def note(self, checkpoint: Checkpoint) -> Note:
        """The checkpoint, signed."""
        signature = self._key.sign(checkpoint.text.encode())
        return Note(checkpoint, (Signature(self.public.name, self.public.key_id, signature),))

    def hand_over(self, to: PublicKey) -> str:
        """The word of this key that another one follows it, base64."""
        return base64.b64encode(self._key.sign(_handover(self.public, to))).decode()

    def vouch(self, digest: bytes, events: int) -> str:
        """The word of this key that a bundle with this digest was exported with so many events, base64."""
        return base64.b64encode(self._key.sign(framed(_BUNDLE, digest, str(events).encode()))).decode()


def read_signer(text: str) -> Signer:
    """The key that a file's text is.

    Raises:
        SettingsError: It is none.
    """
    wrong = SettingsError("the signing key's file has no signing key", code="settings.signing_key",
                          remedy="Restore it from a backup.")  # fmt: skip
    name, _, rest = text.strip().removeprefix(_HEAD).partition("+")
    try:
        raw = base64.b64decode(rest.partition("+")[2], validate=True)
    except ValueError:
        raise wrong from None
    if not text.startswith(_HEAD) or len(raw) != 1 + SEED_BYTES:
        raise wrong
    signer = Signer(name, raw[1:])
    if signer.text.strip() != text.strip():
        raise wrong
    return signer


def handed_over(before: PublicKey, to: PublicKey, word: str) -> bool:
    """Whether the word is the key's that the other one follows it."""
    try:
        return _holds(before.raw, base64.b64decode(word, validate=True), _handover(before, to))
    except ValueError:
        return False


def is_signed(note: Note, key: PublicKey) -> bool:
    """Whether the note has a signature of the key."""
    message = note.checkpoint.text.encode()
    return any(_holds(key.raw, signature, message) for _, signature in signed_by(note, (key,)))


class KeyHistory:
    """The keys that sign a log's heads, one after the other, as its `key.rotated` events say.

    Attributes:
        eras: Position of each event with the key that it brings in.
        vouched: Keys that are known to be right from outside the log.
    """

    def __init__(self, vouched: Sequence[PublicKey] = ()) -> None:
        """Begin with no key.

        Args:
            vouched: Keys that are known to be right from outside the log: such a one needs no word of the one before.
        """
        self.eras: list[tuple[int, PublicKey]] = []
        self.vouched = tuple(vouched)

    def absorb(self, pos: int, number: int, body: Mapping[str, Any]) -> str:
        """Take in one event; what is wrong with it, empty where nothing is. A wrong one brings in no key.

        Args:
            number: Which key it is, from 1.
        """
        try:
            key = read_public(str(body.get("key", "")))
        except BadInput:
            return "it names no key"
        if number != len(self.eras) + 1:
            return f"it is key {number}, and {len(self.eras)} came before"
        before = self.newest
        word = str(body.get("word", ""))
        if before is not None and key not in self.vouched and not handed_over(before, key, word):
            return "the key before it did not hand over to it"
        self.eras.append((pos, key))
        return ""

    @property
    def newest(self) -> PublicKey | None:
        """The key that signs now."""
        return self.eras[-1][1] if self.eras else None

    def at(self, size: int) -> PublicKey | None:
        """The key that signs the head over so many events; the first key signs what came before it as well."""
        found = self.eras[0][1] if self.eras else None
        for pos, key in self.eras:
            if pos <= size:
                found = key
        return found


def rotation(signer: Signer, before: Signer | None, number: int) -> Fact:
    """The fact that a key signs from here on.

    Args:
        before: The key that it follows; None for the first.
        number: Which key it is, from 1.
    """
    word = before.hand_over(signer.public) if before is not None else ""
    return Fact(Kind.KEY_ROTATED, {"key": signer.public.text, "word": word}, step=number)


def _handover(before: PublicKey, to: PublicKey) -> bytes:
    return framed(_ROTATION, before.text.encode(), to.text.encode())


def _holds(raw: bytes, signature: bytes, message: bytes) -> bool:
    try:
        _loaded(raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def _loaded(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
