"""What a list of tools costs a model to read: an estimate of tokens, without any provider's vocabulary.

Held against o200k, the vocabulary of OpenAI's current models, over 1,785 definitions of real tools: -1 to +3 % for the
tools of one source together, -4 to +8 % for four of five single ones. Other vocabularies differ by more than that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from interlock.core.tool import Tool
from interlock.registry.formats import Format, tool_out

_PIECE: Final = re.compile(r"[^\W\d_]+|\d+|[^\w\s]+|\s+")
_LETTERS, _DIGITS, _MARKS, _BYTES = 9, 3, 4, 4  # of one token


def tokens(text: str) -> int:
    """About how many tokens a text is."""
    return sum(map(_of_piece, _PIECE.findall(text)))


def tool_tokens(tool: Tool) -> int:
    """About how many tokens a model reads of one tool in every request that offers it."""
    return tokens(json.dumps(tool_out(tool, Format.ANTHROPIC), ensure_ascii=False, separators=(",", ":")))


def list_tokens(tools: Iterable[Tool]) -> int:
    """The same of a whole list."""
    return sum(map(tool_tokens, tools))


def _of_piece(piece: str) -> int:
    first = piece[0]
    if first.isalpha():
        return _parts(len(piece), _LETTERS) if piece.isascii() else max(1, round(len(piece.encode()) / _BYTES))
    if first.isdigit():
        return _parts(len(piece), _DIGITS)
    if first.isspace():
        return 0 if piece == " " else 1
    return _parts(len(piece), _MARKS)


def _parts(length: int, of: int) -> int:
    return -(-length // of)
