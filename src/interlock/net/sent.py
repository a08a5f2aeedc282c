"""What became of something that was sent out: data, whatever the far end did."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """What an answer means for whoever sent."""

    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"


class Sent(NamedTuple):
    """The end of one try.

    Attributes:
        verdict: `accepted`; `later`, where another try may get through (this one may have arrived all the same);
            `refused`, where none will.
        why: What was answered or went wrong, in our words: nothing that a far end wrote.
        retry_after_s: Seconds that it asked to be left alone; 0 where it did not.
    """

    verdict: Verdict
    why: str
    retry_after_s: float = 0.0
