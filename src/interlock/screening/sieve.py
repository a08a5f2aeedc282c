"""Whether a text can have anything to find at all: one pass of a linear-time engine, before anything slower looks.

The engine is the one that matches the patterns of schemas: a finite automaton, without look-around and without
back-references, so that no text makes it slow. It only says yes or no; a sieve may say yes too often and never too
seldom, which tests hold for every class of finding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import jsonschema_rs

_SIZES = jsonschema_rs.RegexOptions(size_limit=8 << 20, dfa_size_limit=8 << 20)

_ESCAPES = {"\\n": "\n", '\\"': '"', "\\t": "\t", "\\r": "\r"}


class Sieve:
    """Some patterns as one.

    Args:
        patterns: Regular expressions of the engine's syntax; any of them may match anywhere.

    Attributes:
        stops: Whether something in a text is worth a look. The text must have no lone surrogate.
    """

    stops: Callable[[str], bool]

    def __init__(self, *patterns: str) -> None:
        schema = {"pattern": "|".join(f"(?:{each})" for each in patterns)}
        self.stops = jsonschema_rs.validator_for(schema, pattern_options=_SIZES, offline=True).is_valid

    def stops_json(self, text: str) -> bool:
        """Whether something in a value is worth a look, by its canonical form: all of its texts at once."""
        if "\\" in text:
            for escape, meant in _ESCAPES.items():
                text = text.replace(escape, meant)
            if "\\" in text:  # a backslash of its own, or a character that JSON writes by its number
                return True
        return self.stops(text)


@lru_cache(maxsize=64)
def sieve_of(patterns: tuple[str, ...]) -> Sieve:
    """The sieve of these patterns, compiled once."""
    return Sieve(*patterns)
