"""`interlock alerts`: what is out of the ordinary, and what was."""

from __future__ import annotations

from typing import Any

import click

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing
from interlock.cli.output import Exit, Report
from interlock.core.clock import iso
from interlock.core.times import ago
from interlock.ledger.alerted import Alert, AlertBook
from interlock.ledger.store import Store


@command("alerts", example="interlock alerts\ninterlock alerts --over --json")
@click.option("--over", is_flag=True, help="Those that are over as well; the newest thousand are remembered.")
def alerts(deployment: Deployment, over: bool) -> Report:
    """What is out of the ordinary now, and what was.

    Tools that fail, bursts, budgets, stuck runs, requests that wait, tired approvers; found by whatever
    serves, by the rules under [alerts]. The exit code is 0 where nothing stands, and 3 where something does.
    """
    tenant, now_us = deployment.person.tenant, deployment.now_us

    async def read(store: Store) -> list[Alert]:
        alerted = await AlertBook(store).now()
        found = [*alerted.standing.values(), *(alerted.over if over else ())]
        mine = [alert for alert in found if alert.about.tenant == tenant]
        return sorted(mine, key=lambda alert: (-alert.raised_us, alert.alert_id))

    found = deployment.with_store(read)
    cells = [
        (
            each.about.rule,
            each.says,
            ago(each.raised_us, now_us),
            ago(each.resolved_us, now_us) if each.resolved_us else None,
        )
        for each in found
    ]
    listing = Listing(("rule", "what", "since", "over"), cells, empty="Nothing is out of the ordinary.")
    standing = [alert for alert in found if not alert.resolved_us]
    document = {"alerts": [_document(alert) for alert in found], "standing": len(standing)}
    return Report(document, [listing], Exit.HELD if standing else Exit.DONE)


def _document(alert: Alert) -> dict[str, Any]:
    return {
        "alert_id": alert.alert_id, "rule": alert.about.rule, "subject": alert.about.subject, "says": alert.says,
        "figures": dict(alert.figures), "run_id": alert.run_id or None, "raised_at": iso(alert.raised_us),
        "resolved_at": iso(alert.resolved_us) if alert.resolved_us else None,
    }  # fmt: skip
