"""One tool of every class, for a simulation of the path itself: what the far end promises, and what it does not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from interlock.core.tool import CallContext, Tool
from interlock.registry.define import foreign_tool
from interlock.testing.far_end import FarEnd
from interlock.testing.simulated_plan import Wish

NUMBER = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
KEY = {
    "type": "object",
    "properties": {"idempotency_key": {"type": "string"}},
    "required": ["idempotency_key"],
    "additionalProperties": False,
}

CLASSES: dict[str, dict[str, Any]] = {
    "read": {"effect": "read"},
    "fetch": {"effect": "read", "outward": True},
    "keyed": {"effect": "reversible", "keyed": True},
    "idempotent": {"effect": "reversible", "idempotent": True},
    "reconcilable": {"effect": "reversible", "reconcile": "was_done"},
    "none": {"effect": "reversible"},
    "falls_back": {"effect": "reversible", "fallback": "keyed"},
    "held": {"effect": "irreversible"},
    "held_keyed": {"effect": "irreversible", "keyed": True},
}
"""Class to what its tool declares."""


def every_class(far: FarEnd) -> list[Tool]:
    """The tools; `was_done` is the one that `reconcilable` is settled by."""

    async def was_done(arguments: dict[str, Any], context: CallContext) -> object:
        return await far.read(context, lambda: far.done(arguments["idempotency_key"]))

    made = [_tool(far, name, options) for name, options in CLASSES.items()]
    return [*made, foreign_tool("was_done", "local", "Whether a call was done.", KEY, was_done, effect="read")]


def _tool(far: FarEnd, name: str, options: dict[str, Any]) -> Tool:
    async def read(arguments: dict[str, Any], context: CallContext) -> object:
        return await far.read(context, lambda: {"n": arguments["n"]})

    async def write(arguments: dict[str, Any], context: CallContext) -> object:
        keyed, final = options.get("keyed", False), "reconcile" in options
        return await far.do(context, name, arguments, dedupe=keyed, final=final)

    body = read if options["effect"] == "read" else write
    return foreign_tool(name, "local", f"Does {name} with a number.", NUMBER, body, **options)


def any_wishes(most: int = 4) -> Callable[[Random], list[Wish]]:
    """One to `most` calls of any class."""
    names = tuple(CLASSES)

    def wishes(rng: Random) -> list[Wish]:
        count = min(rng.choice((1, 1, 1, 2, 2, 3, 4)), most)
        return [Wish(rng.choice(names), {"n": index}, f"wish {index}") for index in range(count)]

    return wishes
