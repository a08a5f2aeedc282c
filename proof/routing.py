"""How often routing offers the right tools, beside plain BM25: `python -m proof.routing`.

Four sets of tools and queries of the data folder: MetaTool, Seal-Tools, BFCL v4 and LiveMCPBench. Recall at 5, 10 and
15 is the share of the tools that a query needs which are among the first so many, averaged over queries; where any of
several tools would do, one of them counts. Intervals are bootstrapped over queries, 95 %. Plain BM25 is Okapi's with k1
1.5 and b 0.75 over one text of everything that Interlock reads of a tool too, in lower-case words.

Then what does better than a first guess: a `find_tools` for each annotated step (LiveMCPBench), ten past uses of each
tool (MetaTool; uses and test queries are apart), and what a list of 500 tools costs before and after. Issue 6, shown by
5; requirement A7, goal P10.

The weights of `registry/select.py` were chosen on these same sets.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from interlock import Tool
from interlock.core.tool import CallContext
from interlock.registry.cost import list_tokens, tool_tokens
from interlock.registry.select import Ranking, parameters
from interlock.routing import FOUND_MAX, Routing
from proof.recorded import FOLDER

DEPTHS = (5, 10, 15)
"""How many tools are looked at."""

AT = 10
"""The depth that the aims are about."""

STEPS_MIN, USES_MIN, SAVED_MIN, SAVED_WITH_INDEX_MIN = 0.60, 0.15, 0.95, 0.85
"""Aims: recall with a search for each step, points gained by ten uses, parts of the tokens saved."""

USES = 10
MANY = 500
_RESAMPLED = 400

Needed = Sequence[frozenset[str]]
"""What a query needs: one tool of each set."""

Rank = Callable[[str], list[str]]
"""A query to names of tools, the best first."""


class Query(NamedTuple):
    """One query.

    Attributes:
        text: In the user's words.
        needed: What it needs.
        steps: The annotated steps, where the set has them.
    """

    text: str
    needed: Needed
    steps: tuple[str, ...] = ()


class Collection(NamedTuple):
    """A set of tools with queries.

    Attributes:
        name: Folder of the data.
        tools: Its tools.
        queries: Its queries.
    """

    name: str
    tools: list[Tool]
    queries: list[Query]


def collections() -> list[Collection]:
    """The four sets, whole."""
    found = []
    for name, tools, queries in (
        ("metatool", "tools", "queries"), ("seal_tools", "tools", "queries"), ("bfcl_v4", "tools", "cases"),
        ("livemcpbench", "tools", "queries"),
    ):  # fmt: skip
        made = [_tool(said) for said in _lines(name, tools)]
        asked = [query for said in _lines(name, queries) if (query := _query(said)).needed]
        found.append(Collection(name, made, asked))
    return found


def ranked(tools: Sequence[Tool]) -> Rank:
    """Interlock's ranking."""
    ranking, among = Ranking(tools), frozenset(tool.name for tool in tools)
    return lambda text: [tool.name for tool in ranking.best(text, max(DEPTHS), among=among)]


def plain(tools: Sequence[Tool]) -> Rank:
    """Plain BM25: the peer."""
    documents = [Counter(_words(_text(tool))) for tool in tools]
    average = sum(map(Counter.total, documents)) / len(documents)
    postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for at, words in enumerate(documents):
        longer = 1.5 * (0.25 + 0.75 * words.total() / average)
        for word, count in words.items():
            postings[word].append((at, count * 2.5 / (count + longer)))

    def rank(text: str) -> list[str]:
        scores: dict[int, float] = defaultdict(float)
        for word in _words(text):
            found = postings.get(word, ())
            rare = math.log(1 + (len(documents) - len(found) + 0.5) / (len(found) + 0.5))
            for at, weight in found:
                scores[at] += weight * rare
        return [tools[at].name for at in sorted(scores, key=lambda at: (-scores[at], at))[: max(DEPTHS)]]

    return rank


def hit(needed: Needed, names: Iterable[str]) -> float:
    """The share of what is needed that is there."""
    there = set(names)
    return sum(bool(some & there) for some in needed) / len(needed)


def mean(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean and its 95 % interval, by resampling."""
    rng = random.Random(7)
    means = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(_RESAMPLED))
    return sum(values) / len(values), means[_RESAMPLED // 40], means[-1 - _RESAMPLED // 40]


def with_steps(collection: Collection) -> tuple[float, float, float]:
    """Recall of ten by the query and of one `find_tools` for each step."""
    rank = ranked(collection.tools)
    return mean([
        hit(query.needed, [name for text in (query.text, *query.steps)
                           for name in rank(text)[: AT if text == query.text else FOUND_MAX]])
        for query in collection.queries if query.steps
    ])  # fmt: skip


def with_uses(collection: Collection) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Recall at ten without and with so many past uses of each tool, on queries that are none of them."""
    queries = [query for query in collection.queries if len(query.needed) == 1]
    random.Random(7).shuffle(queries)
    uses: dict[str, list[str]] = defaultdict(list)
    asked = []
    for query in queries:
        (name,) = query.needed[0]
        if len(uses[name]) < USES:
            uses[name].append(query.text)
        else:
            asked.append(query)
    among, ranking = frozenset(tool.name for tool in collection.tools), Ranking(collection.tools)
    without, having = (
        mean([hit(query.needed, [tool.name for tool in ranking.best(query.text, AT, among=among, uses=given)])
              for query in asked[:1000]])
        for given in (None, uses)
    )  # fmt: skip
    return without, having


def saved(collection: Collection) -> dict[str, tuple[float, float, float]]:
    """Parts of the tokens of a list of so many tools that routing saves, without and with an index of the rest."""
    tools = collection.tools[:MANY]
    whole, ranking, among = list_tokens(tools), Ranking(tools), frozenset(tool.name for tool in tools)
    found = {}
    for what, index in (("no index", False), ("an index", True)):
        routing = Routing(index=index)
        parts = []
        for query in collection.queries:
            some = ranking.best(query.text, routing.most, among=among)
            find = routing.described([tool for tool in tools if tool not in some])
            parts.append(1 - (list_tokens(some) + tool_tokens(find)) / whole)
        found[what] = mean(parts)
    return found


def main() -> int:
    """Print the tables; 0 where every aim is met."""
    options = _options()
    every, failed = collections(), []
    rows: dict[str, dict[str, dict[int, tuple[float, float, float]]]] = {}
    print(f"{'recall at':<34}" + "".join(f"{depth:<24}" for depth in DEPTHS))
    for collection in every:
        queries = random.Random(7).sample(collection.queries, min(options.queries, len(collection.queries)))
        print(f"{collection.name}: {len(queries)} queries, {len(collection.tools)} tools", flush=True)
        rows[collection.name] = {}
        for name, make in (("plain BM25", plain), ("Interlock", ranked)):
            rank = make(collection.tools)
            names = [rank(query.text) for query in queries]
            found = {
                depth: mean([hit(query.needed, best[:depth]) for query, best in zip(queries, names, strict=True)])
                for depth in DEPTHS
            }
            rows[collection.name][name] = found
            print(f"  {name:<32}" + "".join(f"{_said(found[depth]):<24}" for depth in DEPTHS), flush=True)
        if rows[collection.name]["Interlock"][AT][0] < rows[collection.name]["plain BM25"][AT][0]:
            failed.append(f"{collection.name}: at {AT} worse than plain BM25")
    named = {collection.name: collection for collection in every}
    stepped = with_steps(named["livemcpbench"])
    print(f"livemcpbench, one find_tools for each annotated step: {_said(stepped)}; aim {STEPS_MIN}")
    without, having = with_uses(named["metatool"])
    print(f"metatool at {AT}: without uses {_said(without)}, with {USES} of each tool {_said(having)}; aim +{USES_MIN}")
    kept = saved(named["livemcpbench"])
    for (what, part), least in zip(kept.items(), (SAVED_MIN, SAVED_WITH_INDEX_MIN), strict=True):
        print(f"tokens of {MANY} tools saved, {what} of the rest: {_said(part)}; aim {least}")
        failed += [f"tokens saved, {what}"] if part[0] < least else []
    failed += ["livemcpbench by steps"] if stepped[0] < STEPS_MIN else []
    failed += ["metatool with uses"] if having[0] - without[0] < USES_MIN else []
    print("every aim is met" if not failed else f"missed: {'; '.join(failed)}")
    return bool(failed)


def _said(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.3f} ({found[1]:.3f} to {found[2]:.3f})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof.routing", description="Routing beside plain BM25.")
    parser.add_argument("--queries", type=int, default=3000, metavar="N", help="at most so many of each set (3000)")
    return parser.parse_args()


def _tool(said: dict[str, Any]) -> Tool:
    schema = said.get("input_schema") or {"type": "object"}
    name, server = said.get("id") or said["name"], said.get("server") or "local"
    title = f"{said.get('server_title', '')} {said.get('server_description', '')}".strip()
    return Tool(
        name=name, server=server, description=said.get("description") or "", input_schema=schema, body=_unused,
        claims={"title": title} if title else {},
    )  # fmt: skip


async def _unused(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("nothing is called here")


def _query(said: dict[str, Any]) -> Query:
    text = said.get("query") or " ".join(each["content"] for each in said["messages"] if each["role"] == "user")
    needed = [frozenset([some] if isinstance(some, str) else some) for some in said["relevant"]]
    steps = tuple(step.strip() for step in (said.get("steps") or "").splitlines() if step.strip())
    return Query(text, needed, steps)


def _lines(folder: str, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(FOLDER / folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _text(tool: Tool) -> str:
    where = "" if tool.server == "local" else f"{tool.server} {tool.claims.get('title', '')}"
    return " ".join((tool.name, tool.description, where, *parameters(tool.input_schema)))


if __name__ == "__main__":
    sys.exit(main())
