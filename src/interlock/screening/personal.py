"""Personal data in a text, by patterns; a checksum decides wherever there is one.

The second resort: a profile that names the fields of a result knows better. Numbers without a checksum count beside a
word that says what they are. Names of people are found behind a title and where somebody says their own, and no
others: that takes a model (the extra `pii`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, NamedTuple

from interlock.screening.secrets import Span

KINDS: Final = ("email", "card", "iban", "ssn", "ip", "phone", "licence", "birth", "age", "address", "person")
"""What is looked for."""


class _Pattern(NamedTuple):
    """One way to find a kind.

    Attributes:
        kind: Which.
        pattern: What it looks like; the group `value` is it, or all of it.
        holds: Whether what was found is one.
    """

    kind: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool]


class Finder(NamedTuple):
    """What finds personal data.

    Attributes:
        find: The spans of a text.
        stops: What there is in a text that may have some, for a sieve.
    """

    find: Callable[[str], list[Span]]
    stops: tuple[str, ...]


def personal_in(text: str) -> list[Span]:
    """Where personal data stand in a text, in order and apart; of two in one place, the kind that is more certain."""
    taken: list[Span] = []
    for found in _PATTERNS:
        for match in found.pattern.finditer(text):
            start, end = match.span("value")
            if found.holds(match["value"]) and all(end <= one.start or start >= one.end for one in taken):
                taken.append(Span(start, end, found.kind))
    return sorted(taken)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812 over the others."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def mod97(text: str) -> bool:
    """Whether a text of letters and digits is an IBAN by ISO 13616: rearranged, as a number, it leaves 1 of 97."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _is_card(text: str) -> bool:
    digits = _digits(text)
    return 12 <= len(digits) <= 19 and len(set(digits)) > 2 and luhn(digits)


def _is_iban(text: str) -> bool:
    plain = "".join(filter(str.isalnum, text)).upper()
    return 15 <= len(plain) <= 34 and plain.isascii() and mod97(plain)


def _is_address(text: str) -> bool:
    try:
        found = ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def _is_phone(text: str) -> bool:
    return 6 <= len(_digits(text)) <= 15


def _any(text: str) -> bool:
    return True


_NUMBER: Final = r"(?P<value>(?:\+|00)?\(?[0-9][0-9 ()./-]{4,20}[0-9])(?![\w-])"
_STREETS: Final = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Square|Sq|Terrace|Close"
    r"|Highway|Hwy|Parkway|Pkwy|Circle|Trail)\b\.?"
)
_FLAT: Final = r"(?:[ ,]{1,2}(?:Apt|Suite|Unit|Flat)\.? ?#?[0-9A-Z]{1,6})?"
_NAME: Final = r"[A-Z\u00c0-\u024f][\w'\u2019-]{1,30}"

_PATTERNS: Final = tuple(
    _Pattern(kind, re.compile(pattern, flags), holds)
    for kind, pattern, flags, holds in (
        ("email", r"(?<![\w.+-])(?P<value>[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w-])", 0, _any),
        ("iban", r"(?<![A-Za-z0-9])(?P<value>[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})(?![A-Za-z0-9])", re.I, _is_iban),
        ("iban", r"(?<![A-Za-z0-9])(?P<value>[A-Z]{2}[0-9]{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?![A-Za-z0-9])",
         0, _is_iban),
        ("card", r"(?<![\w.+-])(?P<value>[0-9](?:[ -]?[0-9]){11,18})(?![\w-])", 0, _is_card),
        ("ssn", r"(?<![\w-])(?P<value>(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4})(?![\w-])", 0, _any),
        ("ip", r"(?<![\w.:])(?P<value>(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4})"
         r"(?![\w:]|\.[0-9])",
         re.I, _is_address),
        ("licence", r"(?:driver|driving)(?:'?s)?[ ']{1,2}licen[cs]e(?: (?:number|no\.?|is)|:){0,3}\s{1,3}"
         r"(?P<value>[A-Z0-9][A-Z0-9-]{4,18}[A-Z0-9])\b", re.I, lambda text: any(map(str.isdigit, text))),
        ("birth", r"\b(?:born|birth(?:day|date)?|d\.?o\.?b\.?)(?: (?:on|is|was|in)|:){0,2}\s{1,3}"
         r"(?P<value>[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|[0-9]{1,2}\.? [A-Za-z]{3,9} [0-9]{4}"
         r"|[A-Za-z]{3,9} [0-9]{1,2},? [0-9]{4})", re.I, _any),
        ("phone", r"(?:phone|mobile|cell|tel(?:ephone)?|fax|desk|call(?:ing|ed)?|whatsapp|number|reach|answering at"
         r"|registered)(?: (?:me|us|him|her|is|at|on|number|no)|\.?:|#){0,4}\s{1,12}" + _NUMBER, re.I, _is_phone),
        ("phone", r"(?<![\w.+-])(?P<value>(?:\+[0-9]{1,3}|\([0-9]{2,5}\))[0-9 ()./-]{5,18}[0-9])(?![\w-])", 0,
         _is_phone),
        ("phone", r"(?<![\w.+/-])(?P<value>[2-9][0-9]{2}[-. ][2-9][0-9]{2}[-. ][0-9]{4})(?![\w-])", 0, _any),
        ("age", r"(?<![\w.])(?P<value>[0-9]{1,3})(?=[ -]years?[ -](?:old|of age)| y/o|yo\b)", re.I, _any),
        ("age", r"\b(?:aged?|turned|turn)(?: is|:)?\s{1,2}(?P<value>[0-9]{1,3})(?![\w/-]|\.[0-9])", re.I, _any),
        ("address", rf"(?<![\w-])(?P<value>[0-9]{{1,6}}[A-Za-z]?(?: {_NAME}){{1,4}} {_STREETS}{_FLAT}"
         rf"(?:, {_NAME}(?: {_NAME})?(?:,? [A-Z]{{2}})?(?: [0-9]{{4,5}})?)?)", 0, _any),
        ("address", r"\b(?P<value>(?:PSC|CMR|Unit) [0-9]{1,5},? Box [0-9]{1,5}\s{1,3}[AFD]PO A[AEP] [0-9]{5})", 0,
         _any),
        ("person", rf"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? (?P<value>{_NAME}(?: {_NAME}){{0,2}})", 0, _any),
        ("person", rf"\b(?:[Mm]y name is|[Nn]ame:|[Hh]ello, this is|I am called)\s{{1,3}}"
         rf"(?P<value>{_NAME}(?: {_NAME}){{0,2}})", 0, _any),
    )
)  # fmt: skip
"""In the order of their certainty."""

STOPS: Final = (
    r"@",
    r"[0-9][^A-Za-z]{4,}[0-9]",
    r"[A-Za-z]{2}[0-9]{2}[ A-Za-z0-9]{8}",
    r"[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}:",
    r"(?i:licen[cs]e|born|birth|dob|d\.o|phone|mobile|cell|tel|fax|desk|call|whatsapp|number|reach|answering|registered)",
    r"[0-9](?i:[ -]years?| y/o|yo)",
    r"(?i:age|turn)",
    r"[0-9][A-Za-z]? [A-Z]",
    r"PSC|CMR|Unit",
    r"Mr|Ms|Miss|Dr|Prof|(?i:name)|this is|called",
)
"""Where none of it is, none of the patterns matches."""

PATTERNS: Final = Finder(personal_in, STOPS)
"""What finds personal data where nothing else is asked for."""
