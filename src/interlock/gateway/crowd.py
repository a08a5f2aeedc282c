"""How much one principal, and whoever has no key, may take of the door: the rest is for everybody else."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from interlock.core.clock import Clock
from interlock.core.principal import Principal
from interlock.errors import BadInput

AT_ONCE_MAX: Final = 32
"""Requests of one principal that are answered at the same time, and beside them as many streams that stay open."""

_WRONG_MAX: Final = 20
_WRONG_PER_S: Final = 2.0
_KNOWN_MAX: Final = 10_000


class Crowd:
    """Counts what each principal has open."""

    def __init__(self, at_once: int = AT_ONCE_MAX) -> None:
        self._at_once = at_once
        self._open: Counter[tuple[str, str, bool]] = Counter()
        self._asked: set[tuple[str, str]] = set()

    @contextmanager
    def one(self, principal: Principal, *, stream: bool) -> Iterator[Callable[[], None]]:
        """One more request, or stream, for as long as the block lasts, or until what it gives is called.

        Raises:
            BadInput: There are too many (`http.crowd`).
        """
        key = (principal.tenant, principal.id, stream)
        if self._open[key] >= self._at_once:
            what = "streams are open" if stream else "requests are under way"
            raise BadInput(f"{self._at_once} {what} already", code="http.crowd", remedy="Wait until one has ended.")
        self._open[key] += 1
        here = [key]

        def leave() -> None:
            if here:
                here.clear()
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]

        try:
            yield leave
        finally:
            leave()

    @contextmanager
    def asking(self, session: str, asked: str) -> Iterator[None]:
        """A request under its id in a session, which has no other by that id for as long as the block lasts.

        Args:
            session: Empty for none: then each request has its own answer and nothing else.

        Raises:
            BadInput: It has one (`rpc.id`): its answer could go to the other.
        """
        if not session:
            yield
            return
        key = (session, asked)
        if key in self._asked:
            raise BadInput("a request by this id is under way", code="rpc.id", remedy="Give each request its own id.")
        self._asked.add(key)
        try:
            yield
        finally:
            self._asked.discard(key)


class Strangers:
    """Counts the requests of nobody, by the address that they come from.

    Behind a proxy all come from one address: then all strangers share what one has. Nobody who has a key is counted.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def note(self, address: str) -> None:
        """One more of them.

        Raises:
            BadInput: There were too many lately (`http.rate`).
        """
        now_s = self._clock.mono_s()
        left, since_s = self._left.pop(address, (float(_WRONG_MAX), now_s))
        left = min(float(_WRONG_MAX), left + (now_s - since_s) * _WRONG_PER_S) - 1
        self._left[address] = (max(left, -1.0), now_s)
        if len(self._left) > _KNOWN_MAX:
            self._left.popitem(last=False)
        if left < 0:
            raise BadInput("too many requests that nobody has a key for", code="http.rate", remedy="Come back later.")
