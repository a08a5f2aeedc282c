"""What a posted form says, and when the page that it stood on was shown: measured here, not by the browser alone."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Final

from interlock.api.gate import FORM
from interlock.api.site import Site
from interlock.api.who import Who
from interlock.errors import BadInput, MissingExtra

try:
    from starlette.requests import Request
except ImportError:
    raise MissingExtra("the console needs an extra", remedy="Install `interlock[server]`.") from None

_VIEWED_DIGITS: Final = 12


class Form:
    """The fields of a form that the gate let in. A browser ends lines of a text with two characters; here it is one."""

    def __init__(self, request: Request) -> None:
        self._pairs: list[tuple[str, str]] = [
            (name, value.replace("\r\n", "\n")) for name, value in request.scope.get(FORM, ())
        ]

    def meant(self) -> Form:
        """This form, where somebody pressed a button of it.

        Raises:
            BadInput: They pressed a key, which decides nothing.
        """
        if self.many("nothing"):
            raise BadInput(
                "a key decides nothing here", code="console.key", remedy="Press the button of what you mean."
            )
        return self

    def one(self, name: str) -> str:
        """A field's value; empty where it is not there.

        Raises:
            BadInput: It is there several times.
        """
        found = self.many(name)
        if len(found) > 1:
            raise BadInput(f"{name}: said {len(found)} times", code="http.form", remedy="Load its page again.")
        return found[0] if found else ""

    def many(self, name: str) -> tuple[str, ...]:
        """All values of a field, in order."""
        return tuple(value for each, value in self._pairs if each == name)

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
            BadInput: It stands twice (`http.form`), or has more characters (`form.field`).
        """
        said = self.one(name)
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


def shown_at(site: Site, who: Who, about: str) -> str:
    """A mark for the forms of a page: when it was shown, to whom, and what it shows. Nobody else can make one.

    Args:
        about: What the page shows: the digest of a request.
    """
    at = str(site.now_us)
    return f"{at}.{_sealed(site, who, about, at)}"


def viewed_ms(site: Site, who: Who, about: str, form: Form) -> int:
    """Milliseconds for which somebody had the page before them, at most.

    The server knows from when the page could be seen, the browser for how long it was; the shorter one counts, since
    neither can be longer than it was.

    Raises:
        BadInput: The mark is not one of this page and this person.
    """
    at, _, sealed = form.one("shown").partition(".")
    right = _sealed(site, who, about, at)
    if not (at.isascii() and at.isdigit() and hmac.compare_digest(sealed.encode(), right.encode())):
        raise BadInput(
            "this page was not shown to you in this session", code="console.shown", remedy="Look at it as it is now."
        )
    here = max(0, site.now_us - int(at)) // 1000
    said = form.one("viewed_ms")
    return min(here, int(said)) if said.isascii() and said.isdigit() and len(said) <= _VIEWED_DIGITS else here


def _sealed(site: Site, who: Who, about: str, at: str) -> str:
    """What only this deployment can say of this session, this page and this moment.

    It is made as the tokens of forms are made, of a session id that has blanks in it and is therefore nobody's.
    """
    return site.admission.csrf(replace(who, session_id=f"{who.session_id} saw {about} at {at}"))
