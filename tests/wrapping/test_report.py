"""What a report says of a deployment, and that it says it the same way twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interlock.core.principal import Principal
from interlock.registry.accepted import Accepted, Standing
from interlock.registry.pin import Pin
from interlock.server_settings import ServerSettings
from interlock.wrapping.report import report
from interlock.wrapping.report_part import document
from interlock.wrapping.report_threats import THREATS
from tests.wrapping.grounds import AGENT, BOSS, MARIA, TOOLS_HERE, grounds, host, rows, table, tool


def test_every_tool_stands_in_the_catalogue_with_what_it_does_and_by_whose_word(tmp_path: Path) -> None:
    """F5."""
    servers = (ServerSettings(name="far", command=("x",), effects={"x": "read"}),)
    said = rows(report(grounds(tmp_path, settings={"servers": servers})), "tools", "effects")
    assert [row["tool"] for row in said] == ["far__x", "fetch", "look", "note", "pay", "wipe"]
    [far, fetch, *_] = said
    assert (far["server"], far["by whose word"], fetch["outward"]) == ("far", "the settings say so", True)


@pytest.mark.parametrize(
    ("of", "word"),
    [
        (tool("look"), "its author says so"),
        (tool("wipe", "privileged", declared=frozenset()), "nobody said: the gravest"),
        (tool("delete_all"), "its author says so; but its name begins with 'delete', like a call that is irreversible"),
        (tool("far__x", "privileged", server="far"), "nobody said: the gravest"),
        (tool("far__y", "reversible", server="far"), "the settings say so"),
        (
            tool("far__y", "irreversible", server="far", claims={"annotations": {"destructiveHint": True}}),
            "its server admits to more than the reversible that the settings say",
        ),
    ],
)
def test_an_effect_stands_with_its_reason(of: Any, word: str, tmp_path: Path) -> None:
    servers = (ServerSettings(name="far", command=("x",), effects={"y": "reversible"}),)
    [row] = rows(report(grounds(tmp_path, tools=(of,), settings={"servers": servers})), "tools", "effects")
    assert row["by whose word"] == word


def test_what_cannot_be_called_is_in_the_catalogue_with_why(tmp_path: Path) -> None:
    gone = tool("far__old", server="far")
    pin = Pin(gone.digest, gone.definition())
    accepted = Accepted(
        {("far", "far__old"): Standing(accepted=pin, gone=True), ("far", "bomb"): Standing(refused="x.y")}
    )
    parts = report(grounds(tmp_path, accepted=accepted, withheld={"pay": "changed"}, settings={"pins": "pins.json"}))
    stands = {row["tool"]: row["can be called"] for row in rows(parts, "tools", "effects")}
    assert (stands["far__old"], stands["pay"], stands["look"]) == ("gone", "changed", "yes")
    assert rows(parts, "tools", "aside") == [{"tool": "bomb", "server": "far", "why": "set aside: x.y"}]


def test_the_matrix_asks_the_policy_in_force_for_each_who_comes_in(tmp_path: Path) -> None:
    """F5: by effect."""
    said = {row["effect"]: row for row in rows(report(grounds(tmp_path)), "risk", "matrix")}
    assert {row["as agent (service)"] for row in said.values()} == {"allow", "hold", "deny"}
    assert (said["read"]["as agent (service)"], said["read"]["as no role"]) == ("allow", "deny")
    assert (said["irreversible"]["as approver"], said["privileged"]["as agent (service)"]) == ("hold", "deny")
    assert said["privileged"]["as admin+approver"] == "hold"
    assert (said["read"]["tools"], said["read, outward"]["tools"]) == (2, 1)


def test_what_depends_on_the_call_is_said_to(tmp_path: Path) -> None:
    permit = "permit (principal, action, resource);"
    hold = (
        '@approvers("approver") forbid (principal, action == Action::"look", resource) when { context.time.hour < 6 };'
    )
    parts = report(grounds(tmp_path, permit, hold))
    each = {row["tool"]: row["as no role"] for row in rows(parts, "risk", "tools")}
    assert (each["look"], each["fetch"]) == ("allow or hold: depends on own.cedar:2", "allow")
    [reads] = [row for row in rows(parts, "risk", "matrix") if row["effect"] == "read"]
    assert reads["as no role"] == "1 allow; 1 allow or hold: depends on own.cedar:2"
    callers = {row["tool"]: row["held by"] for row in rows(parts, "tools", "callers")}
    assert (callers["look"], callers["fetch"]) == (("own.cedar:2 (approver)",), ())


def test_whom_a_rule_names_stands_alone(tmp_path: Path) -> None:
    only = 'permit (principal == Principal::"default/maria", action, resource);'
    each = rows(report(grounds(tmp_path, only)), "risk", "tools")[0]
    assert (each["as maria alone (approver)"], each["as approver"]) == ("allow", "deny")
    by_role = 'permit (principal in Role::"maria", action, resource);'
    assert "as maria alone (approver)" not in rows(report(grounds(tmp_path, by_role)), "risk", "tools")[0]


@pytest.mark.parametrize(
    ("people", "rule", "keys", "gap"),
    [
        ((MARIA, AGENT), "", (), ("admin", "nobody has the role: what it holds waits until it expires")),
        ((BOSS, MARIA), "", (), ("root", "gives keys and approves (approver): under a second name they can answer "
                                 "themselves")),
        ((BOSS, MARIA), '@quorum("3")', (), ("approver", "a rule wants 3 people, and 2 may answer")),
        ((MARIA,), "", (), ("maria", "alone has the role 'approver': nobody can release their own calls")),
        (
            (MARIA, Principal("job", roles=frozenset({"approver"}), kind="service")), "", (),
            ("job", "a service with the role approver: its answer counts nowhere"),
        ),
        ((BOSS, MARIA), "", (host("maria"),), ("maria", "their key says what users said, and they approve (approver)")),
    ],
)  # fmt: skip
def test_where_four_eyes_are_two_or_none_is_found(
    people: Any, rule: str, keys: Any, gap: tuple[str, str], tmp_path: Path
) -> None:
    hold = f'@approvers("approver,admin") {rule} forbid (principal, action, resource);'
    parts = report(grounds(tmp_path, "permit (principal, action, resource);", hold, people=people, keys=keys))
    assert gap in [(row["who"], row["what"]) for row in rows(parts, "roles", "four_eyes")]


def test_people_of_whom_nobody_stands_on_both_sides_are_no_gap(tmp_path: Path) -> None:
    named = {"a": "approver", "b": "approver", "c": "admin", "d": "admin"}
    people = (*(Principal(name, roles=frozenset({role})) for name, role in named.items()), AGENT)
    assert rows(report(grounds(tmp_path, people=people)), "roles", "four_eyes") == []


def test_every_threat_has_its_row_in_order_and_what_is_off_says_how_to_turn_it_on(tmp_path: Path) -> None:
    said = rows(report(grounds(tmp_path)), "security", "threats")
    assert [row["threat"] for row in said] == [f"T{number}" for number in range(1, 46)] and len(THREATS) == 45
    assert {row["defence"] for row in said} <= {"on", "partly", "off", "no such door", "out of reach"}
    assert not [row["threat"] for row in said if row["defence"] in ("partly", "off") and not row["what to do"]]


@pytest.mark.parametrize(
    ("threat", "settings", "defence"),
    [
        ("T6", {"servers": [{"name": "far", "command": ["x"], "trust": True}]}, "partly"),
        ("T6", {"servers": [{"name": "far", "command": ["x"]}]}, "on"),
        ("T8", {"servers": [{"name": name, "command": ["x"], "prefix": ""} for name in "ab"]}, "partly"),
        ("T9", {}, "on"),
        ("T9", {"screening": {"characters": "flag"}}, "partly"),
        ("T9", {"screening": {"tools": [{"tools": ["files_*"], "characters": "off"}]}}, "partly"),
        ("T32", {"screening": {"secrets": "off"}}, "partly"),
        ("T4", {"screening": {"content": "off"}}, "off"),
        ("T12", {"servers": [{"name": "far", "url": "https://a.example/", "oauth": {"issuer": "https://i.example",
                                                                                    "client_id": "c"}}]}, "on"),
        ("T12", {}, "no such door"),
        ("T17", {"servers": [{"name": "far", "command": ["x"]}]}, "partly"),
        ("T17", {}, "on"),
        ("T19", {"servers": [{"name": "far", "command": ["x"], "trust": True}]}, "partly"),
        ("T20", {"gateway": {"local": {"id": "me"}}}, "partly"),
        ("T27", {"seal": {"on": False}}, "off"),
        ("T27", {}, "partly"),
        ("T28", {"ledger": None}, "off"),
        ("T29", {"limits": {"budgets": [{"name": "d", "unit": "calls", "most": 5}]}}, "on"),
        ("T32", {"servers": [{"name": "far", "command": ["x"], "env": {"API_KEY": "sk-12345678"}}]}, "partly"),
        ("T36", {"servers": [{"name": "far", "command": ["x"], "allow": ["sampling"]}]}, "partly"),
    ],
)  # fmt: skip
def test_a_defence_is_said_as_this_deployment_has_it(
    threat: str, settings: dict[str, Any], defence: str, tmp_path: Path
) -> None:
    said = {
        row["threat"]: row["defence"]
        for row in rows(report(grounds(tmp_path, settings=settings)), "security", "threats")
    }
    assert said[threat] == defence


def test_keys_stand_with_their_scopes_and_the_day_on_which_they_were_made(tmp_path: Path) -> None:
    [key, *_] = rows(report(grounds(tmp_path)), "security", "keys")
    assert (key["whose"], key["opens"], key["made on"]) == ("bot", ("tools",), "2001-09-09")


def test_what_goes_out_without_tls_and_what_stands_in_clear_is_named_by_place(tmp_path: Path) -> None:
    settings = {
        "servers": [
            {"name": "far", "url": "http://127.0.0.1:9/mcp?key=s3cr3t", "headers": {"X-Api-Key": "s3cr3t"}},
            {"name": "near", "command": ["run", "--token=s3cr3t-s3cr3t"], "env": {"PASSWORD": "s3cr3t"}},
        ],
        "notify": {"proxy": "http://u:s3cr3t@proxy.example:3128",
                   "webhooks": [{"name": "w", "url": "https://hooks.example/s3cr3t"}]},
    }  # fmt: skip
    parts = report(grounds(tmp_path, settings=settings))
    assert [row["setting"] for row in rows(parts, "security", "clear")] == [
        "notify.proxy", "notify.webhooks.w.url", "servers.far.headers.X-Api-Key", "servers.far.url",
        "servers.near.command[1]", "servers.near.env.PASSWORD",
    ]  # fmt: skip
    plain = {row["setting"]: row["address"] for row in rows(parts, "security", "plain")}
    assert plain["servers.far.url"] == "http://127.0.0.1:9"
    assert plain["notify.proxy"] == "http://proxy.example:3128"
    assert "s3cr3t" not in str(document(parts))


def test_two_reports_of_one_deployment_are_the_same_in_whatever_order_things_were_found(tmp_path: Path) -> None:
    one = grounds(tmp_path)
    site = replace(one.site, tools=TOOLS_HERE[::-1], known=TOOLS_HERE[::-1], people=(AGENT, MARIA, BOSS))
    other = replace(one, site=site, keys=one.keys[::-1], findings=one.findings[::-1])
    assert report(one) == report(other)


def test_a_policy_that_does_not_load_leaves_a_report_of_the_rest(tmp_path: Path) -> None:
    parts = report(replace(grounds(tmp_path), policy=None))
    assert rows(parts, "tools", "effects") and not rows(parts, "risk", "tools")


def test_observing_alone_is_said_where_the_matrix_stands(tmp_path: Path) -> None:
    observed = grounds(tmp_path)
    assert observed.policy is not None
    observed.policy.mode = type(observed.policy.mode)("evaluate_only")
    [risk] = [part for part in report(observed) if part.name == "risk"]
    assert "Decisions do not bind now" in risk.says


def test_every_row_has_a_cell_for_every_column(tmp_path: Path) -> None:
    parts = report(grounds(tmp_path))
    for part in parts:
        for each in part.tables:
            assert len(set(each.columns)) == len(each.columns)
            assert all(len(row) == len(each.columns) for row in table(parts, part.name, each.name).rows)
