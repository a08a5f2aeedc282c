"""What goes out: pages for a person, one JSON document for a program, one line for an error, and the exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from interlock.core.call import OutcomeKind
from interlock.core.visible import one_line
from interlock.errors import BadInput, Conflict, InterlockError, LedgerError, NotEntitled

if TYPE_CHECKING:  # a page is made of rich's parts, which a hook or a program that reads JSON never needs
    from rich.console import Console, RenderableType

PIPE_WIDTH = 320
"""Columns of a page that goes into a file or a pipe: rows stay whole for grep."""


class Exit(IntEnum):
    """What the exit code says; `EXITS` has the sentences."""

    DONE = 0
    NO = 1
    USAGE = 2
    HELD = 3
    UNKNOWN = 4
    NOT_ENTITLED = 5
    LEDGER = 6
    BUG = 7
    TAMPERED = 8
    UNTOLD = 9
    INTERRUPTED = 130


EXITS = {
    Exit.DONE: "done",
    Exit.NO: "the answer is no: a call refused, failed or withheld, findings at or above the threshold, drift",
    Exit.USAGE: "the command line, its input, a file or the settings are not acceptable; nothing was done",
    Exit.HELD: "held: the call waits for a person; of `inbox`: something waits for one",
    Exit.UNKNOWN: "unknown: the call may or may not have taken effect, and a person must settle it",
    Exit.NOT_ENTITLED: "no key, or its owner may not do this",
    Exit.LEDGER: "the ledger cannot be read or written, or another process holds the run",
    Exit.BUG: "a defect of Interlock",
    Exit.TAMPERED: "the ledger is not what was written: it was changed, cut, put back or damaged",
    Exit.UNTOLD: "what was asked for is done, but the output could not be written: look before you ask again",
    Exit.INTERRUPTED: "interrupted, as by Ctrl-C",
}
"""Every exit code with its meaning: the text of `--help` and of the reference."""

OUTCOME_EXITS = {
    OutcomeKind.DONE: Exit.DONE,
    OutcomeKind.REFUSED: Exit.NO,
    OutcomeKind.FAILED: Exit.NO,
    OutcomeKind.WITHHELD: Exit.NO,
    OutcomeKind.HELD: Exit.HELD,
    OutcomeKind.UNKNOWN: Exit.UNKNOWN,
}
"""The exit code of a call, by its outcome."""

_ERROR_EXITS = ((Conflict, Exit.NO), (NotEntitled, Exit.NOT_ENTITLED), (LedgerError, Exit.LEDGER))


class Report(NamedTuple):
    """What a command found or did.

    Attributes:
        document: All of it, for a program.
        view: The same for a person, one piece below the other.
        exit: The exit code.
    """

    document: Mapping[str, Any]
    view: Sequence[RenderableType] = ()
    exit: Exit = Exit.DONE


def exit_of(error: InterlockError) -> Exit:
    """The exit code of an error."""
    return next((code for kind, code in _ERROR_EXITS if isinstance(error, kind)), Exit.USAGE)


class Output:
    """Where a command writes. What it does never hangs on that: where nobody reads any more, it goes on in silence.

    Attributes:
        untold: Whether something could not be written, as on a full disk.

    Args:
        as_json: One JSON document on the standard output and nothing else, not even for an error.
        width: Columns of a page; the terminal's where None.
    """

    def __init__(self, *, as_json: bool = False, width: int | None = None) -> None:
        self.as_json = as_json
        self._width = width
        self._indent: int | None = 2
        self.untold = False

    def report(self, report: Report) -> None:
        """Write the report in the form that was asked for."""
        if self.as_json:
            self._document(report.document)
        else:
            self.show(*report.view)

    def show(self, *view: RenderableType) -> None:
        """Write pieces of a page; nothing where JSON is wanted."""
        if self.as_json:
            return
        with self._writing():
            console = self._console()
            if console.is_terminal:
                console.print(*view, sep="\n")
                return
            with console.capture() as capture:
                console.print(*view, sep="\n")
            click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))

    def by_lines(self) -> None:
        """From here on every document is one line: for a command that writes several."""
        self._indent = None

    def line(self, document: Mapping[str, Any], view: RenderableType) -> None:
        """Write one thing of several now."""
        if self.as_json:
            self._document(document)
        else:
            self.show(view)

    def error(self, code: str, message: str, remedy: str = "") -> None:
        """Write an error: one line on the error output, or the document where JSON is wanted."""
        if self.as_json:
            self._document({"error": {"code": code, "message": message, "remedy": remedy}})
            return
        from interlock.cli.layout import told

        line = told("error: ", "bad")
        stop = "" if not remedy or message.endswith((".", "?", "!")) else "."
        line.append_text(told(f"{message}{stop} {remedy}".strip()))
        self._console(to_error=True).print(line, soft_wrap=True)

    def confirm(self, question: str) -> bool:
        """Ask a person; no is the default.

        Raises:
            BadInput: Nobody is there to answer.
        """
        if self.as_json:
            raise BadInput("--json asks nobody", code="cli.confirm", remedy="Add --yes.")
        try:
            return click.confirm(one_line(question), err=True)
        except click.Abort:
            raise BadInput("nobody answered", code="cli.confirm", remedy="Answer with y, or add --yes.") from None

    def _document(self, document: Mapping[str, Any]) -> None:
        # ASCII only: nothing in it can move the cursor or reorder a line, whatever the terminal's encoding.
        with self._writing():
            click.echo(json.dumps(document, indent=self._indent, ensure_ascii=True, default=dict))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Lets no command fail for its output; what cannot be written is said once, and nothing is written after it."""
        try:
            yield
        except OSError as error:
            # What is left in Python's buffer would fail once more when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                self.untold = True
                click.echo(f"error: the output cannot be written: {error.strerror}. {EXITS[Exit.UNTOLD]}.", err=True)

    def _console(self, *, to_error: bool = False) -> Console:
        from rich.console import Console
        from rich.theme import Theme

        from interlock.cli.layout import STYLES

        stream = sys.stderr if to_error else sys.stdout
        width = self._width if self._width or stream.isatty() else PIPE_WIDTH
        return Console(
            file=stream, width=width, theme=Theme(STYLES), markup=False, emoji=False, highlight=False
        )  # fmt: skip
