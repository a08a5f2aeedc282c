"""A saga that a test owns: steps that take a number, each undone by `un` and its name, and what becomes of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from interlock import CallContext, Rejected, Saga, Step, Tool, result
from interlock.core.tool import Effect
from tests.planes import Far

ALLOW = "permit (principal, action, resource);"
Does = Callable[[dict[str, Any], CallContext], Awaitable[object]]


@dataclass
class Desk:
    """Tools `a`, `b`, `c`, … and `una`, `unb`, `unc`, …: what ran, in order, and what each is told to do.

    Attributes:
        does: Name of a tool to what it does instead of answering with its number.
    """

    names: str = "abcde"
    does: dict[str, Does] = field(default_factory=dict)
    far: Far = field(default_factory=Far)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)

    def tools(self) -> list[Tool]:
        """All of them; every compensation is idempotent."""
        undone = {
            name: {"compensate": f"un{name}", "compensate_with": {"n": "/result/n"}, **self.options.get(name, {})}
            for name in self.names
        }
        return [
            *(self._tool(name, **options) for name, options in undone.items()),
            *(
                self._tool(f"un{name}", **{"idempotent": True, **self.options.get(f"un{name}", {})})
                for name in self.names
            ),
        ]

    @property
    def ran(self) -> list[str]:
        """The tools that ran, in order."""
        return self.far.names

    @property
    def times(self) -> Counter[str]:
        """How often each ran."""
        return Counter(self.far.names)

    def _tool(self, name: str, effect: str = Effect.REVERSIBLE, **options: Any) -> Tool:
        async def does(arguments: dict[str, Any], context: CallContext) -> object:
            own = self.does.get(name)
            return {"n": arguments["n"]} if own is None else await own(arguments, context)

        return self.far.tool(name, effect, does, **options)


def in_line(names: str = "abcde", pivot: str = "", **steps: dict[str, Any]) -> Saga:
    """A saga of those steps one after the other, each taking its number from the one before."""
    made = []
    for number, name in enumerate(names):
        given: dict[str, Any] = {"n": result(names[number - 1], "/n") if number else 7}
        made.append(Step(name, name, **{"arguments": given, "pivot": name == pivot, **steps.get(name, {})}))
    return Saga("line", made)


async def refuse(arguments: dict[str, Any], context: CallContext) -> object:
    """The far end says that it did not do it."""
    raise Rejected("409", reason="not now")


async def break_down(arguments: dict[str, Any], context: CallContext) -> object:
    """Whether it was done cannot be known."""
    raise RuntimeError("the connection broke")


def times(nth: int, otherwise: Does) -> Does:
    """Something else for the first so many times, then an answer with its number."""
    left = nth

    async def does(arguments: dict[str, Any], context: CallContext) -> object:
        nonlocal left
        left -= 1
        return {"n": arguments["n"]} if left < 0 else await otherwise(arguments, context)

    return does
