"""The fields of a form that was posted, read strictly: each stands there once and within its bounds."""

from __future__ import annotations

from collections.abc import Sequence

from interlock.api.gate import FORM
from interlock.errors import BadInput, MissingExtra

try:
    from starlette.requests import Request
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None


class Form:
    """What somebody sent from a page of the console; the gate has seen to it that it is one of ours."""

    def __init__(self, request: Request) -> None:
        self._fields: Sequence[tuple[str, str]] = request.scope[FORM]

    def text(self, name: str, most: int, *, least: int = 1) -> str:
        """A field's text without what stands blank around it.

        Raises:
            BadInput: It is missing, stands twice, or has fewer or more characters (`form.field`).
        """
        said = self.raw(name, most).strip()
        if len(said) < least:
            raise BadInput(f"{name}: nothing is said", code="form.field", remedy=f"Fill in {name}.")
        return said

    def raw(self, name: str, most: int) -> str:
        """A field's text as it was sent; empty where it is missing.

        Raises:
            BadInput: It stands twice, or has more characters (`form.field`).
        """
        found = self.each(name)
        if len(found) > 1:
            raise BadInput(f"{name}: it stands twice", code="form.field", remedy="Load the page again.")
        said = found[0].replace("\r\n", "\n") if found else ""
        if len(said) > most:
            raise BadInput(f"{name}: more than {most} characters", code="form.field", remedy="Say it shorter.")
        return said

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number.

        Raises:
            BadInput: It is none, or out of its bounds (`form.field`).
        """
        said = self.text(name, 20)
        if not (said.isascii() and said.isdigit() and least <= int(said) <= most):
            raise BadInput(
                f"{name}: {said!r}", code="form.field", remedy=f"Give a whole number from {least} to {most}."
            )
        return int(said)

    def each(self, name: str) -> list[str]:
        """Every text of a field that may stand several times."""
        return [value for key, value in self._fields if key == name]
