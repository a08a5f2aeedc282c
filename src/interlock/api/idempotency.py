"""Asking twice is acting once: what an `Idempotency-Key` means, without a store of its own.

A key becomes the name of what is made, and the ledger, which every worker shares and no crash divides, knows what
has that name: a run's id comes from its principal and the key, a call's from its run and the key, a grant's from its
giver and the key. What a person says about one thing (a decision, a withdrawal, a settlement, a revocation) can be said
once; asking again with a key gets what was recorded, where it was recorded by the same person in the same words. So a
key never expires, and nothing can be lost between an effect and the answer that is kept of it.
"""

from __future__ import annotations

from typing import Annotated, Final

from interlock.errors import Conflict, MissingExtra

try:
    from fastapi import Header
except ImportError:
    raise MissingExtra("the API needs an extra", remedy="Install `interlock[server]`.") from None

KEY_MAX: Final = 128

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=KEY_MAX, pattern=r"^[\x21-\x7e]+$",
        examples=["7c4a8d09-ca37-4e1f-9d3f"],
        description="Your name of this request: asking again by it acts once, and is answered with what was recorded "
        "and `Idempotent-Replay: true`. Another request by it is refused with 409.",
    ),
]  # fmt: skip

REPLAY: Final = {"idempotent-replay": "true"}
"""Header of an answer that was recorded before."""


def replayed(again: bool) -> dict[str, str]:
    """The headers of an answer, by whether it was recorded before."""
    return dict(REPLAY) if again else {}


def reused(what: str) -> Conflict:
    """What is said where a key is sent with something else than before.

    Args:
        what: What has it: `call`, `batch`.
    """
    return Conflict(
        f"this Idempotency-Key belongs to another {what}", code="http.key_reused",
        remedy="Use a new key for something new, or repeat the request exactly.",
    )  # fmt: skip
