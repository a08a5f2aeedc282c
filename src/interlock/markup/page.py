"""A report as one page of HTML: nothing is fetched, nothing runs, light and dark as the reader's machine is."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from interlock.core.visible import one_line
from interlock.markup.tags import Markup, tag

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a1d21; --quiet: #5b6470; --paper: #fff; --line: #d9dee4; --good: #176f3d;
  --wait: #8a5a00; --bad: #b3261e; --bar: #3d6fb4; --mark: #ffe08a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --quiet: #9aa4b0; --paper: #16191d; --line: #353b43;
  --good: #6fd39a; --wait: #ffcc80; --bad: #ff8a80; --bar: #7aa7e6; --mark: #5c4a00; } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem }
p { margin: .25rem 0; max-width: 48rem } a { color: var(--bar) }
.quiet { color: var(--quiet) } .good { color: var(--good) } .wait { color: var(--wait) } .bad { color: var(--bad) }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600; color: var(--quiet) }
.wide { overflow-x: auto }
mark { background: var(--mark); color: var(--ink) }
"""


def whole_page(title: str, body: Iterable[str], style: str) -> str:
    """The whole page.

    Args:
        title: What it is called.
        body: What stands in it; what is no markup is escaped.
        style: How it looks, beside what all of these pages have.
    """
    sheet = f"{_STYLE}{style}"
    digest = b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    head = tag(
        "head", tag("meta", charset="utf-8"), tag("meta", name="viewport", content="width=device-width"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", http_equiv="Content-Security-Policy", content=f"default-src 'none'; style-src 'sha256-{digest}'"),
        tag("title", one_line(title)), Markup(f"<style>{sheet}</style>"),
    )  # fmt: skip
    lines = (part for each in body for part in (each, "\n"))
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('main', *lines)), lang='en')}\n"


def wide_table(columns: Iterable[str], rows: Iterable[Iterable[Markup]]) -> Markup:
    """A table, a line for each row; where it is wider than its place, it scrolls there."""
    head = tag("tr", *(tag("th", column, scope="col") for column in columns))
    lines = (part for row in rows for part in (tag("tr", *row), "\n"))
    return tag("div", tag("table", tag("thead", head), tag("tbody", "\n", *lines)), class_="wide")
