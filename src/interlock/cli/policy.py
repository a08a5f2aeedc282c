"""`interlock policy`: does it load, does it say what was meant, and why does it say so."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from interlock.cli.call import read_arguments
from interlock.cli.command import command
from interlock.cli.deployment import Deployment
from interlock.cli.keys import named
from interlock.cli.layout import Listing, fields, heading, told, word
from interlock.cli.origins import origins_view
from interlock.cli.outcome import deciders, outcome_view
from interlock.cli.output import Exit, Report
from interlock.cli.vocabulary import vocabulary
from interlock.compose import load_policy, open_registry
from interlock.core.call import Stop, ToolCall, ValidCall
from interlock.core.canonical import parse_json
from interlock.core.decision import Verdict
from interlock.core.principal import FIRST_TENANT, Principal
from interlock.errors import BadInput
from interlock.grounding.grounding import Asking, Grounding, imagined
from interlock.policy.cases import read_cases, run_cases
from interlock.policy.cedar import Policy
from interlock.policy.explain import Explanation, Reading, explain
from interlock.policy.facts import Facts, Resource, Session, server_resource, shown
from interlock.policy.rules import DEFAULT_POLICY, Rule
from interlock.profile_files import profiles_of
from interlock.registry.registry import Registry
from interlock.registry.validate import validate

_EXITS = {Verdict.ALLOW: Exit.DONE, Verdict.DENY: Exit.NO, Verdict.REQUIRE_APPROVAL: Exit.HELD}


@click.group()
def policy() -> None:
    """The rules that decide: check, test, explain."""


@command("check", policy, example="interlock policy check\ninterlock policy check --schema")
@click.option("--schema", is_flag=True, help="List instead what rules may name; the policy need not load.")
def check(deployment: Deployment, schema: bool) -> Report:
    """Load the policy against the tools. What does not load is said with file and line, and the exit code is 2.

    Rules that reach no tool, and arguments that no rule can see, are listed; they are no error.
    """
    registry = open_registry(deployment.settings)
    if schema:
        return vocabulary(registry.tools)
    loaded = _loaded(deployment, registry)
    reach = {
        rule.rule_id: [tool.name for tool in registry.tools if rule in loaded.concerning(tool)] for rule in loaded.rules
    }
    dead = {rule.rule_id for rule in loaded.unreachable()}
    untyped = {tool: [f"{gap.field}: {gap.why}" for gap in gaps] for tool, gaps in loaded.untyped().items()}
    where = _where(deployment)
    rules = [
        _rule(rule) | {"reaches": reach[rule.rule_id], "unreachable": rule.rule_id in dead} for rule in loaded.rules
    ]
    document = {
        "policy": str(where), "digest": loaded.digest, "mode": loaded.mode.value, "tools": len(registry),
        "rules": rules, "untyped": untyped,
    }  # fmt: skip
    rows = [
        (rule.rule_id, verb(rule), rule.place, ", ".join(reach[rule.rule_id]) or told("nothing", "wait"))
        for rule in loaded.rules
    ]
    view: list[RenderableType] = [
        told(f"{where} loads: {len(loaded.rules)} rules for {len(registry)} tools, mode {loaded.mode}.", "good"),
        told(""),
        Listing(("rule", "says", "place", "reaches"), rows, empty="No rules: every call is denied."),
    ]
    if dead:
        view += [heading("Rules that reach no tool"), *(told(f"  {rule_id}") for rule_id in sorted(dead))]
    if untyped:
        view += [
            heading("Arguments that no rule can see"),
            fields((tool, "; ".join(gaps)) for tool, gaps in untyped.items()),
        ]
    return Report(document, view)


@command("test", policy, example="interlock policy test policy/cases.json\ninterlock policy test cases/*.json --json")
@click.argument("files", metavar="CASES...", nargs=-1, required=True, type=click.Path(path_type=Path))
def test(deployment: Deployment, files: tuple[Path, ...]) -> Report:
    """Ask the policy about the cases of files, each with the decision that it expects.

    Exit code 1 where one differs.
    """
    loaded = _loaded(deployment, open_registry(deployment.settings))
    results = [(file, result) for file in files for result in run_cases(read_cases(file), loaded)]
    wrong = [(file, result) for file, result in results if result.wrong]
    document = {
        "policy": loaded.digest, "passed": len(results) - len(wrong), "failed": len(wrong),
        "cases": [
            {
                "file": str(file), "name": result.case.name, "passed": not result.wrong, "wrong": result.wrong,
                "verdict": result.decision.verdict.value, "reasons": list(result.decision.reasons),
            }
            for file, result in results
        ],
    }  # fmt: skip
    view: list[RenderableType] = []
    for file, result in wrong:
        view += [
            Text.assemble(told("wrong  ", "bad"), told(f"{file}: {result.case.name}")),
            told(f"       {result.wrong}"),
        ]
    view.append(told(f"{len(results) - len(wrong)} of {len(results)} cases as expected.", "bad" if wrong else "good"))
    return Report(document, view, Exit.NO if wrong else Exit.DONE)


@command("explain", policy, example="interlock policy explain refund '{\"order_id\": 7, \"amount_cents\": 500}'\n"
         "interlock policy explain refund @refund.json --as ana --roles support,eu")  # fmt: skip
@click.argument("tool")
@click.argument("arguments", metavar="ARGUMENTS", default="{}")
@click.option("--as", "who", metavar="ID", help="On whose behalf; yourself where left out.")
@click.option("--roles", default="", metavar="A,B", help="Their roles, with --as.")
@click.option("--service", is_flag=True, help="They are a service, with --as.")
@click.option("--words", metavar="TEXT", help="What the user said; not seen where left out.")
@click.option("--read", multiple=True, metavar="TEXT", help="Text by others that the run has read.")
@click.option("--mandate", multiple=True, metavar="TOOL", help="A tool that was asked for.")
@click.option("--resource", default="", metavar="JSON", help="Attributes that the lookup of the resource would return.")
def explain_(deployment: Deployment, tool: str, arguments: str, **given: Any) -> Report:
    """Which rules decide a call, which nearly did, and what they could read. Nothing runs and nothing is recorded.

    Exit code: 0 allowed, 1 denied, 3 held. Entities are not looked up: --resource says what would be found.
    """
    registry = open_registry(deployment.settings)
    loaded = _loaded(deployment, registry)
    person = _principal(deployment, **{name: given[name] for name in ("who", "roles", "service")})
    run = imagined(given["words"], given["read"], given["mandate"])
    asking = Asking(run, lambda call: None, deployment.now_us)
    call = ToolCall(
        run_id=run.run_id, call_id="call_explain", tool=tool, arguments=read_arguments(arguments), principal=person
    )
    valid = validate(call, registry, trace=partial(Grounding(profiles_of(deployment.settings, registry)).trace, asking))
    if isinstance(valid, Stop):
        return Report({"outcome": valid.outcome.as_json()}, outcome_view(valid.outcome), Exit.NO)
    found = explain(loaded, _facts(deployment, valid, given["resource"]))
    return Report(found.as_json(), _explained(found), _EXITS[found.decision.verdict])


def _explained(found: Explanation) -> list[RenderableType]:
    decision = found.decision
    rows = [
        (_role(reading), reading.rule.rule_id, verb(reading.rule), reading.rule.place) for reading in found.readings
    ]
    view: list[RenderableType] = [
        Text.assemble(word(decision.verdict.value), "  ", told(", ".join(decision.reasons), "quiet")),
        *(told(f"error: {error}", "bad") for error in decision.errors),
    ]
    if decision.hold is not None:
        view.append(told(f"Released by {deciders(sorted(decision.hold.groups), decision.hold.quorum)}."))
    view += [heading("Rules that concern the tool"), Listing(("here", "rule", "says", "place"), rows, empty="None.")]
    unmet = [(reading.rule.rule_id, part) for reading in found.readings for part in reading.unmet]
    if unmet:
        view += [heading("What does not hold"), fields(unmet)]
    if origins := found.facts.get("provenance"):
        assert isinstance(origins, dict), "as it is written"
        view += [heading("Where the values come from"), *origins_view(origins)]
    if found.read:
        view += [heading("What they can read"), fields((path, _shown(said)) for path, said in found.read.items())]
    return view


def _loaded(deployment: Deployment, registry: Registry) -> Policy:
    loaded = load_policy(deployment.settings, registry)
    assert isinstance(loaded, Policy), "the composition root picks no other"
    return loaded


def _where(deployment: Deployment) -> Path:
    policy_folder = deployment.settings.policy
    return DEFAULT_POLICY if policy_folder is None else deployment.settings.at(policy_folder)


def _principal(deployment: Deployment, *, who: str | None, roles: str, service: bool) -> Principal:
    if who is None:
        if roles or service:
            raise BadInput("--roles and --service describe somebody", code="cli.usage", remedy="Name them with --as.")
        return deployment.person
    held = frozenset(role.strip() for role in roles.split(",") if role.strip())
    return named(Principal(who, FIRST_TENANT, held, "service" if service else "user"))


def _facts(deployment: Deployment, valid: ValidCall, resource: str) -> Facts:
    tool = valid.tool
    entity, said = tool.entities.get(tool.resource), valid.arguments.get(tool.resource)
    attributes = parse_json(resource) if resource else {}
    if not isinstance(attributes, dict):
        raise BadInput("--resource is no JSON object", code="cli.resource", remedy='Write it as {"owner": "ana"}.')
    if entity is None or said is None:
        if resource:
            raise BadInput(f"{tool.name} names no resource", code="cli.resource", remedy="Leave out --resource.")
        acts_on = server_resource(tool.server)
    else:
        acts_on = Resource(entity.type, str(said), attributes)
    call = valid.call
    return Facts(call.principal, tool, shown(valid), valid.text, Session(), deployment.now_us, acts_on, valid.traced)


def verb(rule: Rule) -> str:
    """What a rule says, in a word or a few."""
    if rule.permits:
        return "permits"
    return f"holds for {', '.join(sorted(rule.approvers))}" if rule.holds else "forbids"


def _role(reading: Reading) -> Text:
    """What the rule did here."""
    if reading.determined:
        return told("decided", "strong")
    if reading.applies:
        return told("applies")
    return told("nearly" if reading.nearly else "no", "quiet")


def _rule(rule: Rule) -> dict[str, Any]:
    said: dict[str, Any] = {"rule": rule.rule_id, "place": rule.place, "effect": "permit" if rule.permits else "forbid"}
    if rule.holds:
        said |= {"approvers": sorted(rule.approvers), "quorum": rule.quorum}
    return said


def _shown(said: object) -> str:
    return "absent" if said is None else json.dumps(said, ensure_ascii=False)
