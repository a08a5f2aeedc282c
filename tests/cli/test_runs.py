from __future__ import annotations

import apsw

from tests.cli.shell import Shell


def test_runs_are_listed_and_found_by_state_and_principal(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    shell.run("call", "refund", '{"order_id": 7, "cents": 500}')
    shell.run("call", "look", '{"order_id": 7}', who="olga")
    assert [run["status"] for run in shell.json("runs", "list")["runs"]] == ["finished", "open", "finished"]
    assert [run["run_id"] for run in shell.json("runs", "list", "--status", "open")["runs"]] == ["run_2"]
    assert [run["run_id"] for run in shell.json("runs", "list", "--principal", "olga")["runs"]] == ["run_3"]
    assert len(shell.json("runs", "list", "--limit", "1")["runs"]) == 1
    assert "run_2" in shell.run("runs", "list").out


def test_no_runs_are_said_in_words_and_make_no_ledger(shell: Shell) -> None:
    assert shell.run("runs", "list").out == "No runs.\n"
    assert not (shell.folder / ".interlock" / "ledger.db").exists()


def test_a_run_is_shown_call_by_call(shell: Shell) -> None:
    """The requirement D2, for a person: step, tool, decision, why, outcome, approval."""
    approval_id = shell.held()
    shell.run("approvals", "approve", approval_id, "--yes", who="maria")
    ran = shell.run("runs", "show", "run_1")
    assert ran.code == 0
    for said in (
        "ana (support)",
        "not seen",
        "refund",
        "require_approval",
        "(irreversible-held",
        "done",
        "approved by maria",
    ):
        assert said in ran.out
    document = shell.json("runs", "show", "run_1")
    assert document["principal"] == {"id": "ana", "roles": ["support"], "kind": "user"}
    [call] = document["calls"]
    assert (call["decision"], call["outcome"], call["approved_by"]) == ("require_approval", "done", ["maria"])
    assert call["told"]["value"]["refunded_cents"] == 500


def test_a_run_shows_the_users_words_and_what_was_said_of_a_refusal(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": "x"}', "--words", "where is [bold]x[/bold]?")
    out = shell.run("runs", "show", "run_1").out
    assert "where is [bold]x[/bold]?" in out
    assert "the arguments do not satisfy the tool's schema" in out


def test_a_run_says_what_waits_what_is_unknown_and_who_settled_it(shell: Shell) -> None:
    shell.held()
    shell.run("call", "flaky", '{"order_id": 7}')
    assert "interlock approvals show appr_1" in shell.run("runs", "show", "run_1").out
    assert "interlock calls settle call_2 done|failed" in shell.run("runs", "show", "run_2").out
    shell.run("calls", "settle", "call_2", "done", "--note", "seen", who="olga")
    assert "settled by olga" in shell.run("runs", "show", "run_2").out
    assert shell.json("runs", "show", "run_2")["calls"][0]["settled_by"] == "olga"


def test_look_ups_of_interlocks_own_stand_below_their_call(shell: Shell) -> None:
    shell.add_entity()
    shell.run("call", "look", '{"order_id": 7}')
    out = shell.run("runs", "show", "run_1").out
    assert out.index("1     look") < out.index("2     · order")
    assert "a look-up of Interlock's own" in out


def test_a_run_of_another_tenant_or_none_is_not_found(shell: Shell) -> None:
    assert shell.json("runs", "show", "run_9", code=2)["error"]["code"] == "run.not_found"


def test_a_run_is_replayed_from_its_record_alone(shell: Shell) -> None:
    """The requirement D3: step by step, without the tools, the policy or anything else."""
    approval_id = shell.held()
    shell.run("approvals", "approve", approval_id, "--yes", who="maria")
    (shell.folder / "interlock.toml").write_text('tools = ["nowhere"]\npolicy = "nowhere"\n')
    ran = shell.run("runs", "replay", "run_1")
    assert ran.code == 0
    for said in ("refund is proposed", "Policy says require approval", "maria approves appr_1", "intent is committed"):
        assert said in " ".join(ran.out.split())
    assert ran.out.endswith("The record holds.\n")
    said = shell.json("runs", "replay", "run_1")
    assert said["holds"] is True
    assert said["steps"][0]["at"] == "2026-01-01T00:00:00.000Z"
    assert [step["gate"] for step in said["steps"] if step.get("gate") == "execute"]


def test_a_replay_stops_where_it_is_told_to(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    steps = shell.json("runs", "replay", "run_1", "--to", "2")["steps"]
    assert {step["seq"] for step in steps} == {1, 2}


def test_a_record_that_was_changed_does_not_hold(shell: Shell) -> None:
    shell.held()
    ledger = apsw.Connection(str(shell.folder / ".interlock" / "ledger.db"))
    for (trigger,) in list(ledger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        ledger.execute(f"DROP TRIGGER {trigger}")
    ledger.execute("UPDATE payload SET body = CAST(replace(CAST(body AS TEXT), ':500', ':900') AS BLOB)")
    ledger.close()
    said = shell.json("runs", "replay", "run_1", code=1)
    assert said["holds"] is False
    assert "does not match its hash" in said["problem"]
    assert "The record does not hold" in shell.run("runs", "replay", "run_1").out


def test_a_run_of_nobody_here_is_not_replayed(shell: Shell) -> None:
    assert shell.json("runs", "replay", "run_9", code=2)["error"]["code"] == "run.not_found"


def test_a_replay_names_the_decisions_that_would_be_others_now(shell: Shell) -> None:
    """D3: by the policy of now, on the facts of then; nothing runs, and the run's record stays as it is."""
    approval_id = shell.held()
    shell.run("approvals", "approve", approval_id, "--yes", who="maria")
    before = len(shell.events("run_1"))
    same = shell.json("runs", "replay", "run_1", "--decide")
    assert (same["differ"], [each["now"] for each in same["again"]]) == (0, ["require_approval"] * 2)
    (shell.folder / "next.cedar").write_text(
        '@id("all") permit (principal, action, resource);\n'
        '@id("dear") forbid (principal, action == Action::"refund", resource) when { context.arguments.cents > 100 };'
    )
    said = shell.json("runs", "replay", "run_1", "--decide", "--policy", "next.cedar", code=1)
    assert said["differ"] == 2
    assert said["again"][0] | {"seq": 0} == {
        "seq": 0, "call_id": "call_1", "was": "require_approval", "was_reasons": ["rule:irreversible-held",
        "rule:irreversible"], "now": "deny", "now_reasons": ["rule:dear"], "differs": True, "why": "", "fact": "",
    }  # fmt: skip
    out = " ".join(shell.run("runs", "replay", "run_1", "--decide", "--policy", "next.cedar").out.split())
    assert "Asked again: otherwise, deny: rule:dear; it was require approval." in out
    assert "2 of 2 decisions would be another now" in out
    assert len(shell.events("run_1")) == before
    assert shell.json("runs", "replay", "run_1", "--policy", "next.cedar", code=2)["error"]["code"] == "cli.usage"


def test_a_replay_goes_on_at_each_enter_and_stops_when_asked_to(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    steps = shell.json("runs", "replay", "run_1")["steps"]
    whole = shell.run("runs", "replay", "run_1", "--step", "--decide", typed="\n" * len(steps))
    assert whole.code == 0
    assert f"{len(steps)} of {len(steps)}: event" in whole.out and "Asked again: the same, allow" in whole.out
    few = shell.run("runs", "replay", "run_1", "--step", typed="\nq\n")
    assert f"2 of {len(steps)}: event" in few.out and f"3 of {len(steps)}: event" not in few.out
    alone = shell.run("runs", "replay", "run_1", "--step")
    assert f"1 of {len(steps)}: event" in alone.out and f"2 of {len(steps)}: event" not in alone.out
    assert shell.json("runs", "replay", "run_1", "--step", code=2)["error"]["code"] == "cli.usage"
