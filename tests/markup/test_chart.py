"""Charts: what is drawn is what was counted, and no text of others is markup in them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from interlock.markup.chart import Row, Series, bars, columns, figures, lines, scale

HOURS = ("10:00", "11:00", "12:00")
COUNTS = (Series("done", (4, 0, 2)), Series("refused", (0, None, 6)))


def drawn(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def heights(markup: str) -> list[list[float]]:
    """How high the columns of each series are."""
    paths = [each.get("d", "") for each in drawn(markup).findall("path") if "series" in each.get("class", "")]
    return [[float(high) for high in re.findall(r"v([\d.]+)", path)] for path in paths]


def tips(markup: str) -> list[str | None]:
    return [each.findtext("title") for each in drawn(markup).findall("g[@class='tips']/path")]


def test_columns_stand_on_one_another_and_are_as_high_as_their_counts() -> None:
    made = columns("Calls", HOURS, COUNTS)
    (four, two), (six,) = heights(made)
    assert abs(four - 2 * two) < 0.2 and abs(six - 3 * two) < 0.3
    assert tips(made) == ["10:00: done 4", "12:00: done 2, refused 6"]


def test_a_line_is_broken_where_there_is_nothing_to_say_and_a_figure_alone_is_a_dot() -> None:
    made = drawn(lines("Latency", HOURS, [Series("p50", (1.0, None, 3.0)), Series("p95", (2.0, 4.0, 5.0))]))
    paths = {each.get("class", ""): each.get("d", "") for each in made.findall("path")}
    assert paths["dots series-1"].count("h0") == 2 and "line series-1" not in paths
    assert paths["line series-2"].count("L") == 2 and "dots series-2" not in paths


def test_the_longest_bar_is_the_largest_figure_and_nothing_is_no_bar() -> None:
    rects = list(drawn(bars("Tools", [Row("a", 10, "10"), Row("b", 5, "5"), Row("c", 0, "0")])).iter("rect"))
    widths = [float(each.get("width", 0)) for each in rects]
    assert widths[0] == 2 * widths[1]
    assert widths[2] == 0


def test_every_figure_of_a_chart_stands_in_its_table() -> None:
    table = figures(HOURS, COUNTS)
    assert re.findall(r'<th scope="row">([^<]*)', table) == ["12:00", "10:00"], "nothing is not said"
    assert re.findall(r"<td>([^<]*)", table) == ["2", "6", "4", "0"]


def test_a_name_of_others_is_text_with_what_hides_marked() -> None:
    """T25, T9."""
    hostile = '<script>alert(1)</script>"\u202e'
    for made in (bars("x", [Row(hostile, 1, hostile)]), columns("x", ["a"], [Series(hostile, (1,))])):
        assert "<script" not in made
        assert chr(0x202E) not in made
        assert "\\u202e" in made
        assert "<mark" not in made, "a picture shows no text of an element that it does not know"


def test_a_chart_of_nothing_is_a_chart() -> None:
    for made in (columns("none", [], []), lines("none", HOURS, [Series("p50", (None, None, None))]), bars("none", [])):
        drawn(made)


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_an_axis_ends_above_the_highest_value_after_a_few_round_steps(most: float) -> None:
    end, step = scale(most)
    assert end >= most * (1 - 1e-6)
    assert 1 <= round(end / step) <= 6
