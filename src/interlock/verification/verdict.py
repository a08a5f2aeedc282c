"""A verdict: one of three words, bound to one call, with what it rests on; and how a model's answer becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from interlock.core.canonical import Json, JsonLimits, parse_json
from interlock.errors import BadInput

CONCERNS_MAX = 8
CONCERN_MAX = 400
"""Concerns of one verdict, and characters of one."""

_LIMITS = JsonLimits(bytes_max=16_384, depth_max=16, keys_max=200, items_max=200, string_max=4096)
_KEYS = frozenset({"verdict", "nonce", "digest", "concerns", "correction", "confidence"})
_NEEDED = ("verdict", "nonce", "digest")


class Word(StrEnum):
    """The three answers. There is no fourth, and no spelling of one that counts as it."""

    APPROVED = "approved"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a second reader said of exactly one call.

    Attributes:
        verdict: The answer.
        digest: Call digest of what was read, hex.
        verifier: Who read it, with its version.
        concerns: What speaks against it, each at most 400 characters; for the model and for people.
        correction: Arguments that the reader would have had instead, whole; None for none.
        confidence: How sure it says it is, 0 to 100; shown, and held against a threshold where one is set. It never
            makes an approval of anything else. None where it did not say.
        why: Why it is uncertain, for the audit alone.
        nonce: What the answer had to repeat; empty where none was asked for.
        input_digest: SHA-256 of everything that the reader was given, hex; empty where it was not a model.
        tokens: Input and output tokens that the reading took, as the provider counts them.
        micro_usd: What it cost.
        cached_ms: How old the answer was when it was used again; None for a fresh one.
    """

    verdict: Word
    digest: str
    verifier: str
    concerns: tuple[str, ...] = ()
    correction: Mapping[str, Json] | None = None
    confidence: int | None = None
    why: str = ""
    nonce: str = ""
    input_digest: str = ""
    tokens: tuple[int, int] = (0, 0)
    micro_usd: int = 0
    cached_ms: int | None = None

    def as_json(self) -> dict[str, Json]:
        """The verdict as events keep it; empty parts left out."""
        said: dict[str, Json] = {"verdict": self.verdict.value, "digest": self.digest, "verifier": self.verifier}
        if self.concerns:
            said["concerns"] = list(self.concerns)
        if self.tokens != (0, 0):
            said["tokens"] = {"input": self.tokens[0], "output": self.tokens[1]}
        for name in ("correction", "confidence", "cached_ms"):
            if (value := getattr(self, name)) is not None:
                said[name] = value
        for name in ("why", "nonce", "input_digest", "micro_usd"):
            if value := getattr(self, name):
                said[name] = value
        return said


def verdict_from_json(said: Mapping[str, Any]) -> Verdict:
    """The verdict, from what `as_json` gave. What it cost was settled when it was given."""
    return Verdict(
        verdict=Word(said["verdict"]),
        digest=said["digest"],
        verifier=said["verifier"],
        concerns=tuple(said.get("concerns", ())),
        correction=said.get("correction"),
        confidence=said.get("confidence"),
        why=said.get("why", ""),
        nonce=said.get("nonce", ""),
        input_digest=said.get("input_digest", ""),
        cached_ms=said.get("cached_ms"),
    )


def parse_verdict(text: str, asked: Verdict) -> Verdict:
    """The verdict that a model's whole answer is; uncertain, with the reason, where it is anything else.

    The answer must be one JSON object with the words `verdict`, `nonce` and `digest`, and may have `concerns`,
    `correction` and `confidence`; nothing else, and nothing around it. Whoever approves has no concern and no
    correction.

    Args:
        asked: The verdict as it stands while nobody has answered: uncertain, with the nonce and the digest asked for.
    """
    try:
        said = _checked(parse_json(text, _LIMITS), asked)
    except BadInput as error:
        return replace(asked, why=f"{error.code}: {error.args[0]}")
    return replace(
        asked,
        verdict=Word(said["verdict"]),
        concerns=tuple(said.get("concerns") or ()),
        correction=said.get("correction"),
        confidence=said.get("confidence"),
        why="the reader said so" if said["verdict"] == Word.UNCERTAIN else "",
    )


def _checked(said: Json, asked: Verdict) -> dict[str, Any]:
    """The answer, if it has exactly the form that was asked for.

    Raises:
        BadInput: It has another.
    """
    if not isinstance(said, dict):
        raise _malformed("no object")
    if strange := set(said) - _KEYS:
        raise _malformed(f"{len(strange)} keys that were not asked for")
    for key in _NEEDED:
        if not isinstance(said.get(key), str):
            raise _malformed(f"no text {key}")
    if said["nonce"] != asked.nonce:
        raise _malformed("another nonce")
    if said["digest"] != asked.digest:
        raise _malformed("another call's digest")
    if said["verdict"] not in tuple(Word):
        raise _malformed("no verdict that there is")
    concerns, correction = said.get("concerns") or [], said.get("correction")
    if not isinstance(concerns, list) or len(concerns) > CONCERNS_MAX:
        raise _malformed(f"concerns that are no list of at most {CONCERNS_MAX}")
    if not all(isinstance(concern, str) and 0 < len(concern) <= CONCERN_MAX for concern in concerns):
        raise _malformed(f"a concern that is no text of 1 to {CONCERN_MAX} characters")
    if correction is not None and not isinstance(correction, dict):
        raise _malformed("a correction that is no object")
    confidence = said.get("confidence")
    if confidence is not None and (type(confidence) is not int or not 0 <= confidence <= 100):
        raise _malformed("a confidence that is no integer from 0 to 100")
    if said["verdict"] == Word.APPROVED and (concerns or correction is not None):
        raise _malformed("an approval that objects")
    return dict(said)


def _malformed(what: str) -> BadInput:
    return BadInput(what, code="verify.malformed")
