"""The catalogue: every tool that there is, what it does by whose word, how it is described, who may call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from interlock.core.decision import Verdict
from interlock.core.tool import Effect, Tool
from interlock.policy.outlook import Outlook, outlooks
from interlock.profile_files import readable_profiles
from interlock.registry.claims import at_least
from interlock.registry.cost import tool_tokens
from interlock.registry.effects import guess
from interlock.registry.foreign import tool_of
from interlock.registry.lint_tool import score
from interlock.settings import Settings
from interlock.wrapping.report_part import Cell, Grounds, Part, Table, ordered
from interlock.wrapping.standing import Standing

_WORDS: Final = {Verdict.ALLOW: "allow", Verdict.REQUIRE_APPROVAL: "hold", Verdict.DENY: "deny"}
_RULES_MAX: Final = 3


def said(outlook: Outlook) -> str:
    """What the calls of a tool come to, in words; where there are several, the rules on which it depends."""
    words = [_WORDS[verdict] for verdict in outlook.verdicts]
    if len(words) == 1:
        return words[0]
    names = [rule.rule_id for rule in outlook.depends]
    more = f" and {len(names) - _RULES_MAX} more" if len(names) > _RULES_MAX else ""
    return f"{', '.join(words[:-1])} or {words[-1]}: depends on {', '.join(names[:_RULES_MAX])}{more}"


class Entry(NamedTuple):
    """One tool of the catalogue.

    Attributes:
        tool: Its definition; for a server's tool that is not listed now, the one that was seen last.
        stands: `yes` where it can be called, else why not.
        outlooks: What calls of it come to, for each standing; none of a tool that the policy does not know.
    """

    tool: Tool
    stands: str
    outlooks: tuple[Outlook, ...]


def entries(grounds: Grounds, standings: Sequence[Standing]) -> list[Entry]:
    """Every tool, its further versions and those that cannot be called among them."""
    site = grounds.site
    found: dict[tuple[str, str, str], tuple[Tool, str]] = {}
    for tool in site.known:
        stands = site.withheld.get(tool.name, "yes")
        if stands == "yes" and tool.server == "local" and site.settings.pins is None:
            stands = "yes, not pinned"
        found[tool.server, tool.name, tool.version] = tool, stands
    for (server, name), each in grounds.accepted.tools.items():
        pin = each.seen or each.accepted
        if pin is None:
            continue  # it was set aside, and its definition is kept nowhere
        tool = tool_of(pin.definition)
        known = found.get((server, name, tool.version))
        if known is None or each.word != "yes":
            found[server, name, tool.version] = (tool if known is None else known[0]), each.word
    samples, policy = [standing.sample for standing in standings], grounds.policy
    profiles = readable_profiles(site.settings)
    return [
        Entry(tool, stands, tuple(outlooks(policy, tool, samples, profiles)) if policy is not None else ())
        for _, (tool, stands) in sorted(found.items())
    ]


def tools_part(grounds: Grounds, found: Sequence[Entry], standings: Sequence[Standing]) -> Part:
    """The catalogue."""
    return Part(
        "tools",
        "Tool catalogue",
        "Every tool that this deployment knows. What a server says of its tools can only make them graver.",
        (_effects(grounds, found), _definitions(found), _arguments(found), _callers(found, standings), _aside(grounds)),
    )


def _effects(grounds: Grounds, found: Sequence[Entry]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (tool.name, tool.server, tool.effect.value, _why(tool, grounds.site.settings), tool.outward, tool.keyed,
         tool.idempotent, stands)
        for tool, stands, _ in found
    ]  # fmt: skip
    columns = ("tool", "server", "effect", "by whose word", "outward", "keyed", "idempotent", "can be called")
    return Table("effects", "What calls do", columns, ordered(rows), empty="No tools.")


def _why(tool: Tool, settings: Settings) -> str:
    """By whose word a tool has its effect, and what its own words say against it."""
    return f"{_word(tool, settings)}{_doubt(tool)}"


def _word(tool: Tool, settings: Settings) -> str:
    server = next((said for said in settings.servers if said.name == tool.server), None)
    if server is not None:
        name = tool.name.removeprefix(server.prefixed)
        stated = server.effects.get(name) or (server.tools[name].effect if name in server.tools else None)
        told = Effect(stated) if stated else Effect.PRIVILEGED
        if tool.effect is not told and at_least(told, tool.claims) is tool.effect:
            return f"its server admits to more than the {told.value} that the settings say"
        return "the settings say so" if stated else "nobody said: the gravest"
    if any(said.name == tool.server for said in settings.services):
        return "its method or the settings say so"
    if tool.server == "local" and "effect" not in tool.declared and tool.effect is Effect.PRIVILEGED:
        return "nobody said: the gravest"
    return "its author says so"


def _doubt(tool: Tool) -> str:
    """What speaks for a graver effect; nothing where nothing plainly does."""
    said = guess(tool.name.removeprefix(f"{tool.server}__"), tool.description, tool.input_schema)
    if not said.sure or said.effect.rank <= tool.effect.rank:
        return ""
    return f"; but {said.why}, like a call that is {said.effect.value}"


def _definitions(found: Sequence[Entry]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for tool, _, _ in found:
        stands = score(tool)
        rows.append((tool.name, tool.version, tool.digest, stands.points, stands.failed, tool_tokens(tool)))
    columns = ("tool", "version", "definition", "score", "lacks", "tokens")
    says = "The score is of 100, by the checklist of `interlock tools lint`; tokens are an estimate."
    return Table("definitions", "How they are defined", columns, ordered(rows), says, "No tools.")


def _arguments(found: Sequence[Entry]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for tool, _, _ in found:
        roles = tuple(f"{name} = {role}" for name, role in sorted(tool.roles.items()))
        entities = tuple(f"{name}: {each.type} by {each.lookup}" for name, each in sorted(tool.entities.items()))
        if roles or entities or tool.resource:
            rows.append((tool.name, roles, tool.resource, entities))
    columns = ("tool", "roles of arguments", "acts on", "looked up")
    says = "Of a tool that is not here nothing is declared of any argument."
    return Table("arguments", "What their arguments are", columns, ordered(rows), says)


def _callers(found: Sequence[Entry], standings: Sequence[Standing]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for tool, _, each in found:
        may: dict[str, list[str]] = {}
        for standing, outlook in zip(standings, each, strict=False):
            if outlook.verdicts != (Verdict.DENY,):
                may.setdefault(said(outlook), []).append(standing.name)
        holds = {rule.rule_id: rule for outlook in each for rule in outlook.holds}
        rows.append((
            tool.name, tool.version, tuple(f"{', '.join(who)}: {what}" for what, who in sorted(may.items())),
            tuple(f"{rule_id} ({', '.join(sorted(rule.approvers))})" for rule_id, rule in sorted(holds.items())),
        ))  # fmt: skip
    says = "Of whom is not here every call is denied. A rule in the last column holds calls, or may."
    columns = ("tool", "version", "who may call it", "held by")
    return Table("callers", "Who may call them", columns, ordered(rows), says, "No tools.")


def _aside(grounds: Grounds) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (name, server, each.word) for (server, name), each in grounds.accepted.tools.items() if each.refused
    ]
    return Table("aside", "Listed by servers and not taken up", ("tool", "server", "why"), ordered(rows))
