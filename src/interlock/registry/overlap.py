"""Which of many texts say nearly the same, without comparing each with each."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset("a an and are as at be by for from in into is it its of on or that the this to with".split())
_WORDS_MIN = 4


def overlapping(texts: Sequence[tuple[str, str]], share_min: float) -> Iterator[tuple[str, str, float]]:
    """Pairs of names whose texts share at least that part of their words (Jaccard), each pair once.

    Exact: a pair above the share must have one of its rarest words in common, so that only such pairs are
    compared. Texts of fewer than four different words are passed over.
    """
    sets = [frozenset(_words(text)) for _, text in texts]
    frequency = Counter(word for words in sets for word in words)
    seen: dict[str, list[int]] = defaultdict(list)
    for index, words in enumerate(sets):
        size = len(words)
        if size < _WORDS_MIN:
            continue
        rarest = sorted(words, key=lambda word: (frequency[word], word))[: size - math.ceil(share_min * size) + 1]
        for other in sorted({candidate for word in rarest for candidate in seen[word]}):
            share = len(words & sets[other]) / len(words | sets[other])
            if share >= share_min:
                yield texts[other][0], texts[index][0], share
        for word in rarest:
            seen[word].append(index)


def _words(text: str) -> Iterator[str]:
    """Words in lower case, names taken apart at their capitals."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return (word for word in map(str.casefold, _WORD.findall(apart)) if word not in _STOP)
