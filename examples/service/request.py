"""What one caller asked, read field by field; whoever reads a field says what it may be.

Every reader refuses with the field's name and what was expected (`invalid_parameter`), so that a caller
can mend its request. What was read is what an effect records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from examples.service.answer import Problem

KEY_MAX = 200

_NUMBER_TEXT = re.compile(r"0|-?[1-9][0-9]{0,17}")
_INT64_MAX = 2**63 - 1


class Request:
    """The path's and query's values, which are text, and the body's, which are JSON.

    Attributes:
        key: The Idempotency-Key header, if there was one.
        read: What the handler read, defaults included, in the types that it asked for.
    """

    def __init__(self, text: Mapping[str, str], body: Mapping[str, object], key: str | None = None) -> None:
        self._text = text
        self._body = body
        self.key = key
        self.read: dict[str, object] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._text or name in self._body

    def whole(self, name: str, least: int = 1, most: int = _INT64_MAX, default: int | None = None) -> int:
        """A whole number from `least` to `most`; `True` and `5.0` are none."""
        value = self._given(name, default)
        if name in self._text and isinstance(value, str) and _NUMBER_TEXT.fullmatch(value):
            value = int(value)
        if type(value) is not int:
            raise _invalid(name, "must be a whole number", expected="integer")
        if not least <= value <= most:
            limits = f"must be from {least} to {most}" if most < _INT64_MAX else f"must be at least {least}"
            raise _invalid(name, limits, minimum=least, maximum=most)
        self.read[name] = value
        return value

    def text(self, name: str, most: int, default: str | None = None) -> str:
        """Text of at most `most` characters; empty only where the default is."""
        value = self._given(name, default)
        if not isinstance(value, str) or not _storable(value):
            raise _invalid(name, "must be text", expected="string")
        if len(value) > most or (default is None and not value.strip()):
            raise _invalid(name, f"must have from 1 to {most} characters", max_length=most)
        self.read[name] = value
        return value

    def choice(self, name: str, among: Sequence[str], default: str | None = None) -> str:
        """One of the words in `among`, exactly."""
        value = self._given(name, default)
        if not isinstance(value, str) or value not in among:
            raise _invalid(name, f"must be one of: {', '.join(among)}", allowed=list(among))
        self.read[name] = value
        return value

    def texts(self, name: str, most: int) -> list[str]:
        """From 1 to `most` different texts."""
        value = self._given(name, None)
        if not isinstance(value, list) or not all(isinstance(item, str) and _storable(item) for item in value):
            raise _invalid(name, "must be a list of texts", expected="array of strings")
        if not 1 <= len(value) <= most or len(set(value)) < len(value):
            raise _invalid(name, f"must have from 1 to {most} entries, all different", max_items=most)
        self.read[name] = value
        return value

    def moment(self, name: str) -> str:
        """A date and time with a zone, in ISO form; given back in UTC: `2026-02-03T10:00:00+00:00`."""
        value = self._given(name, None)
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
            if moment is None or moment.tzinfo is None:
                raise ValueError("no zone")
            value = moment.astimezone(UTC).isoformat()
        except (ValueError, OverflowError) as error:
            must = "must be a date and time with a zone"
            raise _invalid(name, must, expected="2026-02-03T10:00:00+00:00") from error
        self.read[name] = value
        return value

    def _given(self, name: str, default: object) -> object:
        value = self._text.get(name, self._body.get(name, default))
        if value is None:
            raise _invalid(name, "is required")
        return value


def parse_key(headers: Sequence[str]) -> str | None:
    """The idempotency key: one header of visible ASCII, or none."""
    if not headers:
        return None
    if len(headers) > 1 or not re.fullmatch(rf"[!-~]{{1,{KEY_MAX}}}", headers[0]):
        raise _invalid("Idempotency-Key", f"must be one text of 1 to {KEY_MAX} visible ASCII characters")
    return headers[0]


def parse_query(query: str) -> dict[str, str]:
    """The query's fields; one that stands twice is refused, since readers would differ on which holds."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict") if query else []
    except ValueError as error:
        raise Problem(400, "invalid_query", f"The query cannot be read: {error}.") from error
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Problem(400, "invalid_query", "A field stands twice in the query.")
    return fields


def parse_body(raw: bytes) -> dict[str, object]:
    """The JSON object in `raw`; a name that stands twice, NaN and Infinity are no JSON here."""
    try:
        body = json.loads(raw.decode(), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "invalid_json", f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise Problem(400, "invalid_json", "The body must be a JSON object.")
    return body


def _invalid(field: str, must: str, **more: object) -> Problem:
    return Problem(400, "invalid_parameter", f"{field} {must}.", field=field, **more)


def _storable(text: str) -> bool:
    """Whether SQLite can keep it: a lone surrogate has no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")
