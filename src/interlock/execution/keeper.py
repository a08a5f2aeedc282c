"""Where the secrets are kept that calls refer to."""

from __future__ import annotations

from typing import Protocol

from interlock.core.secret import Reference
from interlock.errors import SecretError


class Keeper(Protocol):
    """Where secrets are kept."""

    async def secret(self, reference: Reference) -> str:
        """The secret of a reference, as it is now.

        Raises:
            SecretError: It cannot be had; says nothing of its value.
        """
        ...


class NoKeeper:
    """Keeps none."""

    async def secret(self, reference: Reference) -> str:
        """See `Keeper.secret`."""
        raise SecretError(
            f"{reference.text}: this plane has no secrets",
            code="secret.none",
            remedy="Write [secrets] in the settings.",
        )
