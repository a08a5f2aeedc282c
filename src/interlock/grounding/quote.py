"""What stands where a value was found, with a little of the text around it: for whoever is to decide about it."""

from __future__ import annotations

from typing import Final

from interlock.core.provenance import WORDS, Evidence, Quote
from interlock.grounding.index import Index

_AROUND: Final = 60
_WHOLE_MAX: Final = 200


def quote(index: Index, evidence: Evidence) -> Quote:
    """The place in its normal form; empty texts for a source that has none, as a definition."""
    source, pointer, begin, end = evidence
    if source == WORDS and begin >= 0:
        text = index.words.message(pointer) or index.leaf(source, pointer)
    else:
        text = index.leaf(source, pointer)
    if begin < 0:
        return Quote(source, pointer, "", text[:_WHOLE_MAX], "…" if len(text) > _WHOLE_MAX else "")
    before, after = max(0, begin - _AROUND), end + _AROUND
    found = text[begin : min(end, begin + _WHOLE_MAX)]
    return Quote(
        source, pointer, ("…" if before else "") + text[before:begin], found,
        text[end:after] + ("…" if after < len(text) else ""),
    )  # fmt: skip
