from __future__ import annotations

import re
from xml.etree import ElementTree

from interlock.evals.chart import Bar, rows_of, svg, text_bars
from interlock.evals.tally import Tally

SPACE = "{http://www.w3.org/2000/svg}"


def tally() -> Tally:
    found = Tally(calls=120, diverged=7)
    found.matrix.update({("allow", "allow"): 90, ("allow", "deny"): 1, ("require_approval", "allow"): 20})
    found.undecided["erased"] = 2
    return found


def test_bars_are_as_long_as_their_counts_and_what_there_is_at_all_is_seen() -> None:
    lines = text_bars([Bar("a", (("none", 100),)), Bar("bb", (("none", 50),)), Bar("c", (("none", 1),))], width=10)
    assert lines == ["a   ██████████ 100", "bb  █████ 50", "c   █ 1"]
    assert text_bars([]) == []


def test_a_picture_shows_before_and_now_each_change_and_what_is_not_compared() -> None:
    verdicts, others = rows_of(tally())
    assert [(bar.name, bar.whole) for bar in verdicts] == [("before", 111), ("now", 111)]
    assert [(bar.name, bar.whole) for bar in others] == [
        ("allow → deny", 1), ("hold → allow", 20), ("diverged", 7), ("undecidable", 2),
    ]  # fmt: skip
    picture = ElementTree.fromstring(svg(tally(), "a"))
    said = " ".join(each.text or "" for each in picture.iter(f"{SPACE}text"))
    for text in ("21 of 111 compared calls change", "hold → allow", "diverged", "undecidable"):
        assert text in said


def test_a_picture_fetches_and_runs_nothing_and_its_title_is_no_markup() -> None:
    text = svg(tally(), '</title><script>alert(1)</script><image href="http://x/"/>')
    elements = list(ElementTree.fromstring(text).iter())
    assert {each.tag for each in elements} <= {
        SPACE + name for name in ("svg", "title", "desc", "style", "rect", "text")
    }
    assert not [name for each in elements for name in each.attrib if name.endswith("href")]


def test_a_picture_can_be_read_on_white_and_on_black() -> None:
    """WCAG: text 4.5 to 1, bars 3 to 1, in both."""

    text = svg(tally(), "a")
    light, dark = text.split("@media (prefers-color-scheme:dark)")
    for part in (light, dark):
        colours = dict(re.findall(r"\.?(\w+)\{fill:(#[0-9a-f]{6})\}", part))
        page = luminance(colours["page"])
        for name, least in (("text", 4.5), ("quiet", 4.5), ("allow", 3), ("hold", 3), ("deny", 3), ("none", 3)):
            assert contrast(luminance(colours[name]), page) >= least, name


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    high, low = max(one, other), min(one, other)
    return (high + 0.05) / (low + 0.05)
