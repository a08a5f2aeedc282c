"""What a person reads: the session as it goes, and the table at its end. Plain text where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.account import Account
from examples.runtime import Verdict
from examples.scene import Row

COLOURS = {
    "done": "green", "refused": "yellow", "held": "magenta", "unknown": "red", "failed": "red", "withheld": "red",
}  # fmt: skip
"""Of outcomes. To be refused is no fault here, and so not red."""

MARGIN = 12
"""Columns for who speaks."""

WIDE = 110
"""Columns from which on the reasons have a column of their own."""


class Page:
    """The output, from its first line to its last."""

    def __init__(self) -> None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without a letter is no reason to fail
        self._console = Console(markup=False, emoji=False, highlight=False)

    def opening(self, url: str, whom: str, link: str) -> None:
        """Where the console is, before anything happens."""
        self._line(Text("console", "bold"), Text(f"{url} shows all of this as it happens."))
        self._line(Text(""), Text(f"This link signs you in once, as {whom}:"))
        self._console.print(link, soft_wrap=True)

    def says(self, who: str, words: str) -> None:
        """Somebody wants or does something."""
        self._console.print()
        self._line(Text(who, "bold"), Text(words))

    def came_of_it(self, row: Row) -> None:
        """What came of it, below."""
        what = Text(f"{row.what}: " if row.number or row.named else "", "dim")
        why = Text(f", {row.why}" if row.why else "")
        several = "s" if row.effects > 1 else ""
        effects = Text(f" ({row.effects} effect{several} at the service)" if row.effects else "", "bold")
        number = Text(f"{row.number or ''}".rjust(MARGIN - 1), "dim")
        self._line(number, Text.assemble(what, _outcome(row), why, effects))

    def account(self, account: Account) -> None:
        """The table, the counts, and what is not as it should be."""
        self._console.print()
        self._console.print(self._table(account.rows))
        self._console.print()
        counted = f"{account.effects} by the service's own count, {account.done} by the ledger's."
        self._line(Text("effects", "bold"), Text(counted))
        looked = f"{account.look_ups} governed reads of Interlock's own, to check what the calls named."
        self._line(Text("look-ups", "bold"), Text(looked))
        for wrong in account.wrong:
            self._line(Text("not so", "bold red"), Text(wrong))
        if not account.wrong:
            calls = sum(bool(row.number) for row in account.rows)
            said = f"{calls} calls and {len(account.rows) - calls} acts of people and of the runtime, each as expected."
            self._line(Text("all so", "bold green"), Text(said))
        self._verdict(account.verdict)

    def _verdict(self, verdict: Verdict) -> None:
        """The last word: what somebody finds who has only the ledger and its signed checkpoints."""
        self.says("verify", "`interlock ledger verify`, over every event, chain, checkpoint and table:")
        if verdict.wrong:
            self._line(Text(""), Text.assemble(("not what was written", "bold red"), f": {verdict.wrong}"))
            return
        kept = "all of them" if verdict.anchored == verdict.events else f"{verdict.anchored} of them"
        held = f"{verdict.events} events, {kept} under a signed checkpoint that is kept outside the ledger"
        self._line(Text(""), Text.assemble(("nothing is wrong", "bold green"), f": {held}."))

    def footer(self, opening: str, commands: Iterable[tuple[str, str]]) -> None:
        """Where to look next: commands on lines of their own, so that they can be copied."""
        self._console.print()
        for line in Text(opening).wrap(self._console, self._console.width):
            line.rstrip()
            self._console.print(line)
        for meaning, command in commands:
            self._console.print()
            self._console.print(Text(f"  # {meaning}", "dim"))
            self._console.print(Text(f"  {command}"), soft_wrap=True)

    def _line(self, margin: Text, words: Text) -> None:
        """A paragraph with something in its margin; no spaces at the ends of its lines."""
        margin.truncate(MARGIN, pad=True)
        for line in words.wrap(self._console, self._console.width - MARGIN - 1):
            line.rstrip()
            self._console.print(Text.assemble(margin, " ", line))
            margin = Text(" " * MARGIN)

    def _table(self, rows: Sequence[Row]) -> Table:
        wide = self._console.width >= WIDE
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold underline", expand=True)
        table.add_column("", justify="right", width=2)
        table.add_column("call", no_wrap=True) if wide else table.add_column("call, and why", ratio=1, overflow="fold")
        table.add_column("decision", no_wrap=True)
        if wide:
            table.add_column("why", ratio=1, overflow="fold")
        table.add_column("outcome", no_wrap=True)
        table.add_column("effects", justify="right")
        for row in rows:
            number = Text("✗", "bold red") if row.wrong else Text(str(row.number or ""))
            what, why = Text(row.what if row.number else f"· {row.what}"), Text(row.why, "dim")
            named = [what, _decision(row), why] if wide else [_with_why(what, why), _decision(row)]
            table.add_row(number, *named, _outcome(row), Text(str(row.effects), "bold" if row.effects else "dim"))
        return table


def _with_why(what: Text, why: Text) -> Text:
    return Text.assemble(what, "\n", why) if why else what


def _decision(row: Row) -> Text:
    return Text(row.decision) if row.decision else Text("–", "dim")


def _outcome(row: Row) -> Text:
    return Text(row.outcome, COLOURS.get(row.outcome, ""))
