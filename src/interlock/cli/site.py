"""A deployment looked at from all sides, for `doctor` and `report`: what cannot be looked at is a finding."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import cache_from_source
from pathlib import Path

from interlock.app import Interlock
from interlock.cli.deployment import Deployment
from interlock.cli.tools import down_now
from interlock.core.clock import Clock
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.errors import InterlockError
from interlock.ledger.definitions import Definitions
from interlock.ledger.sqlite_audit import Audited
from interlock.policy.cedar import Policy
from interlock.sources.mcp_server import State
from interlock.wrapping.clients import known_files
from interlock.wrapping.coverage import coverage, read_clients
from interlock.wrapping.readiness import Finding, Severity, Site, examine
from interlock.wrapping.report_part import Grounds

CODING = "interlock.toolkit.coding"
"""The module of a coding agent's own tools, which its hooks ask for."""

_NEWEST = "SELECT ifnull((SELECT at_us FROM {} ORDER BY rowid DESC LIMIT 1), 0)"


def look(deployment: Deployment, clients: Iterable[Path]) -> Grounds:
    """Everything that there is to see, with every finding. It starts the servers and changes nothing.

    Args:
        clients: Files of clients; those in their known places where there are none.
    """
    settings = deployment.settings
    broken: list[Finding] = []
    site = Site(settings=settings, now_us=deployment.now_us)
    try:
        people = deployment.keys.list() if deployment.keys_file.exists() else None
        site = replace(site, people=people)
    except InterlockError as error:
        broken.append(_cannot("keys", error))
    try:
        if settings.ledger is not None and settings.at(settings.ledger).exists():
            site = replace(site, ledger=_ledger(settings.at(settings.ledger)))
    except InterlockError as error:
        broken.append(_cannot("ledger", error))
    if CODING in settings.tools:
        site = replace(
            site, hook_s=_hook_s(deployment.world.clock), bytecode=Path(cache_from_source(__file__)).exists()
        )
    seen = Grounds(site=site, findings=(), covered=coverage([], settings, {}, Path.home()))
    try:
        seen = deployment.with_plane(lambda plane: _opened(seen, plane))
    except InterlockError as error:
        broken.append(_cannot("opens", error))
    files = list(clients) or known_files(Path.home(), Path.cwd())
    tools = Counter(tool.server for tool in seen.site.tools)
    return replace(
        seen,
        findings=(*broken, *examine(seen.site), _versions()),
        covered=coverage(read_clients(files), settings, tools, Path.home()),
        keys=tuple(deployment.keys.all().values()) if site.people else (),
    )


async def _opened(seen: Grounds, plane: Interlock) -> Grounds:
    """What only an open plane knows."""
    servers = {name: "" if each.state is State.READY else f"{each.state.value}: {each.why}"
               for name, each in plane.fleet.servers.items()}  # fmt: skip
    registry, policy, nobody = plane.plane.registry, plane.plane.policy, Principal("nobody")
    assert isinstance(policy, Policy), "a plane that settings describe has a policy of rules"
    standing = await plane.plane.switch.standing(FIRST_TENANT)
    accepted = await Definitions(plane.store).accepted()
    stops = {(scope, target): why for (_, scope, target), why in standing.flags.stops.items()}
    rollouts, down = await plane.rollouts(), await down_now(plane.store)
    site = replace(
        seen.site,
        tools=tuple(plane.tools), known=registry.tools, withheld=dict(registry.withheld), servers=servers,
        approvers=policy.approvers, open_to=[tool.name for tool in plane.tools if policy.may_have(nobody, tool)],
        left_over=sorted({each.tool.name for each in rollouts if each.left_over}),
        down=sorted(f"{each['what']} ({each['why']})" for each in down),
        stopped=sorted(f"{scope} {target}".strip() for scope, target in stops),
    )  # fmt: skip
    return replace(
        seen, site=site, policy=policy, accepted=accepted, waiting=accepted.differences(),
        stops=stops,
    )  # fmt: skip


def _hook_s(clock: Clock) -> float:
    """Seconds that a process of a hook takes until it could begin, once; what is measured is this machine now."""
    begin = clock.mono_s()
    subprocess.run([sys.executable, "-c", "import interlock.cli.hook"], check=False, timeout=60)
    return clock.mono_s() - begin


def _cannot(check: str, error: InterlockError) -> Finding:
    return Finding(check, Severity.BAD, str(error.args[0]), error.remedy)


def _ledger(file: Path) -> tuple[int, int, int]:
    audited = Audited(file)
    try:
        events = audited.count("SELECT ifnull(max(pos), 0) FROM event")
        sealed = audited.count("SELECT ifnull(max(size), 0) FROM checkpoint")
        return events, sealed, max(audited.count(_NEWEST.format(table)) for table in ("authz_decision", "checkpoint"))
    finally:
        audited.close()


def _versions() -> Finding:
    found = {"python": platform.python_version()}
    for package in ("interlock", "mcp", "cedarpy", "apsw", "cryptography"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return Finding("versions", Severity.GOOD, ", ".join(f"{name} {is_}" for name, is_ in found.items()))
