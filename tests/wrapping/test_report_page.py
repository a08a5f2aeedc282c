"""The files of a report: what others chose to be called is text in them, whole and visible."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from interlock.wrapping.report import report
from interlock.wrapping.report_page import markdown, page
from interlock.wrapping.report_part import Part, Table
from tests.wrapping.grounds import HOSTILE, grounds


class Reader(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def part_of(text: str) -> Part:
    return Part("tools", "Tools", text, (Table("t", text, ("name", text), ((text, (text, text)),), text),))


ELEMENTS = frozenset(
    "html head meta title style body main h1 h2 h3 p nav a div table thead tbody tr th td mark".split()
)


@given(st.text(max_size=40) | st.sampled_from([HOSTILE, '"><img src=x onerror=alert(1)>', "</style><script>", "&lt;"]))
def test_no_text_becomes_an_element_of_the_page(text: str) -> None:
    """T25: nothing is fetched, nothing runs, whatever a name is."""
    made = page([part_of(text)], text, text)
    seen = Reader(made)
    assert {tag for tag, _ in seen.elements} <= ELEMENTS
    links = [given for tag, given in seen.elements if tag == "a"]
    assert [link["href"] for link in links] == ["#tools"]
    assert not [name for _, given in seen.elements for name in given if name.startswith("on") or name == "src"]
    [rule] = [given["content"] for _, given in seen.elements if "http-equiv" in given]
    assert str(rule).startswith("default-src 'none'; style-src 'sha256-")


def test_the_page_is_one_file_for_light_and_dark(tmp_path: Path) -> None:
    made = page(report(grounds(tmp_path)), "Report", "today")
    assert "prefers-color-scheme: dark" in made and "<script" not in made
    assert not re.search(r"(src|href)=\"(?!#)", made)


def test_what_hides_in_a_name_is_marked_on_the_page_and_escaped_in_the_files(tmp_path: Path) -> None:
    """T9."""
    parts = report(grounds(tmp_path))
    made = page(parts, "Report", "today")
    assert "<mark>" in made and "\u202e" not in made and "\x1b" not in made and "\u200b" not in made
    texts = "".join(markdown(part, "today") for part in parts)
    assert "\u202e" not in texts and "\x1b" not in texts and r"\\u202e" in texts


@given(st.text(max_size=40) | st.just(HOSTILE))
def test_no_text_leaves_its_cell_in_markdown(text: str) -> None:
    made = markdown(part_of("x")._replace(tables=(Table("t", "T", ("name",), ((text,),)),)), "today")
    [row] = made.split("| --- |\n")[1].strip("\n").splitlines()
    inner = row.removeprefix("| ").removesuffix(" |")
    assert not re.search(r"(?<!\\)(\\\\)*[|<>\[\]`!&]", inner)


def test_two_files_of_one_deployment_differ_in_one_line(tmp_path: Path) -> None:
    parts = report(grounds(tmp_path))
    for part in parts:
        one, other = markdown(part, "on monday").splitlines(), markdown(part, "on tuesday").splitlines()
        assert sum(a != b for a, b in zip(one, other, strict=True)) == 1
