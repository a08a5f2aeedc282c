"""A report as files: Markdown for a repository, and one page without scripts. Every text in it is untrusted.

What nobody sees in a text stands in both as an escape, so that a name cannot look like another one's.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from interlock.core.visible import one_line, visible
from interlock.wrapping.report_part import Cell, Part, Table, text_of

_MARKUP: Final = re.compile(r"[\\`*\[\]<>|~&!#]|(?<!\w)_|_(?!\w)")

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8885; --quiet: #666; --bad: #b3261e; --wait: #8a5a00; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) {
  :root { --quiet: #aaa; --bad: #ff8a80; --wait: #ffcc80; --good: #81c995; }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; } h3 { margin-top: 2rem; }
p { max-width: 46rem; } nav a { margin-right: 1rem; }
div.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; }
th { white-space: nowrap; } td { overflow-wrap: anywhere; min-width: 4rem; }
mark { background: var(--bad); color: #fff; } .quiet { color: var(--quiet); }
.bad { color: var(--bad); } .wait { color: var(--wait); } .good { color: var(--good); }
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
    """The report as one page: nothing is fetched, nothing runs, light and dark as the reader's machine is."""
    parts = list(parts)
    style = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    links = "".join(f'<a href="#{part.name}">{_shown(part.title)}</a>' for part in parts)
    body = "".join(_section(part) for part in parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'\">\n"
        '<meta name="viewport" content="width=device-width">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(one_line(title))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{_shown(title)}</h1>\n<p class="quiet">{_shown(made)}</p>\n<nav>{links}</nav>\n{body}</body>\n</html>\n'
    )


def _section(part: Part) -> str:
    tables = "".join(_table(table) for table in part.tables)
    return f'<h2 id="{part.name}">{_shown(part.title)}</h2>\n<p>{_shown(part.says)}</p>\n{tables}'


def _table(table: Table) -> str:
    said = f"<h3>{_shown(table.title)}</h3>\n" + (f"<p>{_shown(table.says)}</p>\n" if table.says else "")
    if not table.rows:
        return f'{said}<p class="quiet">{_shown(table.empty)}</p>\n'
    head = "".join(f'<th scope="col">{_shown(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in table.rows)
    return f'{said}<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'


def _cell(cell: Cell) -> str:
    text = text_of(cell)
    kind = _WORDS.get(text, "")
    return f'<td class="{kind}">{_shown(text)}</td>' if kind else f"<td>{_shown(text)}</td>"


def _shown(text: str) -> str:
    """A text as a reader is to see it; what hides in it as a marked escape."""
    return "".join(
        f"<mark>{escape(stretch.text)}</mark>" if stretch.hidden else escape(stretch.text) for stretch in visible(text)
    )
