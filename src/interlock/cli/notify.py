"""`interlock notify`: who is told that a person is waited for, and whether that gets through."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import click
from rich.console import RenderableType

from interlock.channels import all_of, audience_of, open_channels
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.core.clock import iso
from interlock.core.principal import ADMIN, FIRST_TENANT, OPERATOR
from interlock.core.times import ago
from interlock.errors import NotFound
from interlock.ledger.store import Store
from interlock.net.sent import Sent, Verdict
from interlock.notices.channel import Channel
from interlock.notices.notice import Notice, NoticeKind
from interlock.notices.outbox import Memory, Outbox

_NEWEST = 1000
"""Notices of a channel that are counted, the newest."""

_SHOWN = 10

_STYLES = {Verdict.ACCEPTED: "good", Verdict.LATER: "wait", Verdict.REFUSED: "bad"}

Row = dict[str, Any]


@click.group()
def notify() -> None:
    """Who is told that a person is waited for, and whether that gets through."""


@command("test", notify, example="interlock notify test\ninterlock notify test --channel slack")
@click.option("--channel", metavar="NAME", help="Through this one alone.")
def test(deployment: Deployment, channel: str | None) -> Report:
    """Send a marked test through every channel, and show what was answered.

    It is about nothing, and is not recorded. Exit code 1 where one did not get through. Needs the role operator or
    admin.
    """
    deployment.require(OPERATOR, ADMIN)
    settings = deployment.settings
    if channel is not None and channel not in (names := [each.name for each in all_of(settings)]):
        raise NotFound(
            f"no channel {channel!r}", code="notify.channel",
            remedy=f"There are {', '.join(names)}." if names else "Name one under [notify] in the settings.",
        )  # fmt: skip
    answers = anyio.run(_tried, deployment, channel)
    document = {
        "channels": [{"channel": name, "answer": sent.verdict.value, "why": sent.why} for name, sent in answers]
    }
    rows = [(name, told(sent.verdict.value, _STYLES[sent.verdict]), sent.why) for name, sent in answers]
    view = [Listing(("channel", "answer", "why"), rows, empty="The settings name no channel: add one under [notify].")]
    well = all(sent.verdict is Verdict.ACCEPTED for _, sent in answers)
    return Report(document, view, Exit.DONE if well and answers else Exit.NO)


@command("status", notify, example="interlock notify status\ninterlock notify status --json")
def status(deployment: Deployment) -> Report:
    """What each channel was told, what waits to be sent, and what was given up on.

    Exit code 1 where something was given up on that somebody is still waited for. Reads only. Needs the role operator
    or admin.
    """
    person = deployment.require(OPERATOR, ADMIN)
    tenant = "" if person.tenant == FIRST_TENANT else person.tenant
    channels, failed = deployment.with_store(partial(_looked, deployment, tenant))
    now_us = deployment.now_us
    rows = [
        (each["channel"], str(each["delivered"]), str(each["waiting"]),
         told(str(each["failed"]), "bad" if each["failed"] else ""), ago(each["newest_us"], now_us) if each["newest_us"]
         else "never")
        for each in channels
    ]  # fmt: skip
    view: list[RenderableType] = [
        Listing(
            ("channel", "delivered", "waiting", "given up on", "newest"),
            rows,
            empty="The settings name no channel: add one under [notify].",
        )
    ]
    if failed:
        lost = [(row["channel"], row["kind"], row["ref"], row["why"], ago(row["at_us"], now_us)) for row in failed]
        view += [
            heading("Given up on, and still waiting"),
            Listing(("channel", "kind", "about", "why", "when"), lost[-_SHOWN:], empty=""),
            note("Nobody is told of these any more. Mend the channel, and try it with `interlock notify test`."),
        ]
    document = {
        "channels": [
            {**each, "newest_us": iso(each["newest_us"]) if each["newest_us"] else None} for each in channels
        ],
        "failed": [{**row, "at_us": iso(row["at_us"])} for row in failed],
    }  # fmt: skip
    return Report(document, view, Exit.NO if failed else Exit.DONE)


async def _tried(deployment: Deployment, only: str | None) -> list[tuple[str, Sent]]:
    """What each channel answered, in the order of the settings."""
    channels = await anyio.to_thread.run_sync(open_channels, deployment.settings)
    ref = deployment.world.ids()("test")
    now_us = deployment.world.clock.wall_us()
    probe = Notice(kind=NoticeKind.TEST, ref=ref, at_us=now_us, groups=())
    answers: dict[str, Sent] = {}

    async def send(channel: Channel) -> None:
        answers[channel.name] = await channel.send(probe, now_us)

    try:
        async with anyio.create_task_group() as tries:
            for channel in channels:
                if only in (None, channel.name):
                    tries.start_soon(send, channel)
    finally:
        for channel in channels:
            await channel.close()
    return [(channel.name, answers[channel.name]) for channel in channels if channel.name in answers]


async def _looked(deployment: Deployment, tenant: str, store: Store) -> tuple[list[Row], list[Row]]:
    """Each channel in figures; and what was given up on of what still waits."""
    clock = deployment.world.clock
    outbox = Outbox(store, clock)
    waiting = [notice for notice in await outbox.waiting() if tenant in ("", notice.tenant)]
    still = {(notice.run_id, notice.ref) for notice in waiting}
    channels, failed = [], []
    for channel in all_of(deployment.settings):
        where = {"channel": channel.name} | ({"tenant": tenant} if tenant else {})
        rows = await store.rows("notice", where, _NEWEST)
        untold = await Memory(outbox, channel.name, audience_of(channel)).untold(waiting, clock.wall_us())
        lost = [row for row in rows if row["status"] == "failed"]
        failed += [row for row in lost if (row["about"], row["ref"]) in still]
        channels.append({
            "channel": channel.name, "delivered": len(rows) - len(lost), "failed": len(lost),
            "waiting": sum(len(stands_for) for _, stands_for in untold),
            "newest_us": rows[-1]["at_us"] if rows else None,
        })  # fmt: skip
    return channels, failed
