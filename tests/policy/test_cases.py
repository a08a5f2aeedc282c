"""The policy that ships, as a table; and the loader of such tables, which reads everything or refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interlock.core.tool import Effect
from interlock.errors import PolicyError
from interlock.policy.cases import DEFAULT_CASES, case_facts, read_cases, run_cases
from interlock.policy.cedar import Policy
from tests.policy.makers import PERMIT, TOOLS, policy

CASE = {"name": "a", "principal": {"id": "u1"}, "tool": "look", "expect": "allow"}
OWNED = 'permit (principal, action, resource is Property) when { resource has owner && resource.owner == "u1" };'
REPAIR_CASE = {**CASE, "tool": "repair", "arguments": {"property_id": 3, "text": "x"}}


def written(folder: Path, file: Any) -> Path:
    path = folder / "cases.json"
    path.write_text(file if isinstance(file, str) else json.dumps(file))
    return path


def test_the_policy_that_ships_passes_its_own_cases() -> None:
    """Shown by 4 and requirement B5: the four tiers mean what the table says."""
    of = Policy.load(None, TOOLS)
    file = read_cases(DEFAULT_CASES)
    results = run_cases(file, of)
    assert [result.wrong for result in results] == [""] * len(file.cases)
    assert {tool.effect for tool in file.tools} == set(Effect)
    determined = {reason for result in results for reason in result.decision.reasons}
    assert {f"rule:{rule.rule_id}" for rule in of.rules} <= determined, "a rule that no case is about"


def test_the_cases_fail_where_a_tier_loses_its_meaning() -> None:
    """Without the hold on irreversible calls the table must say so."""
    text = (DEFAULT_CASES.parent / "default.cedar").read_text()
    weak = policy(
        text.replace('@id("irreversible-held")', "").replace(
            'in Action::"effect/irreversible", resource);', 'in Action::"effect/privileged", resource);'
        )
    )
    wrong = [result.case.name for result in run_cases(read_cases(DEFAULT_CASES), weak) if result.wrong]
    assert "what cannot be undone waits for an approver" in wrong


@pytest.mark.parametrize(
    "file",
    [
        {"cases": [{**CASE, "expcet": "deny"}]},
        {"cases": [CASE], "case": []},
        {"cases": [{**CASE, "principal": {"id": "u1", "role": ["x"]}}]},
        {"cases": [{**CASE, "session": {"cals": 1}}]},
        {"cases": [CASE], "tools": [{"name": "look", "effect": "read", "efect": "x"}]},
        {"cases": [{**CASE, "expect": "permit"}]},
        {"cases": [{**CASE, "session": {"calls": "1"}}]},
        {"cases": [{key: value for key, value in CASE.items() if key != "expect"}]},
        {"cases": [{**CASE, "now": "2026-01-05T12:00:00"}]},
        '{"cases": [], "cases": []}',
        '{"cases": [{"name": "a", "principal": {"id": "u1"}, "tool": "look", "expect": "deny", "expect": "allow"}]}',
        "{",
        "[]",
    ],
)
def test_a_key_or_value_that_is_not_understood_is_refused(tmp_path: Path, file: Any) -> None:
    """T34: a case that is read in part would test something else than it says."""
    with pytest.raises(PolicyError, match=r"cases\.json") as caught:
        read_cases(written(tmp_path, file))
    assert caught.value.code == "policy.cases" and "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nothing\.json"):
        read_cases(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        (CASE, ""),
        ({**CASE, "rules": ["a.cedar:1"]}, ""),
        ({**CASE, "rules": []}, "expected the rules [], got ['a.cedar:1']"),
        ({**CASE, "expect": "deny"}, "expected deny, got allow (rule:a.cedar:1)"),
        ({**CASE, "tool": "drop", "expect": "deny", "rules": ["no"]}, ""),
        ({**CASE, "session": {"calls": 7}, "expect": "deny"}, ""),
        ({**CASE, "now": "2026-01-10T12:00:00+01:00", "expect": "deny"}, ""),
    ],
)
def test_a_case_says_what_is_not_as_expected(tmp_path: Path, case: Any, wrong: str) -> None:
    of = policy(
        PERMIT,
        '@id("no") forbid (principal, action == Action::"drop", resource);',
        "forbid (principal, action, resource) when { context.session.calls == 7 || context.time.weekday == 6 };",
    )
    [result] = run_cases(read_cases(written(tmp_path, {"cases": [case]})), of)
    assert result.wrong == wrong


def test_a_case_about_an_entity_says_what_the_lookup_would_return(tmp_path: Path) -> None:
    file = {"cases": [{**REPAIR_CASE, "resource": {"owner": "u1"}}, {**REPAIR_CASE, "expect": "deny"}]}
    assert [result.wrong for result in run_cases(read_cases(written(tmp_path, file)), policy(OWNED))] == ["", ""]


def test_a_case_sees_a_reference_to_a_secret_as_the_text_that_it_is(tmp_path: Path) -> None:
    rule = 'forbid (principal, action == Action::"repair", resource) when { context.arguments.text like "env://*" };'
    case = {**REPAIR_CASE, "arguments": {"property_id": 3, "text": {"$secret": "env://PAY_KEY"}}, "expect": "deny"}
    [result] = run_cases(read_cases(written(tmp_path, {"cases": [case]})), policy(PERMIT, rule))
    assert result.wrong == ""


def test_a_case_about_no_tool_is_refused(tmp_path: Path) -> None:
    file = read_cases(written(tmp_path, {"cases": [{**CASE, "tool": "lok"}]}))
    with pytest.raises(PolicyError, match="no tool is named 'lok'"):
        run_cases(file, policy(PERMIT))
    with pytest.raises(PolicyError):
        case_facts(file.cases[0], policy(PERMIT))
