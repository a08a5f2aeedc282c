"""`interlock alerts`, as it is typed and read. REQUIREMENTS D7."""

from __future__ import annotations

from interlock.core.event import ALERTS, Fact, Kind
from tests.cli.shell import Shell


def test_where_nothing_is_out_of_the_ordinary_it_says_so_and_ends_with_0(shell: Shell) -> None:
    ran = shell.run("alerts")
    assert (ran.code, ran.out) == (0, "Nothing is out of the ordinary.\n")
    assert shell.json("alerts") == {"alerts": [], "standing": 0}


def raised(number: int, rule: str = "errors") -> Fact:
    body = {"rule": rule, "subject": "mail", "says": "20 of 20 calls of mail failed", "figures": {"failed": 20}}
    return Fact(Kind.ALERT_RAISED, body, f"alert_{number}")


def test_what_stands_is_a_line_each_and_ends_with_3(shell: Shell) -> None:
    shell.append(ALERTS, raised(1), raised(2, "burst"), Fact(Kind.ALERT_RESOLVED, {}, "alert_2"))
    shell.width = 120
    ran = shell.run("alerts")
    assert ran.code == 3
    heads, line = ran.out.splitlines()
    assert (heads.split(), line.split()[0]) == (["rule", "what", "since", "over"], "errors")
    assert "20 of 20 calls of mail failed" in line


def test_a_document_has_all_of_it_and_what_is_over_where_it_is_asked_for(shell: Shell) -> None:
    shell.append(ALERTS, raised(1), raised(2, "burst"), Fact(Kind.ALERT_RESOLVED, {}, "alert_2"))
    document = shell.json("alerts", "--over", code=3)
    assert document["standing"] == 1
    assert [(each["alert_id"], each["resolved_at"]) for each in document["alerts"]] == [
        ("alert_1", None), ("alert_2", "2026-01-01T00:00:00.000Z"),
    ]  # fmt: skip
    assert document["alerts"][0] == {
        "alert_id": "alert_1", "rule": "errors", "subject": "mail", "says": "20 of 20 calls of mail failed",
        "figures": {"failed": 20}, "run_id": None, "raised_at": "2026-01-01T00:00:00.000Z", "resolved_at": None,
    }  # fmt: skip


def test_another_tenants_alerts_are_not_shown_t35(shell: Shell) -> None:
    shell.append(ALERTS, raised(1), tenant="other")
    assert shell.run("alerts", "--over").out == "Nothing is out of the ordinary.\n"
