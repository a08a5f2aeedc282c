"""The pieces that a page is made of. Every text goes through `told`: no markup is read, nothing hidden stays hidden."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from interlock.core.canonical import Json
from interlock.core.visible import Stretch, name_of, visible, visible_json, visible_lines

STYLES = {
    "good": "green",
    "bad": "red",
    "wait": "magenta",
    "quiet": "dim",
    "strong": "bold",
    "alarm": "bold white on red",
}
"""Names of styles: the terminal's own colours, none of which is hard to read on white or on black."""

OUTCOMES = {
    "done": "good", "allow": "good", "approved": "good", "consumed": "good", "finished": "good",
    "refused": "bad", "failed": "bad", "withheld": "bad", "deny": "bad", "rejected": "bad", "cancelled": "bad",
    "unknown": "bad", "revoked": "bad", "held": "wait", "pending": "wait", "require_approval": "wait", "open": "wait",
    "completed": "good", "compensated": "bad", "compensation_failed": "bad", "stuck": "bad", "unmet": "bad",
    "waiting": "wait",
}  # fmt: skip
"""Words that a page says often, each with its style."""

_NAMED_MAX = 5
_GAP = 2

Cell = str | Text


def told(text: str, style: str = "") -> Text:
    """One line of text, in the style given; what is hidden in it as a red escape."""
    return _joined(visible(text), style)


def lines(text: str) -> Text:
    """A text of several lines, their ends kept; what is hidden in it as a red escape."""
    return _joined(visible_lines(text))


def word(text: str | None) -> Text:
    """An outcome, verdict or status in its colour; a dash for none."""
    return told(text, OUTCOMES.get(text, "")) if text else told("–", "quiet")


def value(json_value: Json) -> RenderableType:
    """A JSON value in full, on as many lines as it takes, with a warning below where something hides in it."""
    stretches = visible_json(json_value)
    return Group(Padding(_joined(stretches), (0, 0, 0, 2), expand=False), *warning(stretches))


def warning(stretches: Iterable[Stretch]) -> list[Text]:
    """A red line that names what is hidden in a text; none where nothing is."""
    hidden = list(dict.fromkeys(stretch.hidden for stretch in stretches if stretch.hidden))
    if not hidden:
        return []
    names = ", ".join(name_of(character) for character in hidden[:_NAMED_MAX])
    more = f" and {len(hidden) - _NAMED_MAX} more" if len(hidden) > _NAMED_MAX else ""
    return [Text(f"warning: characters that hide or disguise something, shown as escapes: {names}{more}", "alarm")]


def fields(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """Names and values, one pair a line; a long value wraps beside its name."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="quiet", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, said in pairs:
        grid.add_row(Text(name), said if isinstance(said, Text) else told(said))
    return grid


class Sheet:
    """One thing in full: its name, and what there is to say of it; in a frame where there is a terminal."""

    def __init__(self, title: str, *parts: RenderableType) -> None:
        self._title = told(title, "bold not dim")
        self._whole = Group(*parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A file or a pipe gets no frame: it would stretch to the longest line."""
        if console.is_terminal:
            yield Panel(self._whole, title=self._title, title_align="left", expand=False, border_style="quiet")
        else:
            yield self._title
            yield self._whole


def heading(text: str) -> Text:
    """What the part below it is, after an empty line."""
    return Text.assemble("\n", told(text, "strong"))


def note(text: str) -> Text:
    """Something beside the matter: what to do next, where to look."""
    return told(text, "quiet")


class Listing:
    """Many things of a kind: a table where the terminal is wide enough for it, else a block for each.

    Args:
        columns: Headings.
        rows: Their cells, in the same order; None for what was erased.
        empty: What to say where there are no rows.
        whole: Columns that do not wrap, because what stands in them is to be copied.
    """

    def __init__(
        self, columns: Sequence[str], rows: Iterable[Sequence[Cell | None]], *, empty: str, whole: Sequence[str] = ()
    ) -> None:
        self._columns = columns
        self._rows = [[cell if isinstance(cell, Text) else _cell(cell) for cell in row] for row in rows]
        self._empty = empty
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose by the width that there is."""
        if not self._rows:
            yield note(self._empty)
            return
        columns = self._measured(console, options)
        if sum(column.minimum + _GAP for column in columns) <= options.max_width:
            yield self._table(columns)
            return
        for number, row in enumerate(self._rows):
            if number:
                yield Text("")
            yield fields((name, cell) for name, cell in zip(self._columns, row, strict=True) if cell.plain)

    def _table(self, columns: list[Measurement]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
        for name, column in zip(self._columns, columns, strict=True):
            # Only what has spaces may wrap: rich narrows the widest column first, and that is mostly an id.
            table.add_column(Text(name), overflow="fold", no_wrap=column.minimum == column.maximum)
        for row in self._rows:
            table.add_row(*row)
        return table

    def _measured(self, console: Console, options: ConsoleOptions) -> list[Measurement]:
        """For each column, its longest word and its longest line."""
        found = []
        for name, *cells in zip(self._columns, *self._rows, strict=True):
            each = [Measurement.get(console, options, cell) for cell in (Text(name), *cells)]
            longest = max(one.maximum for one in each)
            found.append(Measurement(longest if name in self._whole else max(one.minimum for one in each), longest))
        return found


def _cell(text: str | None) -> Text:
    return told("–", "quiet") if text is None else told(text)


def _joined(stretches: Iterable[Stretch], style: str = "") -> Text:
    text = Text(style=style)
    for stretch in stretches:
        text.append(stretch.text, "alarm" if stretch.hidden else None)
    return text
