from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType
from rich.theme import Theme

from interlock.cli.layout import STYLES, Listing, Sheet, fields, told, value


def drawn(piece: RenderableType, width: int = 80, *, terminal: bool = False, color: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, theme=Theme(STYLES), markup=False, emoji=False, highlight=False,
        force_terminal=terminal or color, color_system="standard" if color else None, no_color=not color,
    )  # fmt: skip
    console.print(piece)
    return out.getvalue()


ROWS = [("call_0194f3a2b1c4d5e6f708192a3b4c5d6e", "refund", "held"), ("call_2", "look", "done")]


def test_many_things_are_a_table_where_it_fits() -> None:
    lines = drawn(Listing(("call", "tool", "outcome"), ROWS, empty="None.")).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["call", "tool", "outcome"]


def test_long_text_wraps_before_an_id_is_cut() -> None:
    rows = [(f"call_{number:032x}", "some words " * 20, "more words " * 20) for number in range(2)]
    out = drawn(Listing(("call", "why", "then"), rows, empty="None."), width=70)
    assert all(row[0] in out for row in rows)
    assert len(out.splitlines()) > 10


def test_on_a_narrow_terminal_they_are_a_block_each_and_no_id_is_cut_in_two() -> None:
    out = drawn(Listing(("call", "tool", "outcome"), ROWS, empty="None."), width=48)
    assert "call     call_0194f3a2b1c4d5e6f708192a3b4c5d6e" in out
    assert "outcome  held" in out


@pytest.mark.parametrize("width", [16, 24, 40, 60, 80, 200])
def test_nothing_is_left_out_however_narrow_the_terminal(width: int) -> None:
    text = "".join(
        drawn(Sheet("t", Listing(("call", "tool", "outcome"), ROWS, empty="")), width=width, terminal=True).split()
    )
    for row in ROWS:
        for cell in row:
            assert cell in text.replace("│", "")


def test_nothing_is_said_in_words_where_there_are_no_rows() -> None:
    assert drawn(Listing(("a",), [], empty="No rows.")) == "No rows.\n"


def test_markup_and_emoji_codes_are_text() -> None:
    for text in ("[red]x[/red]", ":smile:", "[link=http://x]y[/link]"):
        assert text in drawn(told(text))
        assert text in drawn(fields([(text, text)]))
        assert text in drawn(value({"a": text}))
        assert text in drawn(Listing((text,), [(text,)], empty=""))


def test_a_hidden_character_stands_out_and_is_named() -> None:
    out = drawn(value("a\u202eb"), color=True)
    assert "\x1b[1;37;41m\\u202e" in out
    assert "RIGHT-TO-LEFT OVERRIDE" in out


def test_a_flood_of_hidden_characters_is_counted_not_listed() -> None:
    out = " ".join(drawn(value("".join(chr(0x200B + number) for number in range(5)) + "\u2060\u2061\u2062")).split())
    assert "and 3 more" in out


def test_a_file_or_a_pipe_gets_no_frame() -> None:
    assert drawn(Sheet("t", told("x"))) == "t\nx\n"


def test_where_the_terminal_cannot_draw_lines_the_frame_is_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii", write_through=True)
    Console(file=stream, width=40, theme=Theme(STYLES), force_terminal=True, no_color=True).print(Sheet("t", told("x")))
    drawn_as = raw.getvalue().decode("ascii")
    assert "+-----+" in drawn_as
