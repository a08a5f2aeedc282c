"""What in a definition speaks to the model behind its user's back: found by patterns, without a model.

A definition is text by somebody else. The patterns are English; whoever rewords well is not found, which is why a
definition is reviewed by a person whatever is found here. What is found is shown first and classed as such.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from interlock.core.canonical import pointer
from interlock.core.visible import visible

_TEXT_MAX: Final = 64 << 10
_SIGNS_MAX: Final = 64
_QUOTED: Final = 60


class Sign(StrEnum):
    """What a text of a definition has in it. `link` and `blob` are worth a look; the others speak to the model."""

    HIDDEN = "hidden"
    SECRECY = "secrecy"
    OVERRIDE = "override"
    MARKUP = "markup"
    ORDER = "order"
    SECRET_DATA = "secret_data"
    OTHER_TOOL = "other_tool"
    LINK = "link"
    BLOB = "blob"

    @property
    def grave(self) -> bool:
        """Whether it makes the text one that instructs."""
        return self not in (Sign.LINK, Sign.BLOB)


class Found(NamedTuple):
    """One sign and where it stands.

    Attributes:
        sign: What it is.
        place: Pointer to the text within the definition.
        quote: The part that says it, at most 60 characters; untrusted text like all of it.
    """

    sign: Sign
    place: str
    quote: str


_USER: Final = r"(?:the |your |any |this )?(?:end[- ]?)?(?:users?|humans?|people|anyone|anybody|operators?|persons?)"
_SEND: Final = "read|send|call|invoke|run|execute|include|copy|forward|append|attach|upload|transfer|pass|email|post"
_SECRET: Final = (
    r"(?:~?/?\.ssh\b|\bid_rsa\b|/etc/(?:passwd|shadow)|\.env\b|\.aws\b|mcp\.json|\bcredentials\b|\bprivate key"
    r"|\bpasswords?\b|\bapi[ _-]?keys?\b|\baccess tokens?\b|\b(?:conversation|chat) history\b|\bsystem prompt\b"
    r"|\bprevious messages\b|\bcookies\b|\bseed phrase)"
)

_PATTERNS: Final[dict[Sign, tuple[str, ...]]] = {
    Sign.SECRECY: (
        r"\b(?:do not|don'?t|never|must not|should not|without|avoid)\s+(?:\w+\s+){0,3}?"
        r"(?:tell|mention|inform|reveal|show|disclose|notify|alert|warn|explain|ask|let)(?:ing)?\b"
        rf"[^.\n]{{0,60}}?\b{_USER}\b",
        rf"\b{_USER}\s+(?:must|should|need|does|do|is)\s?(?:not|n'?t)\s+(?:\w+\s+)?"
        r"(?:see|know|notice|aware|be told|informed)",
        r"\b(?:silently|secretly|covertly|discreetly)\s+(?:and \w+ )?"
        r"(?:read|send|forward|copy|include|upload|pass|call|add|bcc|collect|run|log|append|transmit|attach|exfiltrate)",
        r"\bkeep (?:this|it|that) (?:\w+ )?(?:secret|hidden|confidential|between us|to yourself)\b",
        r"\bdo not (?:mention|reveal|disclose|talk about) (?:this|that|these|it)\b",
    ),
    Sign.OVERRIDE: (
        r"\b(?:ignore|disregard|forget|override|bypass)\s+(?:\w+\s+){0,3}?"
        r"(?:instructions?|rules?|polic(?:y|ies)|prompts?|guidelines|restrictions|safeguards|context|guardrails)\b",
        r"\b(?:system|developer) (?:prompt|message|instruction|override|note)s?\b",
        r"\b(?:new|updated|real|actual|following) instructions?\s*(?::|are\b|is\b)",
        r"\byou are now\b|\bfrom now on\b",
        r"\b(?:highest|top|absolute|critical) priority\b",
        r"\binstead of (?:using|calling|invoking) (?:the |any )?(?:other|original|\w+_\w+)",
        r"\byour (?:\w+ )?(?:task|goal|objective|job|instructions?) (?:is|are|has changed)\b",
    ),
    Sign.MARKUP: (
        r"</?\s*(?:important|system|instructions?|secret|hidden|admin|assistant|user|tool_call|function_calls?|critical"
        r"|information)\b[^>]{0,40}>",
        r"<\|[a-z_]{2,20}\|>|\[/?inst\]|\[system\]|<<sys>>|^\s*(?:###?\s*)?(?:system|assistant|human)\s*:",
        r"<!--",
    ),
    Sign.ORDER: (
        r"\b(?:before|after|when|whenever|every time|each time|prior to|in order to)\b[^.\n]{0,60}"
        r"\b(?:this|any|all|every|other|another) (?:other )?tools?\b[^.\n]{0,80}"
        r"\b(?:must|should|always|first|need to|have to|make sure)\b",
        r"\b(?:you|the (?:assistant|model|agent|ai|llm)) (?:must|shall|have to|are required to)\s+"
        rf"(?:also |always |first |now )*(?:{_SEND}|visit|fetch|delete|grant|share|pay)\b",
        r"\b(?:this tool|it|otherwise|or) (?:will|would) not (?:work|function) (?:if|unless|until|without) you\b",
        r"\balso (?:send|forward|copy|bcc|upload|email|transmit|post)\b[^.\n]{0,60}(?:@|https?:)",
        r"\b(?:first|always) (?:read|call|invoke|open|fetch|send|run)\b[^.\n]{0,60}"
        r"\b(?:and|then) (?:pass|send|include|put|use)\b",
    ),
    Sign.SECRET_DATA: (
        rf"\b(?:{_SEND}|paste|provide|contents? of|put|extract|share)\b[^.\n]{{0,80}}{_SECRET}",
    ),
}  # fmt: skip

_COMPILED: Final = {
    sign: re.compile("|".join(f"(?:{each})" for each in patterns), re.MULTILINE) for sign, patterns in _PATTERNS.items()
}
_LINK: Final = re.compile(
    r"\b(?:https?|ftp|file|data|javascript)://?[^\s\"'<>)]+|\bjavascript:|\bdata:\w+/", re.IGNORECASE
)
_BLOB: Final = re.compile(r"[A-Za-z0-9+/_-]{64,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){48,}|(?:%[0-9a-fA-F]{2}){12,}")
_PLAIN_SPACES: Final = frozenset("\n\r\t\u00a0\u3000")
_OWN_LINKS: Final = ("/$schema", "/$id", "/$ref", "/format")

_LOOK_ALIKE: Final = str.maketrans("авеіорсухѕԁјһτοα", "abeiopcyxsdjhtoa")  # that is the point


def texts(definition: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a definition with its pointer, the names of its keys included; not what the operator names it."""
    for key, part in definition.items():
        if not where and key in ("name", "server"):
            continue
        place = pointer([*_parts(where), key]) if where else f"/{key}"
        if where and not key.isidentifier():
            yield place, key
        yield from _texts(part, place)


def signs(definition: Mapping[str, Any], others: Iterable[str] = ()) -> tuple[Found, ...]:
    """What in a definition speaks to the model, at most 64 findings, each sign once for each text.

    Args:
        others: Names of tools that are not its own server's: it has no business to speak of them.
    """
    foreign = frozenset(name for name in others if re.search(r"[a-z][_.-][a-z]|[a-z][A-Z]", name))
    found: list[Found] = []
    for place, text in texts(definition):
        found += _signs_of(place, text[:_TEXT_MAX], foreign)
        if len(found) >= _SIGNS_MAX:
            break
    return tuple(found[:_SIGNS_MAX])


def instructs(found: Iterable[Found]) -> bool:
    """Whether something of it speaks to the model."""
    return any(each.sign.grave for each in found)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        yield from texts(value, place)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _texts(part, f"{place}/{number}")


def _signs_of(place: str, text: str, foreign: frozenset[str]) -> Iterator[Found]:
    hidden = [each.text for each in visible(text) if each.hidden and each.hidden not in _PLAIN_SPACES]
    if hidden:
        yield Found(Sign.HIDDEN, place, "".join(hidden[:8]))
    plain = _plain(text)
    for sign, pattern in _COMPILED.items():
        if match := pattern.search(plain):
            yield Found(sign, place, match[0].strip()[:_QUOTED])
    if foreign and (named := sorted(foreign.intersection(re.findall(r"[\w.-]*\w", text)))):
        yield Found(Sign.OTHER_TOOL, place, named[0][:_QUOTED])
    if not place.endswith(_OWN_LINKS) and (match := _LINK.search(text)):
        yield Found(Sign.LINK, place, match[0][:_QUOTED])
    if match := _BLOB.search(text):
        yield Found(Sign.BLOB, place, match[0][:_QUOTED])
        said = _plain(_decoded(match[0]))
        for sign, pattern in _COMPILED.items():
            if inner := pattern.search(said):
                yield Found(sign, place, inner[0].strip()[:_QUOTED])


def _plain(text: str) -> str:
    """The text as its reader takes it: hidden characters gone, letters drawn alike made one, all small, one space."""
    seen = (each.hidden or each.text for each in visible(text))
    kept = "".join(part for part in seen if len(part) > 1 or part.isprintable() or part.isspace())
    plain = unicodedata.normalize("NFKC", kept).casefold().translate(_LOOK_ALIKE)
    return re.sub(r"[^\S\n]+", " ", plain)


def _decoded(blob: str) -> str:
    """What an encoded text says, as base64, hexadecimal or percent-encoded; empty where it is none of them."""
    for decode in (_percent, _hex, _base64):
        try:
            return decode(blob).decode("utf-8")
        except (binascii.Error, ValueError):
            continue
    return ""


def _base64(blob: str) -> bytes:
    return base64.b64decode(blob.rstrip("=").translate(str.maketrans("-_", "+/")) + "=" * (-len(blob.rstrip("=")) % 4))


def _hex(blob: str) -> bytes:
    return bytes.fromhex(blob.replace(":", " "))


def _percent(blob: str) -> bytes:
    return bytes.fromhex(blob.replace("%", ""))


def _parts(where: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in where.split("/")[1:]]
