"""A page of the documentation, and running it as its reader would.

The blocks of one page run in order, in one folder and one namespace:

    python    executed; with a file name as a comment in its first line (`# shop.py`) it is written to that file
    text      right behind a python block: what that block prints
    console   each `$` line executed, the lines below it are what it prints
    sh        not executed: tests look whether the commands exist
    others    written to a file where their first line, or an HTML comment above them, names one

`…` in output stands for anything. In a command, an id that ends in `…` is the newest of its kind that the page has
shown (`appr_…`). A python block below `<!-- fragment -->` is not executed; test_code.py lists how many there are.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from interlock.cli.command import Surroundings
from interlock.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]

WIDTH = 160
"""Columns of a command's page: a table stays a table."""

_FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^>]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_NAMED = re.compile(r"(?:#|//) (?P<name>[\w./-]+\.(?:py|toml|cedar|json))\n")
_ID = re.compile(r"\b([a-z]+)_[0-9a-f]{32,40}\b")
_ELIDED = re.compile(r"\b([a-z]+)_…")


class Block(NamedTuple):
    """One fenced block.

    Attributes:
        language: What stands behind the fence.
        text: What stands in it.
        line: Number of its first line.
        note: The HTML comment above it.
    """

    language: str
    text: str
    line: int
    note: str

    @property
    def file(self) -> str:
        """The file that it is; empty for a block that is none."""
        if self.note and self.note != "fragment":
            return self.note
        named = _NAMED.match(self.text)
        return named["name"] if named else ""


def name_of(page: Path) -> str:
    """The page as people name it."""
    return page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["text"], text.count("\n", 0, found.start("text")) + 1, found["note"] or "")
        for found in _FENCE.finditer(text)
    ]


def commands(block: Block) -> Iterator[str]:
    """The command lines of a block: those behind `$` where it has any, else every line."""
    lines = [line for line in block.text.splitlines() if line.strip()]
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    yield from typed or (line for line in lines if block.language in ("sh", ""))


def rows(page: Path, *headings: str) -> list[list[str]]:
    """The cells of every table row of a page, without the heads; only below the named headings where any are named."""
    found: list[list[str]] = []
    heading = ""
    previous: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if cells and previous and (not headings or heading in headings) and not set(cells[0]) <= {"-"}:
            found.append(cells)
        previous = cells
    return found


def first_codes(page: Path, *headings: str) -> list[str]:
    """What stands as code in the first cells of a page's tables, in order."""
    return [cells[0].strip("`") for cells in rows(page, *headings) if cells[0].startswith("`")]


class Reader:
    """Somebody who does what a page says. The working directory and the environment are the process's own."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._names: dict[str, Any] = {"__name__": page.stem.replace("-", "_")}
        self._ids: dict[str, str] = {}
        self._printed = ""

    def read(self) -> None:
        """Do all of it, in order; a block that fails, or prints something else, fails."""
        for block in blocks(self._page):
            where = f"{name_of(self._page)}:{block.line}"
            if block.note == "fragment":
                continue
            if block.file:
                file = Path(block.file)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                self._printed = self._show(lambda block=block: self._execute(block))
            elif block.language == "text":
                _compare(block.text, self._printed, where)
            elif block.language == "console":
                self._type(block, where)

    def _execute(self, block: Block) -> None:
        # Behind so many line ends that a traceback names the page's own line.
        code = compile("\n" * (block.line - 1) + block.text, str(self._page), "exec", dont_inherit=True)
        exec(code, self._names)

    def _type(self, block: Block, where: str) -> None:
        for said in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, expected = said.partition("\n")
            _compare(expected, self._show(lambda line=line: self._command(line)), f"{where}: {line}")

    def _command(self, line: str) -> None:
        words = shlex.split(_ELIDED.sub(lambda found: self._ids[found[1]], line), comments=True)
        kept = dict(os.environ)
        while words and re.match(r"[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            os.environ[name] = value
        try:
            match words:
                case ["cd", folder]:
                    os.chdir(folder)
                case ["export", said]:
                    name, _, value = said.partition("=")
                    kept[name] = value
                case ["interlock", *arguments]:
                    with contextlib.suppress(SystemExit):
                        main(arguments, Surroundings(width=WIDTH))
                case _:
                    raise AssertionError(f"a page types {line!r}, which nobody here can do")
        finally:
            os.environ.clear()
            os.environ.update(kept)

    def _show(self, work: Any) -> str:
        """What work prints, to either stream."""
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            work()
        printed = shown.getvalue()
        for found in _ID.finditer(printed):
            self._ids[found[1]] = found[0]
        return printed


def _compare(expected: str, printed: str, where: str) -> None:
    """Whether that is what was printed: spaces and frames aside, `…` for anything, alone on a line for any lines."""
    plain = _plain(printed)
    pattern = "".join(map(_pattern, _plain(expected).splitlines()))
    found = re.fullmatch(pattern, plain)
    assert found, f"{where}\n--- the page says\n{_plain(expected)}--- it prints\n{plain}"


def _pattern(line: str) -> str:
    if line == "…":
        return r"(?:[^\n]*\n)*?"
    return "[^\\n]*?".join(re.escape(part) for part in re.split(" ?… ?", line)) + "\n"


def _plain(text: str) -> str:
    lines = (" ".join(re.sub("[│╭╮╰╯─]", " ", line).split()) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)
