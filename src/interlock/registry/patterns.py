"""What a regular expression in a schema may be, and what matching it costs.

The engine matches in linear time: it takes no look-around and no back-references, and its `$` is the end of the
text alone, so that no trailing newline passes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from interlock.errors import DefinitionError

_GROUPS: Final = re.compile(r"\(\?[a-zA-Z-]*[:)]")
_TIMES: Final = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_CLASS_STATES: Final = 40
"""States of the automaton of a Unicode class, about."""


def check_patterns(part: Mapping[str, Any], where: str, bytes_max: int) -> None:
    """Refuse a pattern that is too long or changes what its anchors mean.

    Raises:
        DefinitionError: With the place.
    """
    for pattern in _patterns(part):
        size = len(pattern.encode("utf-8", "replace"))
        if size > bytes_max:
            raise DefinitionError(
                f"{where or '/'}: a pattern of {size} bytes", code="schema.long_pattern",
                remedy=f"At most {bytes_max} are accepted.",
            )  # fmt: skip
        # `(?m)` would make `$` the end of a line, and a second line would pass unread.
        if any(group != "(?:" for group in _GROUPS.findall(pattern)):
            raise DefinitionError(
                f"{where or '/'}: a pattern sets flags", code="schema.pattern", remedy="Write the classes out."
            )


def patterns_weight(part: Mapping[str, Any]) -> int:
    """Steps per byte of a string that the patterns of a subschema cost; 0 without any."""
    return sum(_states(pattern) for pattern in _patterns(part))


def _patterns(part: Mapping[str, Any]) -> list[str]:
    named = part.get("patternProperties")
    patterns = [*named] if isinstance(named, dict) else []
    if isinstance(part.get("pattern"), str):
        patterns.append(part["pattern"])
    return patterns


def _states(pattern: str) -> int:
    """About how many states the automaton of a pattern has: its characters, counted repetitions written out."""
    weights = [[0]]
    index = 0
    while index < len(pattern):
        found = pattern[index]
        if found == "\\":
            atom, index = (_CLASS_STATES if pattern[index + 1 : index + 2] in ("p", "P") else 1), index + 2
            weights[-1].append(atom)
        elif found == "[":
            end = index + 1
            while end < len(pattern) and pattern[end] != "]":
                end += 2 if pattern[end] == "\\" else 1
            weights[-1].append(1 + _CLASS_STATES * pattern.count("\\p", index, end))
            index = end + 1
        elif found == "(":
            weights.append([0])
            index += 1
        elif found == ")" and len(weights) > 1:
            whole = sum(weights.pop())
            weights[-1].append(whole)
            index += 1
        elif found == "{" and (times := _TIMES.match(pattern, index)):
            weights[-1][-1] *= max(1, int(times[2] or times[1] or 1))
            index = times.end()
        else:
            weights[-1].append(1)
            index += 1
    return max(1, sum(map(sum, weights)))
