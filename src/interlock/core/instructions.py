"""What in somebody else's text speaks to the model behind its user's back: found by patterns, without a model.

One detector for what a tool says of itself and for what it returns. The patterns are English, and whoever rewords well
is not found: a finding is evidence for people and rules, and nothing rests on it. Of a definition that is why a person
reviews it whatever is found; of a result, why the origin of each argument decides.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Final

from interlock.core.visible import visible


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


@cache
def _compiled(sign: Sign) -> re.Pattern[str]:
    """What finds a sign: made when first asked for, because making all takes a fifteenth of loading the library."""
    return re.compile("|".join(f"(?:{each})" for each in _PATTERNS[sign]), re.MULTILINE)


BLOB: Final = re.compile(r"[A-Za-z0-9+/_-]{64,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){48,}|(?:%[0-9a-fA-F]{2}){12,}")
_QUOTED: Final = 60

_LOOK_ALIKE: Final = str.maketrans("авеіорсухѕԁјһτοα", "abeiopcyxsdjhtoa")  # that is the point


_SPACES: Final = re.compile(r"[^\S\n]+")
_UNSEEN: Final = dict.fromkeys(
    number for number in range(128) if not chr(number).isprintable() and not chr(number).isspace()
)

STEMS: Final = (
    r"(?i:(?:not|n'?t|never|without|avoid)\W+(?:\w+\W+){0,3}?(?:tell|mention|inform|reveal|show|disclos|notify|alert"
    r"|warn|explain|ask|let|talk|see|know|notic|aware|be told))",
    r"(?i:silently|secretly|covertly|discreetly|keep\W+(?:this|it|that)\W)",
    r"(?i:ignor(?:e|ing)|disregard|forget|overrid|bypass|instead\W+of\W+(?:using|calling|invoking))",
    r"(?i:(?:system|developer)\W+(?:prompt|message|instruction|override|note)|you\W+are\W+now|from\W+now\W+on)",
    r"(?i:(?:new|updated|real|actual|following)\W+instruction|(?:highest|top|absolute|critical)\W+priority)",
    r"(?i:your\W+(?:\w+\W+)?(?:task|goal|objective|job|instruction)s?\W+(?:is|are|has\W+changed))",
    r"<(?i:/?\s*(?:important|system|instruction|secret|hidden|admin|assistant|user|tool_call|function_call|critical"
    r"|information))|<\||<!--|<<(?i:sys)>>|\[/?(?i:inst|system)\]",
    r"(?i:(?:^|[\"\n])\s*(?:###?\s*)?(?:system|assistant|human)\s*:)",
    r"(?i:(?:this|any|all|every|other|another)\W+(?:other\W+)?tools?)",
    r"(?i:(?:you|assistant|model|agent|ai|llm)\W+(?:must|shall|have\W+to|are\W+required)\W)",
    r"(?i:not\W+(?:work|function)\W+(?:if|unless|until|without)\W+you)",
    r"(?i:also\W+(?:send|forward|copy|bcc|upload|email|transmit|post))",
    r"(?i:(?:first|always)\W+(?:read|call|invoke|open|fetch|send|run))",
    r"(?i:\.ssh|id_rsa|/etc/(?:passwd|shadow)|\.env|\.aws|mcp\.json|credential|private\W+key|password|api[ _-]?key"
    r"|access\W+token|(?:conversation|chat)\W+history|previous\W+message|cookies|seed\W+phrase)",
    r"[A-Za-z0-9+/_-]{64}|(?:[0-9a-fA-F]{2}[ :]?){48}|(?:%[0-9a-fA-F]{2}){12}",
    r"[авеіорсухѕԁјһτοα\x{2100}-\x{214f}\x{ff01}-\x{ff5e}\x{1d400}-\x{1d7ff}\x{fb00}-\x{fb06}\x{24b6}-\x{24e9}]",
)
"""What is there wherever a sign is, in the syntax of a linear-time engine; tests hold that it is there."""


def spoken(text: str) -> Iterator[tuple[Sign, str]]:
    """The signs that a text speaks to the model, each once, with the part that says it, at most 60 characters.

    What is encoded in it, in base64, hexadecimal or with percent signs, is looked at too.
    """
    yield from _said(plain(text))
    if blob := BLOB.search(text):
        yield Sign.BLOB, blob[0][:_QUOTED]
        yield from _said(plain(_decoded(blob[0])))


def _said(text: str) -> Iterator[tuple[Sign, str]]:
    for sign in _PATTERNS:
        if match := _compiled(sign).search(text):
            yield sign, match[0].strip()[:_QUOTED]


def plain(text: str) -> str:
    """The text as its reader takes it: hidden characters gone, letters drawn alike made one, all small, one space."""
    if text.isascii():
        return _SPACES.sub(" ", text.translate(_UNSEEN).lower())
    seen = (each.hidden or each.text for each in visible(text))
    kept = "".join(part for part in seen if len(part) > 1 or part.isprintable() or part.isspace())
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", kept).casefold().translate(_LOOK_ALIKE))


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
