"""Lint: each rule finds what it is for and lets the good pass; the score; the data folder's tools. A4."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from interlock.core.tool import Tool
from interlock.registry.define import tool
from interlock.registry.findings import RULES, Finding, Severity
from interlock.registry.lint import counted, lint, worst
from interlock.registry.lint_tool import CHECKLIST, lint_tool, score
from interlock.registry.overlap import overlapping
from tests.registry.makers import foreign, of_data


@tool(
    effect="irreversible", keyed=True, resource="payment_id", timeout_s=10,
    examples=[{"payment_id": "p1", "amount_eur": 5}],
)  # fmt: skip
def refund(
    payment_id: Annotated[str, Field(pattern="^p[0-9]+$")],
    amount_eur: Annotated[int, Field(ge=1, le=500)],
    reason: Literal["damaged", "late"] = "late",
) -> dict[str, int]:
    """Refund a payment of a tenant, in full or in part; not for deposits.

    Args:
        payment_id: Id of the payment, from list_payments.
        amount_eur: Amount in whole euros.
        reason: Why.
    """
    return {}


def of(schema: dict[str, Any] | None = None, name: str = "do_thing", **options: Any) -> set[tuple[str, str]]:
    options.setdefault("description", "Does one particular useful thing.")
    return {(finding.code, finding.place) for finding in lint_tool(foreign(name, schema, **options))}


def of_parameter(part: dict[str, Any], name: str = "thing") -> set[str]:
    schema = {
        "type": "object",
        "properties": {name: {"description": "A thing.", **part}},
        "additionalProperties": False,
    }
    return {code for code, place in of(schema) if place}


def test_a_well_defined_tool_has_nothing_to_improve() -> None:
    assert lint_tool(refund) == []
    assert score(refund) == (100, ())


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("description.missing", {"description": " "}),
        ("description.vague", {"description": "Refund."}),
        ("description.vague", {"name": "get_user_data", "description": "Gets the user data."}),
        ("description.long", {"description": "word " * 2_000}),
        ("purpose.several", {"name": "create_and_send"}),
        ("purpose.several", {"schema": {"type": "object", "properties": {"action": {"enum": ["add", "delete"]}}}}),
        ("example.missing", {}),
        ("output.missing", {}),
        ("timeout.undeclared", {}),
        ("effect.undeclared", {}),
        ("effect.claimed", {"claims": {"annotations": {"readOnlyHint": True}}}),
        ("idempotency.undeclared", {"effect": "irreversible"}),
        ("undo.undeclared", {"effect": "reversible"}),
        ("scope.undeclared", {"effect": "reversible", "schema": {"type": "object", "properties": {"a": {}}}}),
        ("cache.untagged", {"effect": "read", "cache_s": 5.0}),
        ("deprecated", {"deprecated": "Use pay."}),
        ("object.open", {"schema": {"type": "object"}}),
        ("object.open", {"schema": {"type": "object", "additionalProperties": {}}}),
    ],
)
def test_a_tool_is_found(code: str, options: dict[str, Any]) -> None:
    assert (code, "") in of(**options)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("description.vague", {"description": "Finds all payments of one tenant within a month."}),
        ("purpose.several", {"name": "find_candidates"}),
        ("effect.undeclared", {"effect": "read"}),
        ("effect.claimed", {"effect": "read", "claims": {"annotations": {"readOnlyHint": True}}}),
        ("idempotency.undeclared", {"effect": "irreversible", "idempotent": True}),
        ("undo.undeclared", {"effect": "reversible", "compensate": "other"}),
        ("undo.undeclared", {"effect": "irreversible"}),
        ("scope.undeclared", {"effect": "read"}),
        ("cache.untagged", {"effect": "read", "cache_s": 5.0, "cache_tags": ["flats"]}),
        ("cache.untagged", {"effect": "read"}),
        ("timeout.undeclared", {"timeout_s": 30.0}),
        ("output.missing", {"output_schema": {"type": "object"}}),
        ("object.open", {"schema": {"type": "object", "additionalProperties": False}}),
        ("object.open", {"schema": {"type": "object", "additionalProperties": {"type": "integer"}}}),
    ],
)
def test_a_tool_is_let_pass(code: str, options: dict[str, Any]) -> None:
    assert (code, "") not in of(**options)


@pytest.mark.parametrize(
    ("code", "part", "name"),
    [
        ("parameter.undescribed", {"type": "string", "description": ""}, "thing"),
        ("parameter.anything", {}, "thing"),
        ("parameter.enum", {"type": "string"}, "status"),
        ("parameter.enum", {"type": "string", "description": "Either 'fast' or 'slow'."}, "speed_class"),
        ("parameter.format", {"type": "string"}, "start_date"),
        ("parameter.format", {"type": "string"}, "webhookUrl"),
        ("parameter.unbounded", {"type": "string"}, "thing"),
        ("parameter.unbounded", {"type": "integer"}, "thing"),
        ("parameter.unbounded", {"type": "array"}, "thing"),
        ("parameter.unit", {"type": "integer"}, "timeout"),
        ("parameter.unit", {"type": "number"}, "max_weight"),
        ("parameter.raw", {"type": "string"}, "sql"),
        ("parameter.raw", {"type": "string"}, "shell_command"),
        ("parameter.raw", {"type": "string", "description": "The SQL to run."}, "query"),
    ],
)
def test_a_parameter_is_found(code: str, part: dict[str, Any], name: str) -> None:
    assert code in of_parameter(part, name)


@pytest.mark.parametrize(
    ("code", "part", "name"),
    [
        ("parameter.undescribed", {"type": "string"}, "thing"),
        ("parameter.anything", {"enum": [1]}, "thing"),
        ("parameter.enum", {"type": "string", "enum": ["open"]}, "status"),
        ("parameter.enum", {"type": "integer"}, "status"),
        ("parameter.format", {"type": "string", "format": "date"}, "start_date"),
        ("parameter.format", {"type": "string"}, "candidate"),
        ("parameter.unbounded", {"type": "string", "maxLength": 9}, "thing"),
        ("parameter.unbounded", {"type": "boolean"}, "thing"),
        ("parameter.unit", {"type": "integer"}, "timeout_s"),
        ("parameter.unit", {"type": "integer", "description": "How long to wait, in seconds."}, "timeout"),
        ("parameter.unit", {"type": "integer"}, "count"),
        ("parameter.raw", {"type": "string"}, "promo_code"),
        ("parameter.raw", {"type": "string", "enum": ["start", "stop"]}, "command"),
    ],
)
def test_a_parameter_is_let_pass(code: str, part: dict[str, Any], name: str) -> None:
    assert code not in of_parameter(part, name)


def test_parameters_are_looked_at_on_every_level() -> None:
    inner = {"type": "object", "properties": {"status": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"rows": {"type": "array", "items": inner}},
    }
    found = of(schema)
    assert ("object.open", "/properties/rows/items") in found
    assert ("parameter.enum", "/properties/rows/items/properties/status/anyOf/0") in found


def test_the_set_is_looked_at_too() -> None:
    many = [foreign(f"tool_{number}", description=f"Word{number} thing{number} other{number}.") for number in range(41)]
    assert {finding.code for finding in lint(many) if not finding.tool} == {"tools.many"}
    assert {finding.code for finding in lint(many * 13) if not finding.tool} == {"tools.too_many"}
    twins = [
        foreign("list_invoices", description="List every invoice that a customer has not paid yet."),
        foreign("get_open_invoices", description="List every invoice that a customer has not paid yet."),
    ]
    overlap = [finding for finding in lint(twins) if finding.code == "tools.overlap"]
    assert [(finding.tool, finding.detail[:17]) for finding in overlap] == [("list_invoices", "get_open_invoices")]


def test_a_cache_tag_that_only_one_side_names_is_found() -> None:
    """REQUIREMENTS B13: mostly it is a slip of the pen, and then a write puts nothing out of date."""
    tools = [
        foreign("list_flats", effect="read", cache_s=30.0, cache_tags=["flats", "owners"]),
        foreign("rent_flat", effect="reversible", invalidates=["flats", "flat"]),
    ]
    found = [(finding.tool, finding.detail) for finding in lint(tools) if finding.code == "cache.tag"]
    assert found == [("list_flats", "owners"), ("rent_flat", "flat")]


def test_overlap_is_what_comparing_each_with_each_finds() -> None:
    """Differential: the fast way against the naive one."""
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    texts = [
        (f"t{number}", " ".join(word for at, word in enumerate(words) if number >> at & 1)) for number in range(256)
    ]
    for share_min in (0.6, 0.75, 0.8, 1.0):
        naive = {
            (one, other)
            for at, (one, text) in enumerate(texts)
            for other, more in texts[at + 1 :]
            if min(len(text.split()), len(more.split())) >= 4
            and len({*text.split()} & {*more.split()}) / len({*text.split()} | {*more.split()}) >= share_min
        }
        assert {(one, other) for one, other, _ in overlapping(texts, share_min)} == naive


def test_findings_are_data_with_a_severity_and_a_remedy() -> None:
    finding = Finding(code="object.open", tool="pay", place="/properties/more", detail="d")
    assert finding.message == (
        'pay: /properties/more takes keys that are not declared (d). Set "additionalProperties": false.'
    )
    assert finding.as_json()["severity"] == "warning"
    assert Finding(code="tools.many", tool="").message.startswith("the tools are many")
    assert worst([]) is None
    assert worst([Finding(code="example.missing", tool="a"), finding]) is Severity.WARNING
    assert worst([finding, Finding(code="description.missing", tool="a")]) is Severity.ERROR
    rows = counted([finding, finding, Finding(code="description.missing", tool="a")])
    assert [(row.code, row.findings, row.tools) for row in rows] == [
        ("description.missing", 1, 1),
        ("object.open", 2, 1),
    ]


def test_every_item_of_the_checklist_is_failed_by_known_rules() -> None:
    assert {code for codes in CHECKLIST.values() for code in codes} <= RULES.keys()
    assert all(rule.says and rule.remedy.endswith(".") for rule in RULES.values())
    bad = foreign("do", {"type": "object", "properties": {"sql": {}}}, description="")
    assert score(bad).points < 40
    assert "described" in score(bad).failed


@pytest.mark.evidence
def test_every_tool_of_the_data_folder_is_linted(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Issue «Shown by» 3: a table of findings by rule."""
    folders = ("mcp_reference_tools", "bfcl_v4", "seal_tools", "tau_bench", "openapi_ops")
    tools: list[Tool] = [made for each in of_data(data_dir, folders).values() for made in each]
    findings = lint(tools)
    rows = counted(findings)
    with capsys.disabled():
        print(f"\nlint of {len(tools)} tools: {len(findings)} findings")  # noqa: T201  # the evidence
        for row in rows:
            print(f"  {row.severity:8} {row.code:24} {row.findings:7} in {row.tools:6} tools")  # noqa: T201
    assert len(tools) > 8_000
    assert len(rows) >= 15
    points = sorted(score(each).points for each in tools)
    assert 0 <= points[0] <= points[-1] <= 100
