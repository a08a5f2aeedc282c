"""`interlock policy coverage`: what decides, what never does, and what nothing ever meets."""

from __future__ import annotations

from tests.cli.shell import Shell

RULES = """\
@id("look") permit (principal in Role::"support", action == Action::"look", resource);
@id("late") forbid (principal, action == Action::"look", resource) when { context.session.calls > 99 };
@id("auditor") permit (principal in Role::"auditor", action in Action::"effect/read", resource);
"""


def test_rules_are_counted_by_what_they_decide_and_gaps_are_named(shell: Shell) -> None:
    (shell.folder / "policy").mkdir()
    (shell.folder / "policy" / "own.cedar").write_text(RULES)
    shell.run("call", "look", '{"order_id": 7}')
    shell.run("call", "look", '{"order_id": 8}')
    shell.run("call", "flaky", '{"order_id": 8}')
    settings = shell.folder / "interlock.toml"
    settings.write_text(settings.read_text() + 'policy = "policy"\n')
    said = shell.json("policy", "coverage", "--since", "7d", code=1)
    assert {each["rule"]: each["decided"] for each in said["rules"]} == {"look": 2, "late": 0, "auditor": 0}
    assert said["unused_rules"] == ["late", "auditor"]
    assert said["never_permitted_tools"] == ["flaky"]
    assert said["unmatched_tools"] == ["refund", "wipe", "flaky", "rejecting"]
    assert said["unseen_roles"] == ["auditor"]
    out = shell.run("policy", "coverage").out
    for text in ("3 recorded calls; 2 of 3 rules decide none", "late", "never", "own.cedar:2", "auditor", "flaky"):
        assert text in out, text


def test_too_many_idle_rules_and_another_policy_end_with_1_where_they_should(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    (shell.folder / "next.cedar").write_text('@id("all") permit (principal, action, resource);')
    assert shell.json("policy", "coverage", "next.cedar")["unused_rules"] == []
    assert shell.run("policy", "coverage").code == 0
    assert shell.run("policy", "coverage", "--max-unused", "0").code == 1
    assert "more than 0" in shell.run("policy", "coverage", "--max-unused", "0").out


def test_nothing_recorded_covers_nothing(shell: Shell) -> None:
    assert shell.json("policy", "coverage", code=2)["error"]["code"] == "backtest.nothing"
    shell.run("call", "look", '{"order_id": 7}')
    assert shell.json("policy", "coverage", "--tenant", "acme", code=5)["error"]["code"] == "backtest.tenant"
