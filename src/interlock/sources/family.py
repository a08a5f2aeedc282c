"""Ready-made tools that keep what they know in the plane's own ledger, and are made for each plane anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from interlock.core.clock import Clock, SystemClock
from interlock.core.tool import Tool
from interlock.errors import StoreUnavailable
from interlock.ledger.store import Store


class Kept(NamedTuple):
    """Where the tools of a plane keep what they know.

    Attributes:
        store: The plane's store; asked only by calls, for tools are made before it is opened.
        clock: The plane's clocks.
    """

    store: Callable[[], Store]
    clock: Clock


class Family(ABC):
    """Tools that belong together."""

    @abstractmethod
    def tools(self, kept: Kept) -> Iterable[Tool]:
        """The tools of one plane: the same definitions each time, over that plane's ledger.

        Raises:
            DefinitionError: An option of the family is not acceptable.
        """


def _nowhere() -> Store:
    raise StoreUnavailable("there is no ledger: these are definitions alone", code="ledger.unavailable")


NOWHERE = Kept(_nowhere, SystemClock())
"""For definitions that nobody calls."""


def members(given: Iterable[Tool | Family], kept: Kept) -> Iterator[Tool]:
    """The tools, and those of each family, in order."""
    for each in given:
        if isinstance(each, Family):
            yield from each.tools(kept)
        else:
            yield each
