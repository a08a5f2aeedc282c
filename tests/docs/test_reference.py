"""The reference pages have what the code has: names, signatures, keys, defaults, options, facts, columns, words."""

from __future__ import annotations

import inspect
import json
from dataclasses import MISSING, fields
from enum import Enum
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

import interlock
import interlock.testing
from interlock import Effect, OutcomeKind, Settings, Tool
from interlock.alert_settings import AlertSettings
from interlock.console_settings import ConsoleSettings, GroupSettings, OidcSettings
from interlock.core.decision import Verdict
from interlock.core.event import Kind
from interlock.core.points import NAMES
from interlock.core.provenance import ROLES
from interlock.gateway_settings import GatewaySettings, LocalSettings, OauthSettings, ScopeSettings
from interlock.ledger.tables import TABLES
from interlock.notify_settings import MailSettings, NotifySettings, WebhookSettings
from interlock.policy import rules as policy_rules
from interlock.policy.cases import Case
from interlock.policy.schema import PRINCIPAL, PROVENANCE, SESSION, TIME, TOOL, ToolTypes
from interlock.policy.shape import Shape, record, shape_of
from interlock.provenance_settings import ProvenanceSettings
from interlock.registry.define import ForeignOptions, FunctionOptions
from interlock.registry.findings import RULES
from interlock.routing_settings import RoutingSettings
from interlock.screening_settings import ScreeningSettings, ToolScreening
from interlock.secret_settings import AllowSettings, SecretSettings, VaultSettings
from interlock.server_settings import ServerSettings, TokenSettings, ToolProfile
from interlock.service_settings import AuthSettings, ServiceSettings
from interlock.settings import (
    BudgetSettings,
    CacheSettings,
    LimitSettings,
    RateSettings,
    SealSettings,
)
from interlock.telemetry_settings import OtlpSettings, TelemetrySettings
from interlock.verify_settings import VerifySettings
from interlock.wrapping.checklist import CHECKS, Check
from tests.docs.page import DOCS, blocks, first_codes, rows

REFERENCE = DOCS / "reference"

NOT_MADE_BY_CALLERS = {
    "Interlock", "Run", "AgentRun", "SagaRun", "GraphRun", "Effect", "End", "OutcomeKind", "SagaStatus", "Scope",
}  # fmt: skip
METHODS_ELSEWHERE = {"MemoryStore"}
"""A store's methods are the protocol's, which ledger.md describes as far as callers need it."""


# --------------------------------------------------------------------------- api


def signature(of: Any) -> str:
    """Names and defaults; a default that is no plain value is an ellipsis."""
    if isinstance(of, type) and issubclass(of, BaseModel):
        of.model_rebuild()  # has no signature of its own before it is first used
    said = []
    for parameter in inspect.signature(of).parameters.values():
        if parameter.name == "self":
            continue
        default = parameter.default
        plain = default is None or default == () or isinstance(default, str | int | float)
        if default is not parameter.empty and (not plain or isinstance(default, Enum)):
            parameter = parameter.replace(default=_Ellipsis())
        said.append(parameter.replace(annotation=parameter.empty))
    return str(inspect.Signature(said))


class _Ellipsis:
    def __repr__(self) -> str:
        return "…"


def public(module: ModuleType) -> set[str]:
    """Every public name with its signature, and every public method and property of the classes among them."""
    found = set()
    for name in module.__all__:
        thing = getattr(module, name)
        if hasattr(thing, "model_rebuild"):
            thing.model_rebuild()  # settings are built when they are first made, and have no signature before
        found.add(name if name in NOT_MADE_BY_CALLERS else name + signature(thing))
        if not inspect.isclass(thing) or name in METHODS_ELSEWHERE:
            continue
        for own, value in vars(thing).items():
            if own.startswith("_") or own in ("digest", "identity", "call_frame", "model_config"):
                continue
            if isinstance(value, property):
                found.add(f"{name}.{own}")
            elif inspect.isfunction(value):
                found.add(f"{name}.{own}{signature(value)}")
    return found


@pytest.mark.parametrize("module", [interlock, interlock.testing], ids=lambda module: module.__name__)
def test_every_public_name_is_described_with_its_signature_and_no_other(module: ModuleType) -> None:
    sections = {
        interlock: ("Opening", "Working", "Nouns", "Tools", "Errors"),
        interlock.testing: ("`interlock.testing`",),
    }
    told = first_codes(REFERENCE / "api.md", *sections[module])
    assert len(told) == len(set(told))
    assert set(told) == public(module)


# ---------------------------------------------------------------------- settings


def test_every_setting_is_described_with_its_default_and_range_and_no_other() -> None:
    told = {
        cells[0].strip("`"): (cells[2].strip("`"), cells[3].replace("`", ""))
        for cells in rows(REFERENCE / "settings.md")
        if len(cells) == 5
    }
    found = {}
    models = (
        ("", Settings),
        ("limits.", LimitSettings),
        ("limits.rates.", RateSettings),
        ("limits.budgets.", BudgetSettings),
        ("cache.", CacheSettings),
        ("seal.", SealSettings),
        ("alerts.", AlertSettings),
        ("notify.", NotifySettings),
        ("routing.", RoutingSettings),
        ("verify.", VerifySettings),
        ("gateway.", GatewaySettings),
        ("gateway.local.", LocalSettings),
        ("gateway.oauth.", OauthSettings),
        ("gateway.oauth.scopes.", ScopeSettings),
        ("console.", ConsoleSettings),
        ("console.oidc.", OidcSettings),
        ("console.oidc.groups.", GroupSettings),
        ("console.tokens.", OauthSettings),
        ("console.tokens.scopes.", ScopeSettings),
        ("screening.", ScreeningSettings),
        ("provenance.", ProvenanceSettings),
        ("screening.tools.", ToolScreening),
        ("telemetry.", TelemetrySettings),
        ("telemetry.otlp.", OtlpSettings),
    )
    for prefix, model in models:
        for name, field in model.model_fields.items():
            if name in (
                "folder",
                "limits",
                "cache",
                "seal",
                "alerts",
                "notify",
                "routing",
                "verify",
                "gateway",
                "local",
                "oauth",
                "console",
                "oidc",
                "tokens",
                "servers",
                "screening",
                "provenance",
                "telemetry",
                "otlp",
            ) or (not prefix and name == "secrets"):
                continue
            default = () if field.default_factory is dict else field.default
            shown = {None: "none", (): "empty"}.get(default, str(default)) or "none"
            shown = ", ".join(map(str, default)) if isinstance(default, tuple) and default else shown
            shown = "required" if field.is_required() else shown
            bounds = {
                type(bound).__name__: getattr(bound, type(bound).__name__.lower(), None) for bound in field.metadata
            }
            options = getattr(field.annotation, "__args__", ()) if name in ("mode", "every") else ()
            lowest = bounds.get("Ge", bounds.get("Gt"))
            limits = f"{lowest} to {bounds['Le']}" if "Le" in bounds else ", ".join(filter(None, options))
            found[prefix + name] = (shown, limits)
    assert told == found


def test_every_key_of_a_channel_is_described_and_no_other() -> None:
    fields = {**WebhookSettings.model_fields, **MailSettings.model_fields}
    told = first_codes(REFERENCE / "settings.md", "Channels")
    assert sorted(told) == sorted(field.alias or name for name, field in fields.items())


def test_every_key_of_a_server_is_described_and_no_other() -> None:
    oauth = first_codes(REFERENCE / "settings.md", "Keys of OAuth")
    assert sorted(oauth) == sorted(TokenSettings.model_fields)
    assert sorted(first_codes(REFERENCE / "settings.md", "Servers")) == sorted(ServerSettings.model_fields)
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    told = page.partition("A table `[servers.tools.NAME]` takes")[2].partition(":")[2].split("`")[1::2]
    assert sorted(told) == sorted(ToolProfile.model_fields)


def test_every_key_of_a_service_is_described_and_no_other() -> None:
    told = first_codes(REFERENCE / "settings.md", "Services")
    assert sorted(told) == sorted([*ServiceSettings.model_fields, *AuthSettings.model_fields])


def test_every_key_of_the_secrets_is_described_and_no_other() -> None:
    told = first_codes(REFERENCE / "settings.md", "Secrets")
    models = (SecretSettings, AllowSettings, VaultSettings)
    assert sorted(told) == sorted(name for model in models for name in model.model_fields)


def test_every_environment_variable_is_described() -> None:
    source = inspect.getsource(inspect.getmodule(Settings))  # type: ignore[arg-type]
    told = first_codes(REFERENCE / "settings.md", "Environment")
    assert told and all(f'"{name}"' in source for name in told)
    assert source.count("os.environ.get(") + source.count("os.environ[") == 1 + len(told)  # one is asked for twice


# ------------------------------------------------------------------------- tools


def test_every_option_of_a_tool_is_described_with_its_default_and_no_other() -> None:
    page = REFERENCE / "tools.md"
    common = FunctionOptions.__annotations__.keys()
    assert set(first_codes(page, "Tool options")) == set(common)
    assert set(first_codes(page, "Only for `foreign_tool`")) == ForeignOptions.__annotations__.keys() - common
    defaults = {field.name: field.default for field in fields(Tool) if field.default is not MISSING}
    told = {cells[0].strip("`"): cells[2].strip("`") for cells in rows(page, "Tool options")}
    for name, default in defaults.items():
        if name in told and default not in ("", (), None):
            assert told[name] in (str(default), repr(default)), name
        elif name in told and name != "description":
            assert told[name] in ("none", "empty"), name


def test_every_role_of_an_argument_is_named() -> None:
    [told] = [cells[3] for cells in rows(REFERENCE / "tools.md", "Tool options") if cells[0] == "`roles`"]
    assert set(told.split("`")[1::2]) == set(ROLES)


def test_every_field_of_an_entity_check_is_described() -> None:
    assert first_codes(REFERENCE / "tools.md", "`Entity`") == [field.name for field in fields(interlock.Entity)]


def test_every_rule_of_lint_is_described_in_its_own_words() -> None:
    told = {
        cells[0].strip("`"): (cells[1], cells[2], cells[3]) for cells in rows(REFERENCE / "tools.md", "What lint finds")
    }
    assert told == {code: (rule.severity.value, rule.says, rule.remedy) for code, rule in RULES.items()}


# ------------------------------------------------------------------------ policy


def cedar_name(shape: Shape) -> str:
    if shape.kind == "set":
        assert shape.item is not None
        return f"Set of {cedar_name(shape.item)}"
    return {"instant": "datetime"}.get(shape.kind, shape.kind)


def test_every_fact_is_described_with_its_type_and_no_other() -> None:
    told = {cells[0].strip("`"): cells[1] for cells in rows(REFERENCE / "policy.md", "Facts")}
    found = {"resource": "entity", "context.arguments": "record", "context.counts": "record of Long"}
    shapes = {"principal": PRINCIPAL, "context.tool": TOOL, "context.session": SESSION}
    for prefix, shape in shapes.items():
        found |= {f"{prefix}.{name}": cedar_name(part) for name, part in shape.fields.items()}
    found |= {f"context.time.{name}": cedar_name(part) for name, part in TIME.fields.items()}
    for name, part in {**PROVENANCE, "levels": record({})}.items():
        found[f"context.provenance.{name}"] = "record of Long" if part.kind == "record" else cedar_name(part)
    assert told == found


def test_the_context_has_no_part_that_the_facts_leave_out() -> None:
    told = {name.split(".")[1] for name in first_codes(REFERENCE / "policy.md", "Facts") if name.startswith("context.")}
    assert told == set(_types().context.fields)


def test_an_argument_has_in_a_rule_the_type_that_the_reference_says() -> None:
    for cells in rows(REFERENCE / "policy.md", "Types of arguments"):
        schema = json.loads(cells[0].strip("`"))
        shape, gaps = shape_of({"type": "object", "properties": {"a": schema}, "additionalProperties": False})
        kind = shape.fields["a"].kind
        known = {"uri": "record", "email": "record", "set": "Set"}.get(kind, kind)
        assert not gaps and cells[1].startswith(known), cells[0]


def test_every_annotation_is_described_and_no_other() -> None:
    known = {f"@{name}" for name in policy_rules._Notes._KNOWN}
    assert set(first_codes(REFERENCE / "policy.md", "Annotations")) == known


def test_every_key_of_a_case_is_described_and_no_other() -> None:
    assert set(first_codes(REFERENCE / "policy.md", "Case files")) == set(Case.model_fields)


def test_every_rule_in_the_pages_parses() -> None:
    for page in DOCS.rglob("*.md"):
        for block in blocks(page):
            if block.language == "cedar":
                assert policy_rules.parse_rules([policy_rules.Source(page.name, block.text)])


# ------------------------------------------------------------------------ ledger


def test_every_table_and_column_is_described_in_its_order_and_no_other() -> None:
    page = REFERENCE / "ledger.md"
    told = {name: tuple(first_codes(page, f"`{name}`")) for name in TABLES}
    assert told == {name: table.columns for name, table in TABLES.items()}
    headings = [line.strip("#` ") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("### ")]
    assert set(headings) == set(TABLES)


def test_every_crash_point_is_described_in_its_order() -> None:
    assert tuple(first_codes(REFERENCE / "ledger.md", "Crash points")) == NAMES


def test_every_kind_of_event_is_described() -> None:
    text = (REFERENCE / "events.md").read_text(encoding="utf-8")
    assert not [kind for kind in Kind if f"`{kind}`" not in text]


def test_every_check_of_the_doctor_is_described_with_what_it_answers_and_no_other() -> None:
    told = {cells[0].strip("`"): Check(cells[1], cells[2]) for cells in rows(REFERENCE / "readiness.md")}
    assert told == CHECKS


# ---------------------------------------------------------------------- glossary

WORDS = """
    tool, tool call, effect, principal, run, step, attempt, decision, approval, grant, mandate, origin, guard,
    intent, result, unknown, compensation, saga, event, ledger, projection, outcome
"""


def test_the_glossary_has_every_word_of_the_design() -> None:
    told = {word.strip() for cells in rows(REFERENCE / "glossary.md") for word in cells[0].split(",")}
    assert told >= {word.strip() for word in WORDS.split(",")}


@pytest.mark.parametrize(("word", "closed"), [("effect", Effect), ("decision", Verdict), ("outcome", OutcomeKind)])
def test_the_glossary_names_every_member_of_a_closed_set(word: str, closed: type[Enum]) -> None:
    [told] = [cells[1] for cells in rows(REFERENCE / "glossary.md") if cells[0] == word]
    assert not [member for member in closed if str(member) not in told]


def _types() -> ToolTypes:
    from interlock.policy.schema import types_of

    @interlock.tool(effect="read")
    def look(number: int) -> int:
        return number

    return types_of(look, {})
