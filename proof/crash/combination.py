"""What is tried: a class of tool, a place, and where each process in turn is killed."""

from __future__ import annotations

from typing import NamedTuple

CLASSES = ("keyed", "idempotent", "reconcilable", "none")
"""What the tool's author declared of the far end."""

PLACES = ("alone", "batch", "approval")
"""One call alone, several proposed together, one that waits for an approval that arrives."""


class Kill(NamedTuple):
    """Where one process ends.

    Attributes:
        point, nth: At the n-th passing of a point; empty for at a time.
        after_s: That many seconds after its fork.
    """

    point: str = ""
    nth: int = 0
    after_s: float = 0.0

    def __str__(self) -> str:
        """`intent.committed#1`, or `at:0.0123`."""
        return f"{self.point}#{self.nth}" if self.point else f"at:{self.after_s:.4f}"


class Combination(NamedTuple):
    """One thing to try.

    Attributes:
        tool_class, place: Of `CLASSES` and `PLACES`.
        kills: Of the first process, then of each that recovers; the next one lives.
    """

    tool_class: str
    place: str
    kills: tuple[Kill, ...] = ()

    def __str__(self) -> str:
        """What `--only` takes."""
        return "/".join((self.tool_class, self.place, *map(str, self.kills)))


def combination(text: str) -> Combination:
    """The combination that was written so.

    Raises:
        ValueError: It is none.
    """
    tool_class, place, *kills = text.split("/")
    if tool_class not in CLASSES or place not in PLACES:
        raise ValueError(f"{text!r}: a class of {', '.join(CLASSES)} and a place of {', '.join(PLACES)} come first")
    return Combination(tool_class, place, tuple(_kill(kill) for kill in kills))


def _kill(text: str) -> Kill:
    if text.startswith("at:"):
        return Kill(after_s=float(text.removeprefix("at:")))
    point, _, nth = text.partition("#")
    return Kill(point, int(nth or 1))
