"""Roles: who has which, who may answer for what, and where two eyes would do the work of four."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from interlock.core.principal import ADMIN, OPERATOR, Principal
from interlock.keys import WORDS
from interlock.policy.rules import Rule
from interlock.wrapping.report_part import Cell, Grounds, Part, Table, ordered
from interlock.wrapping.report_tools import Entry

_BUILT_IN = {
    ADMIN: "gives keys, logs servers in, accepts definitions, stops and settles",
    OPERATOR: "accepts definitions, stops and settles",
}


def roles_part(grounds: Grounds, found: Sequence[Entry]) -> Part:
    """Who may do and approve what."""
    return Part(
        "roles",
        "Roles and approvals",
        "Roles come from the file of keys, from scopes of tokens and from the door for those without a key.",
        (_roles(grounds), _approvers(grounds, found), four_eyes(grounds)),
    )


def _people(grounds: Grounds) -> Sequence[Principal]:
    return grounds.site.people or ()


def _rules(grounds: Grounds) -> Sequence[Rule]:
    return () if grounds.policy is None else grounds.policy.rules


def able(grounds: Grounds, group: str) -> list[Principal]:
    """The people who may answer for a group: those with its role who are no service."""
    return [person for person in _people(grounds) if group in person.roles and person.kind == "user"]


def _roles(grounds: Grounds) -> Table:
    said = grounds.site.settings.gateway
    scopes: dict[str, list[str]] = {}
    for scope in said.oauth.scopes if said.oauth is not None else ():
        for role in scope.roles:
            scopes.setdefault(role, []).append(scope.scope)
    local = frozenset(said.local.roles) if said.local is not None else frozenset()
    groups = frozenset(group for rule in _rules(grounds) for group in rule.approvers)
    every = {role for person in _people(grounds) for role in person.roles} | groups | local | scopes.keys()
    rows: list[tuple[Cell, ...]] = []
    for role in sorted(every | _BUILT_IN.keys()):
        have = [person for person in _people(grounds) if role in person.roles]
        rows.append((
            role, tuple(sorted(person.id for person in have if person.kind == "user")),
            tuple(sorted(person.id for person in have if person.kind == "service")),
            tuple(sorted(scopes.get(role, ()))), role in local,
            "; ".join(filter(None, (_BUILT_IN.get(role, ""), "approves" if role in groups else ""))),
        ))  # fmt: skip
    columns = ("role", "people", "services", "by scopes of tokens", "without a key", "what it may besides calling")
    return Table("roles", "Roles", columns, tuple(rows))


def _approvers(grounds: Grounds, found: Sequence[Entry]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for rule in _rules(grounds):
        held = {entry.tool.name for entry in found for outlook in entry.outlooks if rule in outlook.holds}
        for group in sorted(rule.approvers):
            who = tuple(sorted(person.id for person in able(grounds, group)))
            rows.append((group, rule.rule_id, rule.quorum, rule.verify, who, tuple(sorted(held))))
    columns = ("group", "rule", "people needed", "second model", "who may answer", "tools that it holds, or may")
    says = "Nobody answers their own calls, and no service answers any."
    return Table("approvers", "Who may approve what", columns, ordered(rows), says, "No rule holds anything.")


def four_eyes(grounds: Grounds) -> Table:
    """Where one person could stand on both sides of a hold, and where nobody can stand on the other."""
    rows = [(who, why, do) for who, why, do in _gaps(grounds)]
    columns = ("who", "what", "what to do")
    return Table("four_eyes", "Where four eyes are two, or none", columns, ordered(rows), empty="Nowhere.")


def _gaps(grounds: Grounds) -> Iterator[tuple[str, str, str]]:
    said = grounds.site.settings.gateway
    local = frozenset(said.local.roles) if said.local is not None else frozenset()
    quorum: dict[str, int] = {}
    for rule in _rules(grounds):
        for group in rule.approvers:
            quorum[group] = max(quorum.get(group, 1), rule.quorum)
    for group, needed in sorted(quorum.items()):
        people = able(grounds, group)
        add = f"Give somebody the role: `interlock keys add NAME --role {group}`."
        if not people:
            yield group, "nobody has the role: what it holds waits until it expires", add
        elif len(people) < needed:
            yield group, f"a rule wants {needed} people, and {len(people)} may answer", add
        elif len(people) == 1:
            yield people[0].id, f"alone has the role {group!r}: nobody can release their own calls", add
        if group in local:
            yield "whoever comes without a key", f"has the role {group!r}", "Take it out of [gateway.local]."
    for person in _people(grounds):
        groups = sorted(person.roles & quorum.keys())
        if not groups:
            continue
        if person.kind == "service":
            yield person.id, f"a service with the role {', '.join(groups)}: its answer counts nowhere", "Take it away."
        elif ADMIN in person.roles and groups != [ADMIN]:
            others = ", ".join(group for group in groups if group != ADMIN)
            yield (
                person.id, f"gives keys and approves ({others}): under a second name they can answer themselves",
                "Have administrators who approve nothing, or rules that want two people.",
            )  # fmt: skip
    for key in grounds.keys:
        groups = sorted(key.principal.roles & quorum.keys())
        if WORDS in key.scopes and groups:
            yield (
                key.principal.id, f"their key says what users said, and they approve ({', '.join(groups)})",
                "Give the host a key of its own, without roles that approve.",
            )  # fmt: skip
