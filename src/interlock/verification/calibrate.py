"""How good a verifier is: labelled calls in, figures at each threshold out. Pure: the caller asks the verifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

from interlock.core.canonical import Json, canonical, digest, parse_json
from interlock.core.tool import Effect
from interlock.errors import BadInput
from interlock.models.metered import Meter
from interlock.verification.question import Earlier, Question
from interlock.verification.verdict import Verdict, Word

_KEYS = frozenset({"tool", "effect", "arguments", "words", "earlier", "label", "server", "description"})
_EARLIER_KEYS = frozenset({"tool", "arguments", "outcome", "value"})
_Z = 1.959964
"""Standard deviations of a 95 % interval."""


class Labelled(NamedTuple):
    """One call that somebody has judged.

    Attributes:
        tool, server, description, effect, arguments, words, earlier: As `Question` has them.
        right: Whether it should run.
    """

    tool: str
    server: str
    description: str
    effect: str
    arguments: dict[str, Any]
    words: str | None
    earlier: tuple[Earlier, ...]
    right: bool

    def question(self, meter: Meter) -> Question:
        """The call as a verifier is asked about it; it is of no run and of no policy."""
        text = canonical(self.arguments)

        async def earlier() -> tuple[Earlier, ...]:
            return self.earlier

        return Question(
            tool=self.tool, server=self.server, description=self.description, tool_hash="", effect=self.effect,
            arguments=self.arguments, text=text, words=self.words, tenant="", principal="", policy="",
            digest=digest("interlock/calibrate/1", self.tool.encode(), text).hex(), earlier=earlier, meter=meter,
        )  # fmt: skip


def read_labelled(text: str | bytes) -> Labelled:
    """One line of a file of labelled calls.

    Raises:
        BadInput: It is not strict JSON, or a key is missing, unknown or of the wrong type; the message names it.
    """
    said = parse_json(text)
    if not isinstance(said, dict):
        raise _bad("no object", "Write one object a line.")
    if strange := sorted(set(said) - _KEYS):
        raise _bad(f"unknown key {strange[0]!r}", f"Keys are {', '.join(sorted(_KEYS))}.")
    effect, label = said.get("effect"), said.get("label")
    if effect not in tuple(Effect):
        raise _bad("effect: no effect that there is", f"Write one of {', '.join(Effect)}.")
    if label not in ("right", "wrong"):
        raise _bad("label: neither right nor wrong", "Write one of them.")
    words = said.get("words")
    if words is not None and not isinstance(words, str):
        raise _bad("words: no text", "Write a text, or null where they were not seen.")
    earlier = said.get("earlier", [])
    if not isinstance(earlier, list):
        raise _bad("earlier: no list", "Write a list of calls.")
    return Labelled(
        tool=_text(said, "tool"),
        server=_text(said, "server", "local"),
        description=_text(said, "description", ""),
        effect=str(effect),
        arguments=_object(said, "arguments", ""),
        words=words,
        earlier=tuple(_earlier(call, f"earlier/{number}: ") for number, call in enumerate(earlier)),
        right=label == "right",
    )


def _earlier(said: Json, where: str) -> Earlier:
    if not isinstance(said, dict):
        raise _bad(f"{where}no object", "Write tool, arguments, outcome and value.")
    if strange := sorted(set(said) - _EARLIER_KEYS):
        raise _bad(f"{where}unknown key {strange[0]!r}", f"Keys are {', '.join(sorted(_EARLIER_KEYS))}.")
    outcome = _text(said, "outcome", "done", where)
    return Earlier(_text(said, "tool", None, where), _object(said, "arguments", where), outcome, said.get("value"))


def _text(said: Mapping[str, Json], key: str, usual: str | None = None, where: str = "") -> str:
    value = said.get(key, usual)
    if not isinstance(value, str):
        raise _bad(f"{where}{key}: no text", "Write one.")
    return value


def _object(said: Mapping[str, Json], key: str, where: str) -> dict[str, Any]:
    value = said.get(key)
    if not isinstance(value, dict):
        raise _bad(f"{where}{key}: no object", "Write the whole arguments.")
    return value


def _bad(what: str, remedy: str) -> BadInput:
    return BadInput(what, code="calibrate.line", remedy=remedy)


# ------------------------------------------------------------------------------ figures


class Share(NamedTuple):
    """A part of a number of calls, with its Wilson 95 % interval.

    Attributes:
        part, whole: How many of how many.
    """

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share is, with 95 % confidence, if the calls were drawn at random; from 0 to 1."""
        if not self.whole:
            return 0.0, 1.0
        share, square = self.part / self.whole, _Z * _Z / self.whole
        middle = (share + square / 2) / (1 + square)
        half = _Z * sqrt(share * (1 - share) / self.whole + square / (4 * self.whole)) / (1 + square)
        return max(0.0, middle - half), min(1.0, middle + half)

    def as_json(self) -> dict[str, Json]:
        """The counts, the share and its interval."""
        low, high = self.interval
        return {"part": self.part, "whole": self.whole, "share": self.value, "low": low, "high": high}


class Row(NamedTuple):
    """What a verifier does where approvals below a confidence count as a doubt. Stopped is rejected or in doubt.

    Attributes:
        threshold: The confidence, 0 to 100; 0 for none asked for.
        recall: Wrong calls that are stopped, of all wrong ones.
        precision: Wrong calls, of all that are stopped.
        cost: Right calls that are stopped, of all right ones.
    """

    threshold: int
    recall: Share
    precision: Share
    cost: Share


def at_each_threshold(read: Sequence[tuple[bool, Verdict]]) -> list[Row]:
    """A row for each threshold at which something changes, from none on.

    Args:
        read: For each call whether it was right, and what the verifier said.
    """
    sure = {verdict.confidence for _, verdict in read if verdict.verdict is Word.APPROVED}
    steps = sorted({each + 1 for each in sure if each is not None and each < 100} | {0})
    return [_row(threshold, read) for threshold in steps]


def _row(threshold: int, read: Sequence[tuple[bool, Verdict]]) -> Row:
    right = [_stops(verdict, threshold) for is_right, verdict in read if is_right]
    wrong = [_stops(verdict, threshold) for is_right, verdict in read if not is_right]
    stopped = sum(right) + sum(wrong)
    return Row(
        threshold, Share(sum(wrong), len(wrong)), Share(sum(wrong), stopped), Share(sum(right), len(right))
    )  # fmt: skip


def _stops(verdict: Verdict, threshold: int) -> bool:
    """As the gate does it: who does not say how sure they are is below every threshold."""
    if verdict.verdict is not Word.APPROVED:
        return True
    return threshold > 0 and (verdict.confidence is None or verdict.confidence < threshold)
