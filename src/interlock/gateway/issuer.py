"""The public keys of whoever issues tokens: read from a file or fetched, kept, and looked for again within bounds."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from interlock.core.clock import Clock
from interlock.errors import InterlockError, SettingsError

logger = logging.getLogger("interlock.gateway")

REFRESH_S: Final = 600.0
"""Seconds after which they are looked for again."""

AGAIN_S: Final = 30.0
"""Seconds between two looks, whatever key a token names: odd ones do not make this process ask more often."""

KEEP_S: Final = 86_400.0
"""Seconds that they hold where they cannot be found again."""

Fetch = Callable[[], Awaitable[bytes]]
"""Brings the document with the keys; raises `InterlockError` or `TimeoutError` where it cannot."""


class IssuerKeys:
    """The document with the keys, as it stands.

    Args:
        fetch: Brings it.
    """

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._text = b""
        self._got_s = float("-inf")
        self._asked_s = float("-inf")
        self._asking = anyio.Lock()

    async def text(self, *, fresh: bool = False) -> bytes:
        """The document.

        Args:
            fresh: The one at hand lacks a key that is asked for: look again, where that is not too soon.

        Raises:
            SettingsError: There is none, or none that is not too old.
        """
        if self._due(fresh) or not self._text:  # while one looks, the others go on with what there is
            async with self._asking:
                if self._due(fresh):
                    await self._look()
        if self._clock.mono_s() - self._got_s >= KEEP_S:
            raise SettingsError("the keys of the issuer of tokens cannot be had", code="token.keys")
        return self._text

    def _due(self, fresh: bool) -> bool:
        now_s = self._clock.mono_s()
        return (fresh or now_s - self._got_s >= REFRESH_S) and now_s - self._asked_s >= AGAIN_S

    async def _look(self) -> None:
        self._asked_s = self._clock.mono_s()
        try:
            self._text = await self._fetch()
            self._got_s = self._asked_s
        except (InterlockError, TimeoutError, OSError) as error:
            logger.error("the keys of the issuer of tokens cannot be had: %s", error)
