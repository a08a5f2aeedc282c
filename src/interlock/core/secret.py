"""Secrets by reference: an argument names where a secret is kept, and its value is nowhere but in the attempts.

    {"$secret": "env://PAYMENTS_KEY"}                     a variable of the environment
    {"$secret": "file:///run/secrets/pay.json#api_key"}   a file beneath the operator's folder, or a field of it
    {"$secret": "vault://kv/payments?version=3#api_key"}  a field of a secret in Vault, of one version of it

A reference is a name: it is proposed, decided on, shown, approved, hashed and recorded as it stands. Only a reference
that an operator allowed for the argument is ever resolved (`registry/secrets.py`), and only to run its call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from interlock.core.canonical import pointer
from interlock.errors import BadInput

SECRET: Final = "$secret"
"""Key of an argument that stands for a secret."""

MARK: Final = b'"$secret":'
"""How the key stands in canonical JSON: within a string its quotes are escaped, so that nothing else looks like it."""

REFERENCES_MAX: Final = 8
"""References in the arguments of one call."""

VALUE_MIN: Final = 8
"""Characters of a secret: what is shorter could not be told from common text where it comes back."""

VALUE_MAX: Final = 64 << 10
"""Characters of a secret."""

_SEGMENT: Final = r"(?!\.{1,2}(?:[/?#]|$))[A-Za-z0-9._@+=,~-]{1,128}"
_PATH: Final = rf"{_SEGMENT}(?:/{_SEGMENT}){{0,31}}"
_FIELD: Final = r"[A-Za-z0-9_.@+-]{1,128}"
_FORMS: Final = {
    "env": re.compile(r"(?P<path>[A-Za-z_][A-Za-z0-9_]{0,127})"),
    "file": re.compile(rf"(?P<path>/{_PATH})(?:#(?P<field>{_FIELD}))?"),
    "vault": re.compile(
        rf"(?P<path>{_SEGMENT}/{_PATH})(?:\?version=(?P<version>[1-9][0-9]{{0,8}}))?#(?P<field>{_FIELD})"
    ),
}  # fmt: skip

SCHEMES: Final = tuple(_FORMS)
"""Where secrets may be kept."""


class Reference(NamedTuple):
    """Where a secret is kept.

    Attributes:
        text: As it is written; two that are written alike are the same.
        scheme: One of `SCHEMES`.
        path: Name of the variable; absolute path of the file; mount and path in Vault.
        field: Which part of what is there; empty for all of it.
        version: Which version of it; 0 for the newest.
    """

    text: str
    scheme: str
    path: str
    field: str = ""
    version: int = 0

    @property
    def name(self) -> str:
        """The same whatever its version: what an operator allows."""
        return f"{self.scheme}://{self.path}" + (f"#{self.field}" if self.field else "")


class SecretUse(NamedTuple):
    """A reference among the arguments of a call.

    Attributes:
        pointer: RFC 6901, into the arguments.
        reference: What stands there.
    """

    pointer: str
    reference: Reference


def reference_of(text: object) -> Reference:
    """The reference that a text is.

    Raises:
        BadInput: It is none; says what one looks like, and nothing of what was given.
    """
    scheme, found, rest = text.partition("://") if isinstance(text, str) else ("", "", "")
    form = _FORMS.get(scheme)
    match = form.fullmatch(rest) if found and form is not None else None
    if match is None:
        raise BadInput(
            "not a reference to a secret", code="secret.form",
            remedy="Write env://NAME, file:///path#field or vault://mount/path?version=3#field.",
        )  # fmt: skip
    said = match.groupdict()
    return Reference(str(text), scheme, said["path"], said.get("field") or "", int(said.get("version") or 0))


def check_allowed(name: str) -> None:
    """Refuse what cannot be the name of a reference, or the beginning of names with a `*` behind it.

    Raises:
        BadInput: It is neither, or names a version.
    """
    if name.endswith("*"):
        scheme, found, rest = name[:-1].partition("://")
        if not found or scheme not in SCHEMES or len(rest) < (1 if scheme == "env" else 2) or not rest.isascii():
            raise BadInput(
                "not the beginning of references", code="secret.form",
                remedy="Write a scheme and some of the name before the *, such as env://PAY_*.",
            )  # fmt: skip
        return
    reference = reference_of(name)
    if reference.version:
        raise BadInput("names a version", code="secret.form", remedy="Leave the version out: any of them is allowed.")


def places_of(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object that has the key, and where it stands, as a pointer; what is within one is not looked at."""
    yield from _found(value, [])


def _found(value: object, path: list[str | int]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        if SECRET in value:
            yield pointer(path), value
            return
        for key, part in value.items():
            yield from _found(part, [*path, key])
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _found(part, [*path, index])


def standing(value: Any) -> Any:
    """The value with each reference as a text: what schemas, rules and look-ups see where the secret will stand."""
    return _replaced(value, lambda text: text)


def blank(value: Any) -> Any:
    """The value with nothing in the place of each reference: where one comes from, the operator's rule says."""
    return _replaced(value, lambda text: None)


def filled(value: Any, secrets: Mapping[str, str]) -> Any:
    """The value with each reference replaced by its secret, in parts of its own; what comes in is not looked into.

    Args:
        secrets: By the text of the reference.
    """
    return _replaced(value, secrets.__getitem__)


def _replaced(value: Any, by: Callable[[str], str | None]) -> Any:
    if isinstance(value, Mapping):
        if SECRET in value:
            return by(value[SECRET])
        return {key: _replaced(part, by) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, by) for part in value]
    return value
