"""Predicates of a grant as they are typed: `--where /customer_id=cus_7 --at-most /amount_cents=5000 --any /note`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import click

from interlock.approvals.where import Where
from interlock.core.canonical import Json, parse_json
from interlock.errors import BadInput

OPTIONS = {
    "where": ("equals", "Exactly this value."),
    "one-of": ("one_of", "One of these values: repeat it for each."),
    "at-most": ("at_most", "A number up to this one."),
    "at-least": ("at_least", "A number from this one on."),
    "prefix": ("prefix", "A text that begins so, at a boundary."),
    "domain": ("domain", "A mail address of this domain."),
}
"""Option to predicate and help."""

_TEXTS = ("prefix", "domain")


def predicate_options(declare: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take predicates; they come as one mapping, `predicates`."""
    for option, (kind, help_text) in reversed(OPTIONS.items()):
        declare = click.option(f"--{option}", kind, multiple=True, metavar="/POINTER=VALUE", help=help_text)(declare)
    return click.option("--any", "any", multiple=True, metavar="/POINTER", help="Anything, or nothing, there.")(declare)


def typed(given: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, Any]]:
    """The predicates that were typed, by pointer. A value is JSON where it can be read as JSON, else a text.

    Args:
        given: What was typed, by predicate.

    Raises:
        BadInput: One is not POINTER=VALUE, or is said twice.
    """
    said: dict[str, dict[str, Any]] = {where: {"any": True} for where in given["any"]}
    for option, (kind, _) in OPTIONS.items():
        for text in given[kind]:
            where, equals, value = text.partition("=")
            if not equals:
                raise BadInput(f"--{option} {text!r}", code="cli.predicate", remedy="Write it as /POINTER=VALUE.")
            predicates = said.setdefault(where, {})
            if kind == "one_of":
                predicates.setdefault(kind, []).append(_value(value))
            elif kind in predicates:
                raise BadInput(f"--{option} {where} twice", code="cli.predicate", remedy="Say each once.")
            else:
                predicates[kind] = value if kind in _TEXTS else _value(value)
    return said


def widened(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Predicates with others in their place: what is said of a pointer replaces all that stood at and below it."""
    kept = {
        where: predicates
        for where, predicates in before.items()
        if not any(where == new or where.startswith(new + "/") for new in said)
    }
    return {**kept, **said}


def options_of(where: Where) -> str:
    """The predicates as they would be typed; `typed` reads them back as the same."""
    options = {kind: option for option, (kind, _) in OPTIONS.items()}
    words = []
    for clause in where.clauses:
        if clause.kind == "any":
            words += ["--any", clause.pointer]
            continue
        values = clause.operand if clause.kind == "one_of" and isinstance(clause.operand, list) else [clause.operand]
        for value in values:
            text = value if clause.kind in _TEXTS else _text(value)
            words += [f"--{options[clause.kind]}", f"{clause.pointer}={text}"]
    return shlex.join(words)


def _value(text: str) -> Json:
    try:
        return parse_json(text)
    except BadInput:
        return text


def _text(value: Json) -> str:
    """A plain text as it is; what could be read as something else, or not be seen, as JSON."""
    plain = isinstance(value, str) and value.isascii() and value.isprintable() and _value(value) is value
    return str(value) if plain else _json(value)


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True)
