"""What is wrong with a call, so that a model can repair it."""

from __future__ import annotations

from dataclasses import dataclass

from interlock.core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a call, so that a model can repair it.

    Attributes:
        field: RFC 6901 pointer into the arguments; empty for the whole.
        code: Keyword or rule that failed (`type`, `enum`, `maximum`, `entity`, …).
        message: One sentence.
        allowed: What would be accepted, where it can be said.
        closest: The valid value nearest to what was sent.
        example: A valid value.
    """

    field: str
    code: str
    message: str
    allowed: Json = None
    closest: Json = None
    example: Json = None

    def __str__(self) -> str:
        """The field and what is wrong with it, with the nearest valid value."""
        near = f" (closest: {self.closest!r})" if self.closest is not None else ""
        return f"{self.field or 'the arguments'} {self.message}{near}"

    def as_json(self) -> dict[str, Json]:
        """The problem with its empty hints left out."""
        said: dict[str, Json] = {"field": self.field, "code": self.code, "message": self.message}
        for hint in ("allowed", "closest", "example"):
            if (value := getattr(self, hint)) is not None:
                said[hint] = value
        return said
