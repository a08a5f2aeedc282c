"""The reports: one page without script or anything from outside, everything escaped; JUnit that any reader takes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from interlock.evals.compare import compare
from interlock.evals.evaluate import Result
from interlock.evals.grade import grade
from interlock.evals.judge import Verdict, Word
from interlock.evals.junit import junit
from interlock.evals.page import page
from interlock.evals.page_chart import Bar, bars, changes
from interlock.evals.seen import SeenCall, SeenRun
from interlock.evals.suite_file import SuiteFile
from interlock.evals.trial import Trial
from interlock.markup.tags import tag, text
from tests.evals.test_compare import kept

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre></style><iframe src='//evil.example'>",
    "&lt;b&gt;", "]]></failure><x>", "right\u202eleft", "null\x00byte", "\x1b[2J", "javascript:alert(1)",
)  # fmt: skip

VOID = {"meta"}


class Reader(HTMLParser):
    """What stands in a page: its elements, attributes and texts; asserts that they are nested as they must be."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(said)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def result(hostile: str = "plain") -> Result:
    """One case that passed and one that did not, with the hostile text wherever a text may stand."""
    said = {
        "suite": f"desk {hostile}", "agent": "desk",
        "cases": [
            {"name": f"good {hostile}", "words": hostile},
            {"name": "bad", "words": hostile, "expect": {"tools": {"exactly": [f"{hostile} 2"]}, "end": "limit"}},
        ],
    }  # fmt: skip
    made = SuiteFile.model_validate(said).made()
    call = SeenCall("call_1", hostile, {"a": hostile}, "failed", hostile, writes=True)
    run = SeenRun("run_1", hostile, (call,), f"My answer: {hostile}", "answer", 2, 1234, 17, None)
    trials = tuple(
        Trial(
            case=case.name, number=1, run=run, grade=grade(run, case.expect),
            verdict=Verdict(word=Word.NONE if place else Word.PASS, why=hostile), injected=((hostile, "lie", "done"),),
        )
        for place, case in enumerate(made.cases)
    )  # fmt: skip
    return Result(suite=made, trials=trials)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_tool_or_a_model_says_is_text_and_nothing_else(hostile: str) -> None:
    """Names of tools, answers, codes and words from elsewhere are never markup."""
    plain, found = Reader(page(result(), None, "now")), Reader(page(result(hostile), None, "now"))
    extra = [element for element, _ in found.elements if element != "mark"]
    assert extra == [element for element, _ in plain.elements]
    assert [attributes.keys() for element, attributes in found.elements if element != "mark"] == [
        attributes.keys() for _, attributes in plain.elements
    ]
    assert "\u202e" not in page(result(hostile), None, "now")
    assert "\x00" not in page(result(hostile), None, "now")


def test_the_page_needs_nothing_from_outside_and_runs_nothing() -> None:
    said = page(result(), compare({"bad": kept(1)}, {"bad": kept(0)}, 1), "now")
    found = Reader(said)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & {
        element for element, _ in found.elements
    }
    for _, attributes in found.elements:
        assert not {"src", "href", "srcset", "action", "style"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert "url(" not in said
    assert "@import" not in said
    [policy] = [attributes["content"] for _, attributes in found.elements if "http-equiv" in attributes]
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[\w+/]+=*'", str(policy))


def test_the_page_is_for_light_and_dark_and_for_the_keyboard() -> None:
    said = page(result(), None, "now")
    assert "@media (prefers-color-scheme: dark)" in said
    assert "color-scheme: light dark" in said
    found = Reader(said)
    opened = [attributes for element, attributes in found.elements if element == "details"]
    assert ["open" in attributes for attributes in opened] == [False, True], "what failed is open"
    assert sum(element == "summary" for element, _ in found.elements) == 2
    assert all("aria-label" in attributes for element, attributes in found.elements if element == "svg")
    assert dict(found.elements)["html"]["lang"] == "en"


def test_the_page_says_what_failed_what_was_lost_and_what_it_took() -> None:
    told = " ".join(Reader(page(result(), compare({"bad": kept(1)}, {"bad": kept(0)}, 1), "now")).texts)
    for part in ("50.0 % (1 of 2)", "Lost:", "bad", "tools: exactly plain 2; called was plain", "1,234", "no verdict"):
        assert part in told


def test_a_chart_stays_within_its_frame_whatever_the_figures_are() -> None:
    rows = [Bar("one\u202e", 5.0, -3.0, 9.0, "x"), Bar("two", 0.5, 0.4, 0.6, "y")]
    for chart in (bars("Shares", rows), changes("Changes", rows), changes("None", [])):
        for element, attributes in Reader(chart).elements:
            assert element != "mark", "a picture shows no text of an element that it does not know"
            if element in ("rect", "line", "circle"):
                for name in ("x", "x1", "x2", "cx"):
                    assert 0 <= float(attributes.get(name) or 0) <= 700


def test_attributes_are_escaped_like_texts() -> None:
    assert tag("p", "a<b", title='x" onclick="y') == '<p title="x&quot; onclick=&quot;y">a&lt;b</p>'
    assert text("a\u202eb") == "a<mark>\\u202e</mark>b"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_junit_is_well_formed_whatever_stands_in_it(hostile: str) -> None:
    root = xml.fromstring(junit(result(hostile)))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    [good, bad] = root.iter("testcase")
    assert good.find("failure") is None
    failure = bad.find("failure")
    assert failure is not None
    assert str(failure.get("message")).startswith("tools: exactly")
    assert not list(failure)


def test_a_result_is_the_same_as_json_whatever_stands_in_it(tmp_path: Path) -> None:
    document = result().as_json()
    assert document["shares"]["passed"]["part"] == 1  # type: ignore[index,call-overload]
    [good, bad] = document["cases"]  # type: ignore[misc]
    assert (good["trials"][0]["passed"], bad["trials"][0]["passed"]) == (True, False)  # type: ignore[index,call-overload]
