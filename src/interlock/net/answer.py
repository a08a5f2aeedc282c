"""What a far end answered, read as it comes and no further than its bounds."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Mapping
from typing import Final, NamedTuple

from interlock.errors import ToolError

HEADERS_MAX: Final = 32 << 10
"""Bytes of all headers of an answer."""

UNPACKED_MAX: Final = 16 << 20
"""Bytes that a packed answer may become, whatever else is allowed."""

RATIO_MAX: Final = 20
"""Times as many bytes that a packed answer may become; a small one may become `FREE`."""

FREE: Final = 64 << 10
"""Bytes below which no ratio is looked at."""


class Answer(NamedTuple):
    """What came back.

    Attributes:
        status: Of HTTP.
        headers: By name in lower case; of those that came twice the last.
        body: Unpacked.
        cut: Whether more would have come than was read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


def headers_of(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an answer.

    Raises:
        ToolError: They are too many.
    """
    if sum(len(name) + len(value) + 4 for name, value in raw) > HEADERS_MAX:
        raise ToolError(f"an answer with more than {HEADERS_MAX} bytes of headers", code="egress.answer")
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


async def body_of(stream: AsyncIterable[bytes], encoding: str, most: int) -> tuple[bytes, bool]:
    """The body of an answer, unpacked, and whether it was cut off at `most` bytes.

    Raises:
        ToolError: It is packed in a way that was not asked for, wrongly, or far too well.
    """
    unpack = _Unpacker(encoding) if encoding not in ("", "identity") else None
    parts: list[bytes] = []
    length = 0
    async for chunk in stream:
        part = chunk if unpack is None else unpack.more(chunk, most + 1 - length)
        parts.append(part)
        length += len(part)
        if length > most:
            return b"".join(parts)[:most], True
    if unpack is not None:
        unpack.end()
    return b"".join(parts), False


class _Unpacker:
    """Unpacks what comes in, by the byte."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise ToolError("an answer that is packed in an unknown way", code="egress.answer")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | (16 if "gzip" in encoding else 0))
        self._packed = self._unpacked = 0

    def more(self, chunk: bytes, most: int) -> bytes:
        self._packed += len(chunk)
        allowed = min(UNPACKED_MAX, max(FREE, RATIO_MAX * self._packed)) - self._unpacked
        try:
            part = self._inflate.decompress(chunk, max(1, min(most, allowed + 1)))
        except zlib.error:
            raise ToolError("an answer that is not packed as it says", code="egress.answer") from None
        self._unpacked += len(part)
        if len(part) > allowed:
            raise ToolError(
                f"an answer that unpacks to more than {RATIO_MAX} times its size", code="egress.answer"
            )  # fmt: skip
        return part

    def end(self) -> None:
        if not self._inflate.eof and self._packed:
            raise ToolError("an answer that ends before it is unpacked", code="egress.answer")
