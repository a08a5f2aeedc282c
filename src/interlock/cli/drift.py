"""`interlock tools drift` and `tools accept`: what became of the tools since they were reviewed, and a person's word.

Own tools are held against the pin file. Of the tools of servers, what a plane was shown stands in the ledger: no server
is asked again, which might show a reviewer something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
from rich.console import RenderableType

from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.layout import Listing, heading, note, told
from interlock.cli.output import Exit, Report
from interlock.cli.rollout import tools as tools  # told again: with it come the commands of all files
from interlock.cli.tools import own_tools, pin_file, pins_in_file
from interlock.core.principal import ADMIN, OPERATOR
from interlock.core.tool import Tool
from interlock.errors import BadInput, NotFound
from interlock.ledger.definitions import Definitions
from interlock.ledger.store import Store
from interlock.registry.accepted import Accepted
from interlock.registry.difference import GRAVE, Difference
from interlock.registry.pin import Pins


@command(
    "drift", tools, example="interlock tools drift\ninterlock tools drift --server files\ninterlock tools drift --json"
)
@click.option("--server", metavar="SERVER", default="", help="Only the tools of one server; your own are `local`.")
def drift(deployment: Deployment, server: str) -> Report:
    """What became of the tools since they were reviewed, the worst first. Exit code 1 where anything did.

    Your own tools are held against the pin file; those of servers, as a plane saw them last, against what was accepted.
    """
    accepted = deployment.with_store(known)
    pins = pins_in_file(deployment)
    own = own_tools(deployment)
    if pins is None and not accepted.servers:
        raise NotFound(
            f"no pin file {pin_file(deployment)}", code="pins.absent",
            remedy="Review the tools, then write it with `interlock tools pin`.",
        )  # fmt: skip
    found = [each for each in _differences(own, pins, accepted) if server in ("", each.server)]
    aside = {key: each.refused for key, each in accepted.tools.items() if each.refused and not each.gone}
    aside = {key: code for key, code in aside.items() if server in ("", key[0])}
    document = {
        "file": str(pin_file(deployment)),
        "differences": [each.as_json() for each in found],
        "set_aside": [{"server": of, "name": name, "code": code} for (of, name), code in sorted(aside.items())],
    }
    if not found and not aside:
        counted = (len(own) if pins is not None else 0) + len(accepted.tools)
        return Report(document, [told(f"{counted} tools, all as reviewed.", "good")])
    view: list[RenderableType] = []
    if found:
        view += [_table(found), *(part for each in found for part in difference_view(each))]
    if aside:
        rows = [(of, name, code) for (of, name), code in sorted(aside.items())]
        view += [
            heading("Set aside: never called, whatever is accepted"),
            Listing(("server", "tool", "why"), rows, empty=""),
        ]
    return Report(document, [*view, told(""), *_next(found)], Exit.NO)


@command(
    "accept", tools,
    example='interlock tools accept files__read --reason "read the new text"\n'
    "interlock tools accept --server files --reason 'first review' --yes",
)  # fmt: skip
@click.argument("name", required=False, default="")
@click.option("--server", metavar="SERVER", default="", help="Everything that waits of one server.")
@click.option("--all", "everything", is_flag=True, help="Everything that waits.")
@click.option("--digest", metavar="HEX", default="", help="Only the definition that you read: how its digest begins.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept for the audit.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept(deployment: Deployment, reason: str, yes: bool, **which: Any) -> Report:
    """Accept what became of tools of servers, exactly as it is shown.

    It binds the next call of every process. A tool that is gone is forgotten. Your own tools are reviewed in their code
    and pinned with `interlock tools pin`. Needs the role operator or admin, of the tenant `default`.
    """
    person = deployment.require(OPERATOR, ADMIN)
    found = _chosen(deployment.with_store(known).differences(), **which)
    if not yes:
        deployment.output.show(*(part for each in found for part in difference_view(each)), told(""))
        if not deployment.output.confirm(f"Accept {len(found)} of these definitions as shown?"):
            return Report({"accepted": []}, [told("Nothing was accepted.", "wait")], Exit.NO)

    async def record(store: Store) -> None:
        await Definitions(store).accept(found, person, reason)

    deployment.with_store(record, writes=True)
    document = {"accepted": [each.as_json() for each in found], "by": person.id, "reason": reason}
    return Report(document, [told(f"Accepted {_name(each)}, {each.change}, by {person.id}.", "good") for each in found])


async def known(store: Store) -> Accepted:
    """What servers listed and people accepted, by the ledger."""
    return await Definitions(store).accepted()


def _chosen(
    waiting: Iterable[Difference], name: str, server: str, everything: bool, digest: str
) -> list[Difference]:  # fmt: skip
    """What of that which waits is named.

    Raises:
        BadInput: Nothing is named, or more than one thing.
        NotFound: Nothing of that waits.
    """
    if sum(map(bool, (name, server, everything))) != 1 or (digest and not name):
        raise BadInput(
            "say what is accepted", code="cli.accept",
            remedy="Give the name of a tool, --server or --all, one of them; --digest goes with a name.",
        )  # fmt: skip
    found = [
        each
        for each in waiting
        if everything
        or each.server == server
        or (name and name in (each.name, each.was) and each.digest.startswith(digest))
    ]
    if not found:
        raise NotFound(
            "nothing of that waits for anybody", code="definitions.nothing", remedy="See `interlock tools drift`."
        )
    return found


def difference_view(each: Difference) -> Iterable[RenderableType]:
    """One difference in full. Every text of it is the server's, and is shown with its hidden characters as escapes."""
    was = f" (was {each.was})" if each.was else ""
    yield heading(f"{each.change.value}  {_name(each)}{was}  {each.digest[:12]}".rstrip())
    yield from (told(f"  {sign}", "bad") for sign in each.signs)
    yield from (told(f"  {flip}", "bad") for flip in each.flips)
    yield from (told(f"  {line}", _LINE_STYLES.get(line[:1], "")) for line in each.lines)


_LINE_STYLES = {"+": "good", "-": "bad"}


def _name(each: Difference) -> str:
    return f"{each.server}/{each.name}"


def _differences(own: Sequence[Tool], pins: Pins | None, accepted: Accepted) -> list[Difference]:
    found = [*(pins.compare(own) if pins is not None else ()), *accepted.differences()]
    return sorted(found, key=lambda each: each.danger)


def _table(found: list[Difference]) -> Listing:
    rows = []
    for each in sorted(found, key=lambda each: (each.server, each.danger)):
        grave = bool(GRAVE.intersection(each.aspects))
        what = told(", ".join(aspect.value for aspect in each.aspects), "bad" if grave else "")
        rows.append((each.server, each.name, each.change.value, what, each.digest[:12] or "–"))
    return Listing(("server", "tool", "change", "what", "definition"), rows, empty="")


def _next(found: list[Difference]) -> list[RenderableType]:
    servers = {each.server for each in found}
    said = ["`interlock tools pin` takes your own tools as they are now."] if "local" in servers else []
    if servers - {"local"}:
        said.append("`interlock tools accept` takes those of servers, as shown here.")
    return [note(line) for line in said]
