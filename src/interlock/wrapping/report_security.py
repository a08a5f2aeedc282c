"""The security report: threats, what is reached ungoverned, keys, what waits, what goes out in clear, the ledger."""

from __future__ import annotations

from interlock.core.clock import iso
from interlock.wrapping.readiness import Severity
from interlock.wrapping.report_part import Cell, Grounds, Part, Table, ordered
from interlock.wrapping.report_settings import plain_endpoints, secrets_in_clear
from interlock.wrapping.report_threats import threats


def security_part(grounds: Grounds) -> Part:
    """How this deployment stands."""
    return Part(
        "security",
        "Security report",
        "How this deployment stands today, as far as its settings, files, policy and ledger say.",
        (
            threats(grounds), _findings(grounds), _ungoverned(grounds), _stops(grounds), _keys(grounds),
            _waiting(grounds), _endpoints(grounds), _clear(grounds), _ledger(grounds),
        ),
    )  # fmt: skip


def _findings(grounds: Grounds) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.severity.value, each.check, each.says, each.do)
        for each in grounds.findings
        if each.severity is not Severity.GOOD
    ]
    return Table("findings", "What `interlock doctor` finds", ("weight", "check", "found", "what to do"), ordered(rows))


def _ungoverned(grounds: Grounds) -> Table:
    covered = grounds.covered
    rows: list[tuple[Cell, ...]] = [(way.what, way.client, way.how, way.tools, way.do) for way in covered.ways]
    says = "No file of a client was found." if covered.percent is None else (
        f"{covered.percent} % of the tools that the clients of this machine reach are governed."
    )  # fmt: skip
    columns = ("what", "client", "how", "tools", "what to do")
    return Table("ungoverned", "Reached ungoverned", columns, ordered(rows), says)


def _stops(grounds: Grounds) -> Table:
    rows: list[tuple[Cell, ...]] = [(scope, target, why) for (scope, target), why in grounds.stops.items()]
    return Table("stops", "Stopped now", ("what", "which", "why"), ordered(rows), empty="Nothing.")


def _keys(grounds: Grounds) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for key in grounds.keys:
        person = key.principal
        made = iso(key.made_us)[:10] if key.made_us else None
        roles = tuple(sorted(person.roles))
        rows.append((person.id, person.tenant, person.kind, roles, tuple(sorted(key.scopes)), made))
    columns = ("whose", "tenant", "kind", "roles", "opens", "made on")
    return Table("keys", "Keys", columns, ordered(rows), "Only hashes of keys are kept.", "Nobody has a key.")


def _waiting(grounds: Grounds) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.name, each.server, each.change.value, tuple(aspect.value for aspect in each.aspects))
        for each in grounds.waiting
    ]
    rows += [(name, "local", why, ()) for name, why in grounds.site.withheld.items()
             if not any(each.name == name for each in grounds.waiting)]  # fmt: skip
    says = "None of these is called until somebody has looked: `interlock tools drift`."
    return Table("unreviewed", "Definitions that nobody has reviewed", ("tool", "server", "what", "which parts"),
                 ordered(rows), says if rows else "")  # fmt: skip


def _endpoints(grounds: Grounds) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (place, address, "stays on this machine" if near else "can be read on the way")
        for place, address, near in plain_endpoints(grounds.site.settings)
    ]
    return Table("plain", "Without TLS", ("setting", "address", "what that means"), tuple(rows))


def _clear(grounds: Grounds) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (place, "Put it into a file of mode 0600.") for place in secrets_in_clear(grounds.site.settings)
    ]
    return Table("clear", "Secrets in clear", ("setting", "what to do"), tuple(rows))


def _ledger(grounds: Grounds) -> Table:
    settings = grounds.site.settings
    rows: list[tuple[Cell, ...]] = [("file", None if settings.ledger is None else str(settings.at(settings.ledger)))]
    seal = settings.seal
    rows.append(("sealing", f"every {seal.every_events} events or {seal.every_s:g} s" if seal.on else "off"))
    rows.append(("written without a key", seal.on and seal.unsigned))
    rows.append(("heads are sent to", tuple(str(sink) for sink in settings.sinks) if seal.on else ()))
    rows.append(("signing key", str(settings.signing_key) if settings.signing_key.exists() else "missing"))
    events, sealed, _ = grounds.site.ledger or (0, 0, 0)
    rows += [("events", events), ("of them sealed", min(events, sealed)), ("verified", grounds.verified)]
    rows.append(("kept", "for ever: nothing is archived or erased by itself (`interlock ledger archive`)"))
    return Table("ledger", "Ledger", ("what", "how"), tuple(rows))
