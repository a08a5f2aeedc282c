"""Values in the one form of their kind: two texts for one address, place, date or amount become equal."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from posixpath import normpath
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from interlock.grounding.dates import read_date, read_time

SHAPES: Final = (
    "text", "name", "id", "exact", "email", "url", "host", "phone", "iban", "number", "money", "date", "uuid", "path"
)  # fmt: skip
"""What a field or an argument may be declared to be. `exact` is an id in which the case counts; `text` is anything."""

_EMAIL: Final = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+)@([^\s@/?#:,;<>()\[\]\"']+)")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?")
_DEVIATING: Final = re.compile("[\u00df\u03c2\u200c\u200d]")
"""Letters of which IDNA 2003 and 2008 make different hosts."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,40})?(?:\.[0-9]{1,40})?")
_SCIENCE: Final = re.compile(r"([+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?)[eE]([+-]?[0-9]{1,2})")
_PHONE: Final = re.compile(r"\+?[0-9(][0-9 ().-]{5,22}[0-9]")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_ID: Final = re.compile(r"[\w.:#@/+-]+")
_FIGURES_MAX: Final = 64
_FIGURE: Final = re.compile(r"\d")
_FIGURES_FIRST: Final = frozenset("+-.(0123456789")
_FIGURED: Final = ("number", "date", "time", "money", "uuid", "phone")
_LETTERED: Final = ("date", "iban", "money", "uuid")
_MONEY: Final = re.compile(r"([^\d\s.,+-]{0,3})\s*([+-]?[0-9][0-9,]*(?:\.[0-9]+)?)\s*([A-Za-z]{0,12}|[^\w\s]?)")
_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}
CURRENCIES: Final = {
    "$": "USD", "usd": "USD", "us$": "USD", "dollar": "USD", "dollars": "USD",
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP",
    "¥": "JPY", "jpy": "JPY", "yen": "JPY", "chf": "CHF", "francs": "CHF", "inr": "INR", "₹": "INR", "rupees": "INR",
    "cny": "CNY", "rmb": "CNY", "yuan": "CNY", "aud": "AUD", "cad": "CAD",
}  # fmt: skip
"""Signs and words for currencies, folded, to their ISO 4217 codes."""


class Typed(NamedTuple):
    """A value of a known kind.

    Attributes:
        kind: `email`, `url`, `host`, `phone`, `iban`, `number`, `money`, `date`, `time`, `moment`, `uuid` or `path`.
        text: Its one form: what is equal is the same value.
    """

    kind: str
    text: str


class Unfit(ValueError):
    """A value is not what its shape says. The message has no value in it."""


def typed(value: object, shape: str = "") -> Typed | None:
    """The value in the one form of its kind; None where it is a plain text or an identifier.

    Args:
        value: A JSON scalar.
        shape: What it is declared to be, one of `SHAPES`; where empty, what it plainly is.

    Raises:
        Unfit: It is not of the shape that is declared.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        if shape and shape not in ("number", "money", "text", "id", "exact"):
            raise Unfit("a number")
        return Typed("number", plainly(Decimal(repr(value)))) if shape in ("", "number", "money") else None
    text = str(value).strip()
    if shape in _OPEN:
        if shape in ("id", "exact") and not _ID.fullmatch(text):
            raise Unfit("no identifier")
        return None
    if shape:
        return _READ[shape](text)
    for kind in _guessed(text):
        try:
            return _READ[kind](text)
        except Unfit:
            continue
    return None


def fits(value: object, shape: str) -> bool:
    """Whether a value is of a shape."""
    try:
        typed(value, shape)
    except Unfit:
        return False
    return True


def number(text: str) -> str:
    """The one form of a number in digits: no thousands signs, no needless zeros, no exponent.

    Raises:
        Unfit: It is no number, or has more than forty digits.
    """
    plain = text.strip().replace("_", "")
    if found := _SCIENCE.fullmatch(plain):
        amount = Decimal(found[1]).scaleb(int(found[2]))
    elif plain and any(map(str.isdigit, plain)) and _NUMBER.fullmatch(plain):
        amount = Decimal(plain.replace(",", ""))
    else:
        raise Unfit("no number")
    return plainly(amount)


def plainly(amount: Decimal) -> str:
    """A decimal in its one form."""
    if not amount.is_finite():
        raise Unfit("no number")
    text = format(amount, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def email(text: str) -> str:
    """Local part as it is, domain in lower case and IDNA.

    Raises:
        Unfit: It is no plain mail address.
    """
    found = _EMAIL.fullmatch(text.removeprefix("mailto:"))
    if found is None:
        raise Unfit("no plain mail address")
    return f"{found[1]}@{host(found[2])}"


def host(text: str) -> str:
    """The name in lower case and IDNA, without a dot at its end; an address as it is written shortest.

    Raises:
        Unfit: It is no name of a host.
    """
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    name = text.lower()
    if _DEVIATING.search(name):
        raise Unfit("a name of a host that is read in two ways")
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            raise Unfit("no name of a host") from None
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise Unfit("no name of a host")
    return name.rstrip(".")


class Url(NamedTuple):
    """A URL in parts that every reader agrees on; the fragment is no part of it.

    Attributes:
        scheme, host, port: Where to; the scheme's own port where none is written, 0 where it has none.
        path, query: What of it, the path with its escapes read once and without `.` and `..`, the query as it is.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str

    def __str__(self) -> str:
        """Its one form."""
        asked = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}:{self.port}{self.path}{asked}"


def url(text: str) -> Url:
    """The parts of a URL.

    Raises:
        Unfit: It is none, has a user in it, or is one that readers take differently.
    """
    if not _SCHEME.match(text) or any(mark.isspace() or mark in '\\<>"`{}|^' or ord(mark) < 33 for mark in text):
        raise Unfit("no plain URL")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Unfit("no plain URL") from None
    if "@" in parts.netloc or not parts.hostname:
        raise Unfit("a URL with a user or without a host")
    known = _PORTS.get(parts.scheme, 0) if port is None else port
    return Url(parts.scheme, host(parts.hostname), known, _path(unquote(parts.path)), parts.query)


def _path(text: str) -> str:
    """A path without `.`, `..` and doubled slashes; `/` for an empty one."""
    kept = normpath(text) if text else "/"
    return "/" + kept.lstrip("/") if text.startswith("/") or not text else kept


def path(text: str) -> str:
    """A POSIX path without `.`, `..` and doubled slashes.

    Raises:
        Unfit: It is empty or has a control character in it.
    """
    if not text or any(ord(mark) < 32 for mark in text):
        raise Unfit("no path")
    return _path(text)


def phone(text: str) -> str:
    """Its digits alone.

    Raises:
        Unfit: It is no telephone number.
    """
    digits = "".join(filter(str.isdigit, text))
    if not _PHONE.fullmatch(text) or not 7 <= len(digits) <= 15 or not digits.isascii():
        raise Unfit("no telephone number")
    return digits


def iban(text: str) -> str:
    """Upper case, without spaces.

    Raises:
        Unfit: Its check digits are not right.
    """
    plain = "".join(text.split()).upper()
    if not _IBAN.fullmatch(plain):
        raise Unfit("no IBAN")
    if int("".join(str(int(mark, 36)) for mark in plain[4:] + plain[:4])) % 97 != 1:
        raise Unfit("an IBAN whose check digits are wrong")
    return plain


def money(text: str) -> str:
    """Code of the currency and amount, such as `USD 50`; the amount alone where no currency is written.

    Raises:
        Unfit: It is no amount.
    """
    found = _MONEY.fullmatch(text)
    if found is None:
        raise Unfit("no amount of money")
    signs = [sign.casefold() for sign in (found[1], found[3]) if sign]
    if len(signs) > 1 or any(sign not in CURRENCIES for sign in signs):
        raise Unfit("no amount of money")
    amount = number(found[2])
    return f"{CURRENCIES[signs[0]]} {amount}" if signs else amount


def _money(text: str) -> Typed:
    said = money(text)
    return Typed("money" if " " in said else "number", said)


def _date(text: str) -> Typed:
    said = read_date(text)
    if said is None:
        raise Unfit("no date")
    return Typed("moment" if "T" in said else "date", said)


def _uuid(text: str) -> Typed:
    if not _UUID.fullmatch(text):
        raise Unfit("no UUID")
    return Typed("uuid", text.lower())


def _time(text: str) -> Typed:
    said = read_time(text)
    if said is None:
        raise Unfit("no time")
    return Typed("time", said)


_OPEN: Final = frozenset({"text", "name", "id", "exact"})
_READ: Final[Mapping[str, Callable[[str], Typed]]] = {
    "email": lambda text: Typed("email", email(text)),
    "url": lambda text: Typed("url", str(url(text if "://" in text or "." not in text else f"https://{text}"))),
    "host": lambda text: Typed("host", host(text)),
    "phone": lambda text: Typed("phone", phone(text)),
    "iban": lambda text: Typed("iban", iban(text)),
    "number": lambda text: Typed("number", number(text)),
    "money": _money,
    "date": _date,
    "time": _time,
    "uuid": _uuid,
    "path": lambda text: Typed("path", path(text)),
}


def _guessed(text: str) -> tuple[str, ...]:
    """Kinds that a text may plainly be, the likeliest first."""
    if len(text) > 2048 or not text:
        return ()
    if _SCHEME.match(text):
        return ("url",)
    if "@" in text:
        return ("email",)
    if len(text) <= _FIGURES_MAX and _FIGURE.search(text):
        return _FIGURED if text[0] in _FIGURES_FIRST else _LETTERED if text[0].isalpha() else ("money",)
    if text[0] == "/" or text.startswith(("./", "../", "~/")):
        return ("path",)
    return ()
