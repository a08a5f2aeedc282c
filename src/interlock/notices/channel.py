"""A channel: where notices go, and for whom it is."""

from __future__ import annotations

from typing import Protocol

from interlock.net.sent import Sent
from interlock.notices.notice import Audience, Notice


class Channel(Protocol):
    """One place that notices are sent to."""

    @property
    def name(self) -> str:
        """Unique among the channels of a deployment; part of every notice's id."""
        ...

    @property
    def audience(self) -> Audience:
        """Which notices it is for."""
        ...

    async def send(self, notice: Notice, at_us: int) -> Sent:
        """Try once to deliver a notice, under its id. Never raises for what a network or a receiver does.

        Args:
            at_us: The time, microseconds UTC.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
