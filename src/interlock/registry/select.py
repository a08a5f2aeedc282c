"""Which of many tools are about a text: full-text ranking over what tools say and over what they were used for.

BM25 over several fields (Robertson, Zaragoza, Taylor 2004). Saturation 1.2 and length shares of 0.75 and 0.5 are the
usual ones; the weights of the fields were chosen on the data that `make routing` prints.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from interlock.core.tool import Tool
from interlock.registry.terms import terms

Encoder = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""A user's own model: texts in, a vector of one length for each out; alike where the texts mean alike."""

USES_MAX = 50
"""Past uses of one tool that count, the newest."""

_SATURATION: Final = 1.2
_FUSED_AT: Final = 60  # of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)
_DEEP: Final = 3


class _Field(NamedTuple):
    """A part of what is searched: what it counts, and how much of its length beyond the average counts against it."""

    name: str
    weight: float
    length_share: float


_NAME: Final = _Field("name", 2.0, 0.5)
_DESCRIPTION: Final = _Field("description", 1.0, 0.75)
_WHERE: Final = _Field("where", 1.0, 0.75)
_PARAMETERS: Final = _Field("parameters", 0.5, 0.75)
_USES: Final = _Field("uses", 1.0, 0.5)


class Ranking:
    """Tools by how well they fit a text. Made once for a set of tools; never changes.

    Args:
        tools: The tools.
        encoder: Ranks too, where given: both ranks are fused. Called once here, and once for each text.
    """

    def __init__(self, tools: Iterable[Tool], encoder: Encoder | None = None) -> None:
        self.tools = tuple(tools)
        self._index = _Index(map(_said, self.tools))
        self._encoder = encoder
        self._vectors = () if encoder is None else encoder([f"{tool.name}: {tool.description}" for tool in self.tools])

    def best(
        self, text: str, most: int, *, among: Container[str], uses: Mapping[str, Sequence[str]] | None = None
    ) -> list[Tool]:
        """The tools that fit the text best, the best first; none that has nothing to do with it.

        Args:
            most: How many at most.
            among: Names of those that come into question.
            uses: Tool name to texts of tasks that it was used for, the newest first.
        """
        asked = terms(text)
        scores = self._index.scores(asked)
        if uses:
            used = _Index([(_USES, terms(" ".join(uses.get(tool.name, ())[:USES_MAX])))] for tool in self.tools)
            for at, score in used.scores(asked).items():
                scores[at] += score
        ranked = [at for at in sorted(scores, key=lambda at: (-scores[at], at)) if self.tools[at].name in among]
        if self._encoder is not None:
            ranked = self._fused(text, ranked, _DEEP * most, among)
        return [self.tools[at] for at in ranked[:most]]

    def _fused(self, text: str, ranked: Sequence[int], deep: int, among: Container[str]) -> list[int]:
        assert self._encoder is not None
        (asked,) = self._encoder([text])
        near = {at: _likeness(asked, vector) for at, vector in enumerate(self._vectors) if self.tools[at].name in among}
        by_meaning = sorted(near, key=lambda at: (-near[at], at))
        score: dict[int, float] = defaultdict(float)
        for order in (ranked[:deep], by_meaning[:deep]):
            for rank, at in enumerate(order, 1):
                score[at] += 1 / (_FUSED_AT + rank)
        return sorted(score, key=lambda at: (-score[at], at))


def _said(tool: Tool) -> list[tuple[_Field, list[str]]]:
    """What a tool says, by field."""
    where = " ".join((tool.server, tool.category, *tool.tags, str(tool.claims.get("title", ""))))
    name = tool.name.removeprefix(f"{tool.server}__")
    return [
        (_NAME, terms(name)), (_DESCRIPTION, terms(tool.description)), (_WHERE, terms(where)),
        (_PARAMETERS, terms(" ".join(parameters(tool.input_schema)))),
    ]  # fmt: skip


def parameters(schema: Mapping[str, Any], depth: int = 0) -> Iterable[str]:
    """Names, descriptions and the first choices of the parameters, three objects deep."""
    properties = schema.get("properties")
    for name, said in properties.items() if isinstance(properties, Mapping) else ():
        yield str(name)
        if isinstance(said, Mapping):
            yield str(said.get("description", ""))
            choices = said.get("enum")
            yield from map(str, choices[:10] if isinstance(choices, list) else ())
            if depth < 2:
                yield from parameters(said, depth + 1)


class _Index:
    """Postings of documents, each of one or more fields."""

    def __init__(self, documents: Iterable[Sequence[tuple[_Field, list[str]]]]) -> None:
        every = list(documents)
        lengths: Counter[_Field] = Counter()
        for fields in every:
            for field, words in fields:
                lengths[field] += len(words)
        average = {field: total / len(every) or 1.0 for field, total in lengths.items()}
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for at, fields in enumerate(every):
            weight: dict[str, float] = defaultdict(float)
            for field, words in fields:
                length = 1 - field.length_share + field.length_share * len(words) / average[field]
                for term, count in Counter(words).items():
                    weight[term] += field.weight * count / length
            for term, so_much in weight.items():
                self._postings[term].append((at, so_much / (_SATURATION + so_much)))
        self._rare = {
            term: math.log(1 + (len(every) - len(found) + 0.5) / (len(found) + 0.5))
            for term, found in self._postings.items()
        }

    def scores(self, asked: Sequence[str]) -> dict[int, float]:
        """Number of the document to its score, of those that have any of the terms."""
        found: dict[int, float] = defaultdict(float)
        for term, count in Counter(asked).items():
            for at, weight in self._postings.get(term, ()):
                found[at] += weight * self._rare[term] * count / (count + 0.5)
        return found


def _likeness(a: Sequence[float], b: Sequence[float]) -> float:
    """The cosine of two vectors."""
    size = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / size if size else 0.0
