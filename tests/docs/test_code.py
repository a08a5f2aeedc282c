"""Every code block of the documentation runs, and prints what its page says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.page import PAGES, Reader, blocks, name_of

FRAGMENTS: dict[str, int] = {}
"""Pages that show Python which cannot run here, and how many blocks of it."""

WITH_CODE = [page for page in PAGES if any(block.language in ("python", "console") for block in blocks(page))]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, a home without a key, and no trace left of modules that a page wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("INTERLOCK_KEY", raising=False)
    monkeypatch.delenv("INTERLOCK_CONFIG", raising=False)
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # modules beside one are found, as in a shell
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_a_page_runs_from_top_to_bottom_and_prints_what_it_says(page: Path) -> None:
    Reader(page).read()


def test_blocks_that_are_not_run_are_few_and_known() -> None:
    fragments = {name_of(page): sum(block.note == "fragment" for block in blocks(page)) for page in PAGES}
    assert {name: count for name, count in fragments.items() if count} == FRAGMENTS


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize(
    "lie",
    [
        "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "```python\nprint(1)\nprint(2)\n```\n\n```text\n1\n```\n",
        "```python\nprint(1, 2)\nprint(3)\n```\n\n```text\n1 … 3\n```\n",
        "```python\nassert False\n```\n",
        "```console\n$ interlock --version\nnever\n```\n",
        "```console\n$ interlock policy check\n…\nread permits nothing\n…\n```\n",
        "```console\n$ rm everything\n```\n",
    ],
)
def test_a_page_that_says_what_is_not_so_fails(lie: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(lie, encoding="utf-8")
    with pytest.raises(AssertionError):
        Reader(page).read()


@pytest.mark.usefixtures("reader")
def test_dots_stand_for_the_rest_of_a_line_and_alone_for_any_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n# made.py\nNUMBER = 7\n```\n\n"
        "```python\nfrom made import NUMBER\n\nprint('a', NUMBER, 'c')\nprint(1)\nprint(2)\nprint('end')\n```\n\n"
        "```text\na … c\n…\nend\n```\n\n"
        "<!-- fragment -->\n```python\nnot python\n```\n",
        encoding="utf-8",
    )
    Reader(page).read()
    assert [block.note for block in blocks(page)] == ["", "", "", "fragment"]
