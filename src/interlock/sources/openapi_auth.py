"""Credentials of a service: by reference until the moment of sending, and in no answer afterwards."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import quote

from interlock.core.scrub import scrubbed
from interlock.errors import NotSent
from interlock.net.egress import Ask

Kind = Literal["bearer", "basic", "header", "query", "cookie"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What the operator has a service sent with every request.

    Attributes:
        kind: `bearer` and `basic` by the header `authorization`; else a header, a query parameter or a cookie.
        name: Of the header, parameter or cookie.
        user: For `basic`.
        read: Reads the secret; called for each request, in a thread. Raises `NotSent` where there is none.
    """

    kind: Kind
    name: str = ""
    user: str = ""
    read: Callable[[], str] = field(repr=False)

    @property
    def fills(self) -> tuple[str, str]:
        """Place and name of what it fills."""
        if self.kind in ("bearer", "basic"):
            return "header", "authorization"
        return self.kind, self.name.lower() if self.kind == "header" else self.name


@dataclass(frozen=True, slots=True)
class Secrets:
    """The credentials of one request, as they were just read."""

    given: Sequence[tuple[Credential, str]] = field(repr=False)

    def on(self, ask: Ask) -> Ask:
        """The request with its credentials."""
        headers, url, kept = dict(ask.headers), ask.url, set(ask.secret_headers)
        for credential, secret in self.given:
            if any(not "!" <= letter <= "~" for letter in secret) and credential.kind != "basic":
                raise NotSent("a secret with other than visible ASCII in it", code="service.secret")
            match credential.kind:
                case "bearer":
                    headers["authorization"] = f"Bearer {secret}"
                case "basic":
                    headers["authorization"] = f"Basic {_basic(credential, secret)}"
                case "header":
                    headers[credential.name.lower()] = secret
                    kept.add(credential.name.lower())
                case "query":
                    url += f"{'&' if '?' in url else '?'}{quote(credential.name, safe='')}={quote(secret, safe='')}"
                case _:
                    before = f"{headers['cookie']}; " if "cookie" in headers else ""
                    headers["cookie"] = f"{before}{quote(credential.name, safe='')}={quote(secret, safe='')}"
        return replace(ask, headers=headers, url=url, secret_headers=frozenset(kept))

    def out_of(self, body: bytes) -> bytes:
        """An answer without them, in the forms in which a service could have repeated them."""
        given = [secret for _, secret in self.given]
        return scrubbed(body, [*given, *(_basic(credential, secret) for credential, secret in self.given)])


def _basic(credential: Credential, secret: str) -> str:
    return base64.b64encode(f"{credential.user}:{secret}".encode()).decode()
