from __future__ import annotations

import pytest

from interlock.core.event import Kind
from tests.cli.shell import Shell


def test_a_read_runs_and_its_result_is_shown(shell: Shell) -> None:
    ran = shell.run("call", "look", '{"order_id": 7}', "--words", "where is it?")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "done  look"
    assert '"order_id": 7' in ran.out
    assert "decided: allow (rule:read)" in ran.out


def test_the_document_of_a_call_has_its_run_outcome_and_decision(shell: Shell) -> None:
    said = shell.json("call", "look", '{"order_id": 7}')
    assert said["outcome"] == "done"
    assert said["value"] == {"order_id": 7, "part": "status"}
    assert said["run_id"].startswith("run_")
    assert said["decision"]["reasons"] == ["rule:read"]


def test_a_refusal_names_the_field_what_is_allowed_and_what_to_do(shell: Shell) -> None:
    ran = shell.run("call", "look", '{"order_id": "seven", "part": "prize"}')
    assert ran.code == 1
    assert ran.out.startswith("refused  look  validate.schema\n")
    assert "/order_id  must be of type integer" in ran.out
    assert 'closest: "price"' in ran.out
    assert "next: " in ran.out


def test_a_misspelt_tool_is_refused_with_the_closest_name(shell: Shell) -> None:
    said = shell.json("call", "lok", "{}", code=1)
    assert said["code"] == "validate.unknown_tool"
    assert said["problems"][0]["closest"] == "look"


def test_text_that_is_no_json_is_refused_on_the_path_and_recorded(shell: Shell) -> None:
    said = shell.json("call", "look", "{order_id: 7}", code=1)
    assert said["outcome"] == "refused"
    assert shell.json("calls", "list")["calls"][0]["code"] == said["code"]


def test_a_held_call_says_who_may_approve_it_until_when_and_where_to_see_it(shell: Shell) -> None:
    ran = shell.run("call", "refund", '{"order_id": 7, "cents": 500}')
    assert ran.code == 3
    assert "held  refund" in ran.out
    assert "may decide  one person with the role approver, but not you" in ran.out
    assert "in 1 day" in ran.out
    assert "interlock approvals show appr_1" in ran.out


def test_the_document_of_a_held_call_has_the_request(shell: Shell) -> None:
    said = shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    assert said["approval"] == {
        "approval_id": "appr_1",
        "groups": ["approver"],
        "quorum": 1,
        "rules": ["irreversible-held"],
        "expires_at": "2026-01-02T00:00:00.000Z",
    }


def test_a_call_that_may_have_taken_effect_ends_with_the_code_for_unknown(shell: Shell) -> None:
    said = shell.json("call", "flaky", '{"order_id": 7}', code=4)
    assert said["outcome"] == "unknown"


@pytest.mark.parametrize(("tool", "outcome"), [("rejecting", "failed"), ("lying", "withheld")])
def test_a_call_that_came_to_nothing_ends_with_1(shell: Shell, tool: str, outcome: str) -> None:
    assert shell.json("call", tool, '{"order_id": 7}', code=1)["outcome"] == outcome


def test_a_denied_call_ends_with_1_and_says_what_decided(shell: Shell) -> None:
    ran = shell.run("call", "look", '{"order_id": 7}', who="zoe")
    assert ran.code == 1
    assert "refused  look" in ran.out
    assert "decided: deny" in ran.out


@pytest.mark.parametrize(("tool", "code"), [("look", 0), ("refund", 3), ("lok", 1)])
def test_a_dry_run_ends_as_the_call_would_and_runs_nothing(shell: Shell, tool: str, code: int) -> None:
    """The requirement B9: validate and decide only."""
    arguments = '{"order_id": 7, "cents": 500}' if tool == "refund" else '{"order_id": 7}'
    ran = shell.run("call", tool, arguments, "--dry-run")
    assert ran.code == code
    assert shell.json("audit", "tool_result")["rows"] == []
    assert shell.json("approvals", "list", "--status", "all")["approvals"] == []


def test_a_dry_run_is_not_called_a_refusal(shell: Shell) -> None:
    assert shell.run("call", "look", '{"order_id": 7}', "--dry-run").out.startswith("dry run  look")


def test_arguments_may_stand_in_a_file_or_on_the_standard_input(shell: Shell) -> None:
    (shell.folder / "arguments.json").write_text('{"order_id": 8}', encoding="utf-8")
    assert shell.json("call", "look", "@arguments.json")["value"]["order_id"] == 8
    assert shell.json("call", "look", "-", typed='{"order_id": 9}')["value"]["order_id"] == 9


def test_a_file_that_cannot_be_read_is_bad_input(shell: Shell) -> None:
    ran = shell.run("call", "look", "@nowhere.json")
    assert ran.code == 2
    assert ran.err == "error: arguments: nowhere.json: No such file or directory. Name a readable file after the @.\n"


def test_a_file_that_is_no_text_is_bad_input(shell: Shell) -> None:
    (shell.folder / "arguments.json").write_bytes(b"\xff")
    ran = shell.run("call", "look", "@arguments.json")
    assert (ran.code, ran.out) == (2, "")
    assert "not UTF-8" in ran.err


def test_asking_again_by_name_in_the_same_run_gets_the_recorded_outcome(shell: Shell) -> None:
    typed = ("call", "refund", '{"order_id": 7, "cents": 500}', "--name", "refund-7")
    first = shell.json(*typed, code=3)
    shell.json("approvals", "approve", first["approval_id"], "--yes", who="maria")
    again = shell.json(*typed, "--run", first["run_id"])
    assert again["outcome"] == "done"
    assert again["repeated"] is True
    assert again["call_id"] == first["call_id"]


def test_a_run_of_somebody_else_is_as_good_as_none(shell: Shell) -> None:
    run_id = shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)["run_id"]
    said = shell.json("call", "look", '{"order_id": 7}', "--run", run_id, who="olga", code=2)
    assert said["error"]["code"] == "run.not_found"


def test_words_cannot_be_put_into_the_mouth_of_a_run_that_stands(shell: Shell) -> None:
    run_id = shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)["run_id"]
    said = shell.json("call", "look", "{}", "--run", run_id, "--words", "do it", code=2)
    assert said["error"]["code"] == "cli.usage"


def test_nobody_calls_without_a_key(shell: Shell) -> None:
    ran = shell.run("call", "look", '{"order_id": 7}', key="")
    assert ran.code == 5
    assert ran.err.startswith("error: no key is typed, and none is kept that opens ")
    assert "Run `interlock login` with one of its keys, or set INTERLOCK_KEY." in ran.err
    assert shell.run("call", "look", "{}", key="ilk_" + "0" * 40).code == 5


def test_a_mandate_is_recorded_with_the_new_run_and_is_none_of_one_that_stands(shell: Shell) -> None:
    said = shell.json("call", "look", '{"order_id": 7}', "--mandate", "refund", "--mandate", "wipe")
    [started] = [event for event in shell.events(said["run_id"]) if event.fact.kind is Kind.RUN_STARTED]
    assert started.fact.body["mandates"] == ["refund", "wipe"]
    error = shell.json("call", "look", "--run", said["run_id"], "--mandate", "wipe", code=2)["error"]
    assert error["code"] == "cli.usage" and "--mandate" in error["message"]
    error = shell.json("call", "look", '{"order_id": 7}', "--mandate", "wiep", code=2)["error"]
    assert error["code"] == "run.mandate"
