"""The knowledge base: passages, each of which has a name that an answer can cite."""

from __future__ import annotations

import math
import re

from examples.service.answer import Answer, Problem
from examples.service.request import Request
from examples.service.store import Row, Store

LIMIT_MAX = 5
_WORD = re.compile(r"\w{4,}")


def search_knowledge(store: Store, request: Request) -> Answer:
    """The passages that share words with `q`, those with the rarest first: at most `limit`, 3 unless asked."""
    asked, limit = _words(request.text("q", 200)), request.whole("limit", 1, LIMIT_MAX, default=3)
    passages = [(row, _words(f"{row['title']} {row['text']}")) for row in store.rows("SELECT * FROM passages")]

    def weight(found: tuple[Row, set[str]]) -> float:
        shared = asked & found[1]
        return sum(math.log(len(passages) / sum(word in words for _, words in passages)) for word in shared)

    best = sorted((each for each in passages if weight(each) > 0), key=weight, reverse=True)
    return Answer(200, {"items": [row for row, _ in best[:limit]], "total": len(best)})


def get_passage(store: Store, request: Request) -> Answer:
    """The passage of this name."""
    source = request.text("source", 100)
    found = store.rows("SELECT * FROM passages WHERE source = ?", source)
    if not found:
        raise Problem(404, "passage_not_found", f"There is no passage {source}.", field="source")
    return Answer(200, found[0])


def _words(text: str) -> set[str]:
    """Its words in lower case; those that end alike in a plural are one."""
    return {word.removesuffix("s") for word in _WORD.findall(text.casefold())}
