"""`interlock audit`: the ledger's views under the names that auditors ask for."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing
from interlock.cli.output import Report
from interlock.core.times import moment
from interlock.errors import BadInput
from interlock.ledger.audit import VIEWS, Question
from interlock.ledger.audit import audit as ask
from interlock.ledger.pages import LIMIT_MAX
from interlock.ledger.plain import plain

_EXAMPLE = """\
interlock audit authz_decision --where decision=deny --since 7d
interlock audit tool_call --where tool=refund --json"""


@command("audit", example=_EXAMPLE)
@click.argument("view", metavar="VIEW", type=click.Choice(list(VIEWS)))
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Rows with this value; may be repeated.")
@click.option("--since", metavar="TIME", help="From then on: 2026-07-01, 2026-07-01T12:00Z, or 90m, 12h, 7d ago.")
@click.option("--until", metavar="TIME", help="Before then; written as --since is.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=100, show_default=True, help="The newest so many.")
def audit(deployment: Deployment, view: str, where: tuple[str, ...], limit: int, **times: str | None) -> Report:
    """Rows of one of the ledger's views, the newest last.

    VIEW is run, step, tool_call, authz_decision, tool_result, compensation_action, approval, notice or eval. Every
    column is shown.
    """
    bounds = {f"{name}_us": moment(said, deployment.now_us) for name, said in times.items() if said is not None}
    question = Question(view=view, where=dict(_condition(said) for said in where), limit=limit, **bounds)
    found = deployment.with_store(partial(ask, tenant=deployment.person.tenant, question=question))
    rows = [plain(row) for row in found]
    columns = list(rows[0]) if rows else []
    cells = [[_cell(row[name]) for name in columns] for row in rows]
    return Report({"view": view, "rows": rows}, [Listing(columns, cells, empty="No rows.")])


def _cell(found: Any) -> str:
    return ", ".join(map(str, found)) if isinstance(found, list) else "" if found is None else str(found)


def _condition(said: str) -> tuple[str, str]:
    column, equals, value = said.partition("=")
    if not equals:
        raise BadInput(f"--where {said!r}", code="cli.where", remedy="Write it as COLUMN=VALUE.")
    return column, value
