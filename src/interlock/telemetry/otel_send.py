"""What takes spans and metrics to a collector: what it answered, in OTLP's sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from interlock.errors import NotSent, ToolError
from interlock.net.answer import Answer
from interlock.net.egress import Ask, Egress, seconds_of

ANSWER_MAX: Final = 64 << 10
"""Bytes of a collector's answer that are read."""

_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
"""Statuses after which the same is sent again, by OTLP and for a proxy between."""


class Verdict(StrEnum):
    """What became of a request."""

    TAKEN = "taken"
    LATER = "later"
    REFUSED = "refused"
    TOO_LARGE = "too_large"


class Taken(NamedTuple):
    """What a collector said.

    Attributes:
        verdict: What became of the request.
        why: For the log; nothing of what it answered.
        refused: Of what it took, how much it did not keep.
        after_s: Seconds that it wants to be left alone; 0 where it does not say.
    """

    verdict: Verdict
    why: str
    refused: int = 0
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Collector:
    """One collector.

    Attributes:
        endpoint: Where, without a path of OTLP's.
        headers: What every request bears.
        egress: What sends.
    """

    endpoint: str
    headers: Mapping[str, str] = field(repr=False)
    egress: Egress = field(repr=False)

    async def post(self, path: str, body: bytes, media: str, refused: Callable[[bytes], int]) -> Taken:
        """Send one request. Never raises for what a network does.

        Args:
            refused: Reads from an answer how much was not kept.
        """
        url = f"{self.endpoint.rstrip('/')}{path}"
        headers = {**self.headers, "content-type": media}
        ask = Ask(
            method="POST", url=url, headers=headers, body=body, answer_max=ANSWER_MAX,
            secret_headers=frozenset(self.headers),
        )  # fmt: skip
        try:
            return _judged(await self.egress.send(ask), refused)
        except TimeoutError:
            return Taken(Verdict.LATER, "no answer in time")
        except (NotSent, ToolError) as error:
            return Taken(Verdict.LATER, f"no answer: {error.code}")

    async def close(self) -> None:
        """End the connections that are open."""
        await self.egress.close()


def _judged(answer: Answer, refused: Callable[[bytes], int]) -> Taken:
    why = f"answered {answer.status}"
    if 200 <= answer.status < 300:
        return Taken(Verdict.TAKEN, why, refused(answer.body))
    if answer.status in _AGAIN:
        return Taken(Verdict.LATER, why, after_s=seconds_of(answer) or 0.0)
    return Taken(Verdict.TOO_LARGE if answer.status == 413 else Verdict.REFUSED, why)
