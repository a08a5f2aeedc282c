"""`interlock ledger verify`: whether the ledger is what it was, and what a person is to make of the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, heading, note, told
from interlock.cli.ledger import ledger as ledger  # told again: with it comes this file's command
from interlock.cli.output import Exit, Report
from interlock.compose import open_sinks, own_key
from interlock.core.principal import ADMIN, OPERATOR
from interlock.errors import BadInput, SettingsError
from interlock.ledger.findings import MEANINGS, Found
from interlock.ledger.findings import Report as Findings
from interlock.ledger.note import read_note, read_public
from interlock.ledger.verify import Scope
from interlock.ledger.verify import verify as verify_file

_SHOWN_MAX = 20

_EXAMPLE = """\
interlock ledger verify
interlock ledger verify --anchor checkpoint.txt --key "$(cat ledger.pub)" --json"""


@command("verify", ledger, example=_EXAMPLE)
@click.option(
    "--from", "start", type=click.IntRange(1), default=1, metavar="POSITION", help="The first event to look at."
)
@click.option("--to", "end", type=click.IntRange(1), metavar="POSITION", help="The last one; all where left out.")
@click.option(
    "--anchor", type=click.Path(path_type=Path), metavar="FILE", help="A signed checkpoint that you have kept."
)
@click.option(
    "--key", "keys", multiple=True, metavar="TEXT", help="A public key that you know to be right; may be repeated."
)
@click.option("--no-tables", is_flag=True, help="Do not fold every table anew: a third faster.")
def verify(
    deployment: Deployment, start: int, end: int | None, anchor: Path | None, keys: tuple[str, ...], no_tables: bool
) -> Report:
    """Find out whether the ledger is what was written, all of it.

    Looks at every event, chain, payload, checkpoint, key, table and page, and at what the sinks have. Exit code 8 where
    anything is wrong. What came after the newest checkpoint of a sink is the unanchored tail: it is sound in itself,
    and nobody outside could tell if it were not. Reads only. Needs the role operator or admin.
    """
    deployment.require(OPERATOR, ADMIN)
    settings = deployment.settings
    if settings.ledger is None or not settings.at(settings.ledger).exists():
        raise SettingsError("there is no ledger yet", code="settings.no_ledger", remedy="Make a first call.")
    known, missing = (tuple(map(read_public, keys)), "") if keys else own_key(settings.signing_key)
    scope = Scope(
        start=start, end=end, keys=known, anchor=_anchor(anchor), tables=not no_tables, progress=progress(deployment)
    )
    sinks = open_sinks(settings) if settings.seal.on else []
    found = verify_file(settings.at(settings.ledger), sinks, scope)
    if missing:
        found.notes.append(missing)
    return Report(_document(found), _page(found), Exit.DONE if found.ok else Exit.TAMPERED)


def _anchor(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return read_note(file.read_text(encoding="utf-8")).text
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{file}: {error}", code="cli.anchor", remedy="Name a file with one signed checkpoint."
        ) from None


def progress(deployment: Deployment) -> Callable[[int, int], None] | None:
    """Says how far it is, on one line of the terminal that goes away by itself."""
    if deployment.output.as_json or not sys.stderr.isatty():
        return None

    def tell(done: int, whole: int) -> None:
        click.echo(f"\r{done:,} of {whole:,} events \x1b[K", err=True, nl=False)
        if done >= whole:
            click.echo("\r\x1b[K", err=True, nl=False)

    return tell


def _document(found: Findings) -> dict[str, Any]:
    first = found.first_bad
    return {
        "ok": found.ok, "finding": found.finding, "first_bad": _plain(first) if first else None,
        "findings": {kind.value: found.counts[kind] for kind in found.findings},
        "found": [_plain(one) for one in found.found], "events": found.events, "verified": list(found.verified),
        "sealed": found.sealed, "checkpoints": found.checkpoints, "anchored": found.anchored,
        "unanchored_tail": found.unanchored_tail, "key": found.key, "vouched": found.vouched,
        "restores": found.restores, "notes": found.notes,
    }  # fmt: skip


def _plain(found: Found) -> dict[str, Any]:
    return {
        "finding": found.finding.value, "what": found.what, "position": found.pos, "chain": found.chain,
        "seq": found.seq,
    }  # fmt: skip


def _page(found: Findings) -> list[RenderableType]:
    view: list[RenderableType] = [_verdict(found)]
    if not found.ok:
        rows = [(kind.value, str(found.counts[kind]), MEANINGS[kind]) for kind in found.findings]
        view += [heading("Findings"), Listing(("finding", "times", "means"), rows, empty="")]
        shown = [(one.finding.value, str(one.pos or "–"), _event(one), one.what) for one in found.found[:_SHOWN_MAX]]
        view += [heading("Where"), Listing(("finding", "position", "event", "what"), shown, empty="")]
        if len(found.found) > _SHOWN_MAX:
            view.append(note(f"and {sum(found.counts.values()) - _SHOWN_MAX} more; --json has them"))
    first, last = found.verified
    view += [
        heading("Looked at"),
        fields(
            (
                ("events", f"{max(0, last - first + 1)} of {found.events}"),
                ("checkpoints", str(found.checkpoints)),
                ("anchored", f"{found.anchored} events, by what is kept outside the ledger"),
                ("unanchored tail", f"{found.unanchored_tail} events"),
                ("key", found.key or "none"),
            )
        ),
    ]
    if found.restores:
        view.append(told(f"Backups were restored knowingly {found.restores} times.", "wait"))
    if not found.vouched:
        view.append(told("Nobody outside the ledger vouches for its keys: give --key.", "wait"))
    return [*view, *(told(said, "wait") for said in found.notes)]


def _verdict(found: Findings) -> RenderableType:
    if found.ok:
        return told("Nothing is wrong: the ledger is what was written.", "good")
    first = found.first_bad
    assert first is not None, "what is not sound has a finding"
    where = f", first at position {first.pos} ({_event(first)})" if first.pos and first.chain else ""
    where = where or (f", first at position {first.pos}" if first.pos else "")
    return told(f"The ledger is not what was written: {first.finding}{where}.", "alarm")


def _event(found: Found) -> str:
    return f"{found.chain} {found.seq}" if found.chain else "–"
