"""Forms of the console posted by hand: as a browser would, or as somebody who is up to something."""

from __future__ import annotations

import http.client
import re
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from interlock import Principal
from tests.console.stand import Stand


class Answered(NamedTuple):
    """What the console answered."""

    status: int
    headers: dict[str, str]
    text: str


def get(at: Stand, person: Principal, path: str) -> Answered:
    """A page as somebody is shown it."""
    return _asked(at, "GET", path, {"cookie": f"__Host-interlock={person.id}"})


def post(
    at: Stand, person: Principal, path: str, fields: list[tuple[str, str]], headers: dict[str, str | None] | None = None
) -> Answered:  # fmt: skip
    """A form as a browser posts it, with its token; a header that is None is left out."""
    body = urlencode([("csrf", f"token-of-{person.id}"), *fields])
    said = {"cookie": f"__Host-interlock={person.id}", "origin": at.url, "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded", **(headers or {})}  # fmt: skip
    return _asked(at, "POST", path, {name: text for name, text in said.items() if text is not None}, body)


def fields_of(page: str, form: str = "approve") -> list[tuple[str, str]]:
    """What a form of a page would post as it is: its hidden fields, but for the token."""
    inner = re.search(rf'<form id="{form}".*?</form>', page, re.DOTALL)
    beside = re.findall(rf'<input type="hidden" [^>]*form="{form}">', page)
    inputs = [*re.findall(r'<input type="hidden" [^>]*>', inner[0] if inner else ""), *beside]
    pairs = [(re.search(r'name="([^"]*)"', one), re.search(r'value="([^"]*)"', one)) for one in inputs]
    return [(name[1], value[1]) for name, value in pairs if name and value and name[1] != "csrf"]


def _asked(at: Stand, method: str, path: str, headers: dict[str, str], body: str = "") -> Answered:
    connection = http.client.HTTPConnection(urlsplit(at.url).netloc, timeout=20)
    try:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return Answered(answer.status, {name.lower(): text for name, text in answer.getheaders()},
                        answer.read().decode())  # fmt: skip
    finally:
        connection.close()
