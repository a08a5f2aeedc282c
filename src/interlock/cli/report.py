"""`interlock report`: what this deployment is, for whoever has to answer for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, heading, note, told
from interlock.cli.output import Report
from interlock.cli.site import look
from interlock.compose import open_sinks, own_key
from interlock.core.clock import iso
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR
from interlock.errors import BadInput, InterlockError, NotEntitled
from interlock.ledger.verify import Scope
from interlock.ledger.verify import verify as verify_file
from interlock.wrapping.report import report as report_of
from interlock.wrapping.report_page import markdown, page
from interlock.wrapping.report_part import Part, Table, document, text_of

_TITLE = "Interlock: report of a deployment"


@command(
    "report", example="interlock report\ninterlock report --out report/\ninterlock report --json | jq '.risk.matrix'"
)
@click.option("--out", "folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False),
              help="Write it there: a Markdown file for each part, report.html and report.json.")  # fmt: skip
@click.option(
    "--client", "clients", metavar="FILE", type=click.Path(path_type=Path), multiple=True,
    help="A client's file of MCP servers; may be repeated. Else those in their known places.",
)  # fmt: skip
def report(deployment: Deployment, folder: Path | None, clients: tuple[Path, ...]) -> Report:
    """What this deployment is: its tools, a risk matrix, roles, and security.

    What calls of each tool come to under the policy in force, by who makes them; who may approve what, and where four
    eyes are two; each known threat with the defence that is on or off here. It starts the servers, reads the whole
    ledger and changes nothing. The files of two reports differ where the deployment does, and in the time that they
    bear. Needs the role operator or admin.
    """
    person = deployment.require(OPERATOR, ADMIN)
    if person.tenant != FIRST_TENANT:
        raise NotEntitled(
            f"{person.id!r} is of the tenant {person.tenant!r}, and this is about all of them", code="report.tenant",
            remedy=f"Ask somebody of the tenant {FIRST_TENANT!r}.",
        )  # fmt: skip
    parts = report_of(replace(look(deployment, clients), verified=_verified(deployment)))
    said = document(parts)
    if folder is None:
        return Report(said, [piece for part in parts for piece in _view(part)])
    files = _write(folder, parts, iso(deployment.now_us))
    view = [told(f"The report stands in {folder}:"), *(note(f"  {name}") for name in files)]
    return Report(said | {"files": [str(folder / name) for name in files]}, view)


def _verified(deployment: Deployment) -> str:
    """What looking at every event of the ledger found."""
    settings = deployment.settings
    if settings.ledger is None or not settings.at(settings.ledger).exists():
        return "there is no ledger yet"
    keys, missing = own_key(settings.signing_key)
    try:
        found = verify_file(
            settings.at(settings.ledger), open_sinks(settings) if settings.seal.on else [],
            Scope(keys=keys, tables=False),
        )  # fmt: skip
    except InterlockError as error:
        return f"it cannot be read: {error.args[0]}"
    said = "every event is what was written" if found.ok else "it is NOT what was written"
    return f"{said} ({found.events} events); {missing}".removesuffix("; ") + "; see `interlock ledger verify`"


def _write(folder: Path, parts: tuple[Part, ...], now: str) -> list[str]:
    made = f"Made by `interlock report`, {now}."
    texts = {f"{part.name}.md": markdown(part, made) for part in parts}
    texts["report.html"] = page(parts, _TITLE, made.replace("`", ""))
    texts["report.json"] = json.dumps({"made": now, **document(parts)}, indent=2, sort_keys=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"{error.filename}: {error.strerror}", code="report.write", remedy="Choose a folder that you may write to."
        ) from None
    return list(texts)


def _view(part: Part) -> list[RenderableType]:
    view: list[RenderableType] = [heading(part.title), note(part.says)]
    for table in part.tables:
        view += [heading(table.title), *([note(table.says)] if table.says else []), _listing(table)]
    return view


def _listing(table: Table) -> Listing:
    return Listing(table.columns, [[text_of(cell) for cell in row] for row in table.rows], empty=table.empty)
