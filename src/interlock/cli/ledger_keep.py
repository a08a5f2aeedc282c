"""`interlock ledger export`, `archive`, `redact`, `erase` and `rebuild`: what is kept, shown and let go of."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, fields, note, told
from interlock.cli.ledger_verify import ledger as ledger  # told again: with it come the commands of both files
from interlock.cli.output import Exit, Report
from interlock.core.principal import ADMIN, OPERATOR
from interlock.core.times import moment, period
from interlock.errors import BadInput
from interlock.ledger.archive import Exported, archive, export, started_in
from interlock.ledger.bundle import verifier
from interlock.ledger.rebuild import Difference, differences
from interlock.ledger.redact import erase_subject, redact
from interlock.ledger.seal import Sealer
from interlock.ledger.sqlite import SqliteStore
from interlock.ledger.store import Store

_FILE = click.Path(path_type=Path, dir_okay=False)
_VERIFIER = "offline.py"

_DIFFERENCES_MAX = 1000


@command("export", ledger, example="interlock ledger export run_0194f3a2b1c4 --to evidence.jsonl --with-verifier")
@click.argument("runs", metavar="[RUN_ID]...", nargs=-1)
@click.option("--since", metavar="TIME", help="Instead of run ids: every run that started from then on.")
@click.option("--until", metavar="TIME", help="And before then.")
@click.option("--to", "file", type=_FILE, required=True, metavar="FILE", help="The bundle; it must not be there yet.")
@click.option("--with-verifier", is_flag=True, help=f"Write the one-file verifier beside it, as {_VERIFIER}.")
def export_(
    deployment: Deployment, runs: tuple[str, ...], since: str | None, until: str | None, file: Path,
    with_verifier: bool,
) -> Report:  # fmt: skip
    """Write whole runs as a file that anybody can check without Interlock.

    It has all that they say in clear. Hand out the key that is printed on another way than the file. Needs the role
    operator or admin.
    """
    if bool(runs) == (since is not None):
        raise BadInput("runs to export", code="cli.export", remedy="Name run ids, or give --since.")
    person = deployment.require(OPERATOR, ADMIN)
    between_us = None if since is None else period(since, until, deployment.now_us)

    async def work(store: SqliteStore, sealer: Sealer) -> Exported:
        names = runs if between_us is None else await started_in(store, person.tenant, between_us)
        return await export(store, sealer, names, file, person)

    return _written(deployment.with_sealed(work), file, with_verifier, "Exported")


@command("archive", ledger, example="interlock ledger archive --before 365d --to archive-2026.jsonl")
@click.option("--before", metavar="TIME", required=True, help="Runs that were over by then: 2026-07-01, or 365d ago.")
@click.option("--to", "file", type=_FILE, required=True, metavar="FILE", help="The bundle; it must not be there yet.")
@click.option("--with-verifier", is_flag=True, help=f"Write the one-file verifier beside it, as {_VERIFIER}.")
def archive_(deployment: Deployment, before: str, file: Path, with_verifier: bool) -> Report:
    """Export runs that were over before a moment, then erase here what they say.

    The file is checked before anything is erased. Headers stay, and with them every proof; the tables keep what headers
    say. Keep the file: it is the only place where the rest stands. Needs the role operator or admin.
    """
    person = deployment.require(OPERATOR, ADMIN)
    before_us = moment(before, deployment.now_us)
    written = deployment.with_sealed(lambda store, sealer: archive(store, sealer, before_us, file, person))
    return _written(written, file, with_verifier, "Archived")


@command("redact", ledger, example='interlock ledger redact run_0194f3a2b1c4 4 5 --reason "request 112" --yes')
@click.argument("run_id")
@click.argument("seqs", metavar="[SEQ]...", nargs=-1, type=click.IntRange(1))
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays for ever, so name nobody.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def redact_(deployment: Deployment, run_id: str, seqs: tuple[int, ...], reason: str, yes: bool) -> Report:
    """Erase for good what a run says, or some of its events.

    Numbers are those of `interlock runs replay`. What an open call or run still needs is not erased. Needs the role
    operator or admin.
    """
    person = deployment.require(OPERATOR, ADMIN)
    _confirmed(deployment, yes, f"Erase what {run_id} says, for good?")

    gone = deployment.with_store(lambda store: redact(store, run_id, seqs or None, reason, person), writes=True)
    line = f"Erased: {len(gone)} events of {run_id}, by the word of {person.id}."
    return Report({"run_id": run_id, "erased": gone, "by": person.id}, [told(line), *_backups()])


@command("erase", ledger, example='interlock ledger erase u42 --reason "request 113" --yes')
@click.argument("principal")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stays for ever, so name nobody.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(deployment: Deployment, principal: str, reason: str, yes: bool) -> Report:
    """Erase for good what the runs of a principal say, and what they said in others.

    Exits with 1 where something is needed still: run it again when that is over. Needs the role operator or admin.
    """
    person = deployment.require(OPERATOR, ADMIN)
    _confirmed(deployment, yes, f"Erase all that is about {principal}, for good?")
    found = deployment.with_store(lambda store: erase_subject(store, principal, reason, person), writes=True)
    document = {
        "principal": principal, "events": found.events, "runs": found.runs, "by": person.id,
        "kept": [{"run_id": kept.chain, "seq": kept.seq, "why": kept.why} for kept in found.kept],
    }  # fmt: skip
    line = f"Erased: {found.events} events of {found.runs} runs, by the word of {person.id}."
    view: list[RenderableType] = [told(line), *_backups()]
    if found.kept:
        cells = [(kept.chain, str(kept.seq), kept.why) for kept in found.kept]
        view = [*view, told("Needed still, and not erased:", "wait"), Listing(("run", "event", "why"), cells, empty="")]
    return Report(document, view, Exit.NO if found.kept else Exit.DONE)


@command("rebuild", ledger, example="interlock ledger rebuild\ninterlock ledger rebuild --write")
@click.option("--write", is_flag=True, help="Write every table anew; needs the role operator or admin.")
def rebuild(deployment: Deployment, write: bool) -> Report:
    """Fold the tables again from the events, and name each place where they differ.

    Exits with 1 where they do and nothing was written. Verify first: what was changed in the events themselves is
    folded as it stands.
    """
    if write:
        deployment.require(OPERATOR, ADMIN)

    async def work(store: Store) -> list[Difference]:
        found = await differences(store)
        if write and found:
            await store.rebuild()
        return found

    found = deployment.with_store(work, writes=write)
    document = {
        "differences": [each._asdict() for each in found[:_DIFFERENCES_MAX]], "count": len(found),
        "written": write and bool(found),
    }  # fmt: skip
    view = [told(str(each)) for each in found[:_DIFFERENCES_MAX]]
    if not found:
        view = [told("Every table says what the events say.")]
    elif write:
        view.append(told(f"{len(found)} differences; every table was written anew."))
    return Report(document, view, Exit.NO if found and not write else Exit.DONE)


def _written(written: Exported, file: Path, with_verifier: bool, what: str) -> Report:
    beside = file.parent / _VERIFIER
    if with_verifier:
        try:
            beside.write_text(verifier(), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"{str(beside)!r} cannot be written: {error.strerror}", code="archive.file") from error
    document = {
        "file": str(file), "runs": list(written.chains), "events": written.events, "key": written.key,
        "sha256": written.sha256, "verifier": str(beside) if with_verifier else None,
    }  # fmt: skip
    view: list[RenderableType] = [
        told(f"{what}: {written.events} events of {len(written.chains)} runs in {file}."),
        fields([("key", written.key), ("sha256", written.sha256)]),
        note(f"Check it with `python3 -I {_VERIFIER} {file.name} --key KEY`."),
    ]
    return Report(document, view)


def _confirmed(deployment: Deployment, yes: bool, question: str) -> None:
    if not yes and not deployment.output.confirm(question):
        raise BadInput("nothing was erased", code="cli.confirm", remedy="Answer with y, or add --yes.")


def _backups() -> list[RenderableType]:
    return [note("Backups and archives keep what they have until they are thrown away.")]
