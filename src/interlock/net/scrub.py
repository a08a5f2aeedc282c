"""Secrets out of what a far end answers, in the forms in which it could have repeated them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = b"[secret]"


def forms_of(secret: str) -> set[bytes]:
    """The forms of a secret: as it is, quoted, escaped, backwards, in base64 and in hexadecimal."""
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret[::-1], raw.hex()}
    forms |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    return {form.encode() for form in forms}


class Scrub:
    """Takes secrets out of bytes as they come; what may be the beginning of one is kept back until it is known.

    Args:
        secrets: Empty ones count for nothing.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if secret for form in forms_of(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._kept = b""

    def more(self, chunk: bytes) -> bytes:
        """What is sure to be no secret, of this and of what was kept back."""
        text = self._kept + chunk
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        keep = max((_overlap(text, form) for form in self._forms), default=0)
        self._kept = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> bytes:
        """What was kept back and was none."""
        kept, self._kept = self._kept, b""
        return kept


def _overlap(text: bytes, form: bytes) -> int:
    """How many of the last bytes of a text begin a form."""
    for length in range(min(len(form) - 1, len(text)), 0, -1):
        if text.endswith(form[:length]):
            return length
    return 0
