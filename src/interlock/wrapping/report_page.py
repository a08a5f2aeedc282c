"""A report as files: Markdown for a repository, and one page without scripts. Every text in it is untrusted.

What nobody sees in a text stands in both as an escape, so that a name cannot look like another one's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from interlock.core.visible import one_line, visible
from interlock.markup.page import whole_page, wide_table
from interlock.markup.tags import Markup, shown, tag
from interlock.wrapping.report_part import Cell, Part, Table, text_of

_MARKUP: Final = re.compile(r"[\\`*\[\]<>|~&!#]|(?<!\w)_|_(?!\w)")

_STYLE: Final = """
body { max-width: 80rem; } nav a { margin-right: 1rem; }
h2 { font-size: 1.35rem; margin-top: 3rem; } h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
table { font-size: .9rem; } th { white-space: nowrap; } td { overflow-wrap: anywhere; min-width: 4rem; }
"""

_WORDS: Final = {
    "allow": "good", "on": "good", "yes": "good", "good": "good", "hold": "wait", "partly": "wait", "warn": "wait",
    "deny": "quiet", "off": "bad", "bad": "bad", "out of reach": "wait", "no such door": "quiet",
}  # fmt: skip
"""Words that stand alone in a cell, with their colour; the word says the same without it."""


def markdown(part: Part, made: str) -> str:
    """One part as a page of Markdown.

    Args:
        made: When and by what it was made; the only line that differs where nothing else does.
    """
    lines = [f"# {part.title}", "", part.says, "", made, ""]
    for table in part.tables:
        lines += [f"## {table.title}", "", *([table.says, ""] if table.says else [])]
        lines += [*_rows(table), ""] if table.rows else [table.empty, ""]
    return "\n".join(lines)


def _rows(table: Table) -> list[str]:
    head = [_marked(column) for column in table.columns]
    return [
        _row(head),
        _row(["---"] * len(head)),
        *(_row([_marked(text_of(cell)) for cell in row]) for row in table.rows),
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _marked(text: str) -> str:
    """A text that Markdown shows as it is: nothing of it is a link, a picture, a tag or a cell's end."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", one_line(text))


def page(parts: Iterable[Part], title: str, made: str) -> str:
    """The same of all parts as one page."""
    parts = list(parts)
    links = (tag("a", _shown(part.title), href=f"#{part.name}") for part in parts)
    body = [tag("h1", _shown(title)), tag("p", _shown(made), class_="quiet"), tag("nav", *links)]
    return whole_page(title, [*body, *(piece for part in parts for piece in _section(part))], _STYLE)


def _section(part: Part) -> Iterator[Markup]:
    yield tag("h2", _shown(part.title), id=part.name)
    yield tag("p", _shown(part.says))
    for table in part.tables:
        yield tag("h3", _shown(table.title))
        if table.says:
            yield tag("p", _shown(table.says))
        if table.rows:
            yield wide_table(map(_shown, table.columns), (map(_cell, row) for row in table.rows))
        else:
            yield tag("p", _shown(table.empty), class_="quiet")


def _cell(cell: Cell) -> Markup:
    text = text_of(cell)
    kind = _WORDS.get(text, "")
    return tag("td", _shown(text), class_=kind) if kind else tag("td", _shown(text))


def _shown(text: str) -> Markup:
    """A text on one line, with what hides in it as a marked escape."""
    return shown(visible(text))
