"""What of a message are the user's own words, and what they pasted into it: that is text by others."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

QUOTED_MAX: Final = 120
"""Characters between quotation marks that may still be the user's own words: a name, an address, a title."""

_FENCE: Final = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.M | re.S)
_TRIPLE: Final = re.compile(r"(\"{3}|'{3}).*?(?:\1|\Z)", re.S)
_CITED: Final = re.compile(r"^[ \t]*>[^\n]*(?:\n[ \t]*>[^\n]*)*", re.M)
_HEADERS: Final = re.compile(
    r"(?:^(?:-+ ?(?:Original|Forwarded) [Mm]essage ?-+|Begin forwarded message:|On .{4,120} wrote:)[ \t]*$"
    r"|^(?:From|To|Cc|Subject|Date|Sent|Reply-To|Return-Path|Received|Message-ID):[^\n]*\n"
    r"(?:[ \t][^\n]*\n|(?:From|To|Cc|Bcc|Subject|Date|Sent|Reply-To|Received|Message-ID|MIME-Version|Content-[\w-]+"
    r"|X-[\w-]+):[^\n]*(?:\n|\Z)){1,})"
    r".*\Z",
    re.M | re.S,
)
_MARKED: Final = re.compile(
    r"<(document|attachment|file|email|quote|pasted|context)\b[^>]{0,256}>.*?(?:</\1>|\Z)", re.S | re.I
)
_QUOTES: Final = tuple(
    re.compile(pattern, re.S)
    for pattern in (
        r'(?<!\w)"([^"]+)"',
        r"\u201c([^\u201c\u201d]+)\u201d",
        r"\u00ab([^\u00ab\u00bb]+)\u00bb",
        r"\u201e([^\u201c-\u201e]+)[\u201c\u201d]",
        r"(?<!\w)'([^']+)'(?!\w)",
        r"(?<!\w)\u2018([^\u2018\u2019]+)\u2019",
    )
)


_WHOLE: Final = re.compile(r"\s*[\"\u201c]([^\"\u201c\u201d]+)[\"\u201d]\s*", re.S)


class Split(NamedTuple):
    """A message in two.

    Attributes:
        own: The user's own words, with a line's end in the place of each piece that was taken out.
        pasted: The pieces that are somebody else's.
    """

    own: str
    pasted: tuple[str, ...]


def split(text: str, *, first: bool = False) -> Split:
    """Tell the user's own words from what they pasted.

    Pasted are fenced blocks, cited lines, triple quotes, mails with their heads, marked documents, and whatever is
    quoted at length or over several lines.

    Args:
        first: Nothing was said before: a message that is wholly in quotation marks is the user's own then, for
            nobody has announced that it is not.
    """
    if first and (whole := _WHOLE.fullmatch(text)):
        text = whole[1]
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    pasted: list[str] = []

    def take(found: re.Match[str]) -> str:
        pasted.append(found[0])
        return "\n"

    def take_long(found: re.Match[str]) -> str:
        return take(found) if len(found[1]) > QUOTED_MAX or "\n" in found[1] else found[0]

    for pattern in (_FENCE, _TRIPLE, _MARKED, _CITED, _HEADERS):
        text = pattern.sub(take, text)
    for pattern in _QUOTES:
        text = pattern.sub(take_long, text)
    return Split(text, tuple(pasted))
