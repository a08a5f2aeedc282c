"""Secrets at rest: sealed under a key of the deployment, and bound to what they belong to.

AES-256-GCM with a nonce of its own for each sealing. The names that a secret belongs to are associated data: what was
sealed for one cannot be opened as another's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from interlock.core.canonical import framed

_NONCE: Final = 12


class Box:
    """Seals and opens.

    Args:
        key: The deployment's key, of which the box's own is derived.
        purpose: What is sealed here; another purpose has another key.
        entropy: Randomness, for nonces.
    """

    def __init__(self, key: bytes, purpose: str, entropy: Callable[[int], bytes]) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, purpose.encode()).derive(key))
        self._purpose = purpose
        self._entropy = entropy

    def seal(self, secret: bytes, *names: str) -> bytes:
        """The secret, for these names alone."""
        nonce = self._entropy(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, self._bound(names))

    def open(self, sealed: bytes, *names: str) -> bytes:
        """What was sealed for these names.

        Raises:
            ValueError: Nothing that was sealed here for them.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._bound(names))
        except (InvalidTag, ValueError):
            raise ValueError("not sealed here for these names") from None

    def _bound(self, names: tuple[str, ...]) -> bytes:
        return framed(self._purpose, *(name.encode() for name in names))
