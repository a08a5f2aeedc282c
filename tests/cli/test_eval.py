"""`interlock eval`: a suite that passes, a regression that is named, reports, a judge that is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest

from tests.cli.shell import Shell

AGENT = """
from interlock import Agent, Proposal
from interlock.core.message import Message, Role
from interlock.models.replay import ReplayModel

def says(text, *calls):
    proposals = tuple(Proposal(tool, arguments, f"c{place}") for place, (tool, arguments) in enumerate(calls))
    return Message(role=Role.MODEL, text=text, proposals=proposals)

DESK = Agent("desk", ReplayModel(says("I look.", ("look", {"order_id": 7})), says("Order 7 is on its way.")))
"""

JUDGE = """
import json
from interlock.core.message import Message, Role

class Judge:
    name, output_max = "scripted:judge", 100
    async def reply(self, messages, tools):
        given = json.loads(messages[-1].text)
        if "garbage" in given["answer"]:
            return Message(role=Role.MODEL, text="10 out of 10")
        grade = "pass" if "way" in given["answer"] else "fail"
        return Message(role=Role.MODEL, text=json.dumps({"grade": grade, "nonce": given["nonce"], "why": "so"}))

JUDGE = Judge()
"""

CASE: dict[str, Any] = {
    "name": "where is it", "words": "where is order 7",
    "expect": {"tools": {"exactly": ["look"]}, "answer": {"contains": ["on its way"]}, "end": "answer"},
}  # fmt: skip
SUITE: dict[str, Any] = {
    "suite": "desk", "agent": "desk_agents:desk", "principal": {"id": "ana", "roles": ["support"]},
    "answers": {"look": [{"value": {"order_id": 7, "part": "status"}}]}, "cases": [CASE],
}  # fmt: skip


@pytest.fixture
def desk(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    import sys

    (shell.folder / "desk_agents.py").write_text(AGENT, encoding="utf-8")
    (shell.folder / "desk_judges.py").write_text(JUDGE, encoding="utf-8")
    for name in ("desk_agents", "desk_judges"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return shell


def write(shell: Shell, name: str = "suite.json", **said: Any) -> str:
    (shell.folder / name).write_text(json.dumps(SUITE | said), encoding="utf-8")
    return name


def test_a_suite_that_passes_exits_with_0_and_says_its_figures(desk: Shell) -> None:
    """F1."""
    ran = desk.run("eval", "run", write(desk))
    assert ran.code == 0, ran.out + ran.err
    for part in ("where is it", "1 of 1", "Right tools", "100.0 %", "As the suite needs it."):
        assert part in ran.out
    document = desk.run("eval", "run", "suite.json", "--json").document
    assert document["passes"] is True
    assert document["shares"]["tool_selection"]["part"] == 1
    assert not (desk.folder / ".interlock" / "ledger.db").exists(), "the ledger is left alone"


def test_a_changed_script_loses_its_case_which_is_named_with_exit_code_1(desk: Shell) -> None:
    """F1: regression on a change of model or prompt."""
    suite = write(desk)
    assert desk.run("eval", "run", suite, "--save", "base.json").code == 0
    changed = AGENT.replace("Order 7 is on its way.", "I cannot say.")
    (desk.folder / "desk_agents.py").write_text(changed, encoding="utf-8")
    import sys

    del sys.modules["desk_agents"]
    ran = desk.run("eval", "run", suite, "--baseline", "base.json", "--json")
    assert ran.code == 1
    assert ran.document["comparison"]["lost"] == ["where is it"]
    assert "lost against the baseline: where is it" in ran.document["refusals"]
    page = desk.run("eval", "run", suite, "--baseline", "base.json")
    assert "lost: where is it" in page.out
    assert "answer: it does not say 'on its way'" in page.out


def test_a_baseline_holds_no_words(desk: Shell) -> None:
    desk.run("eval", "run", write(desk), "--save", "base.json")
    kept = json.loads((desk.folder / "base.json").read_text())
    assert kept == {
        "format": "interlock/eval/1", "suite": "desk",
        "cases": {"where is it": [{"passed": True, "steps": 2, "tokens": 0, "latency_ms": 0, "micro_usd": None}]},
    }  # fmt: skip


def test_a_baseline_without_a_case_in_common_is_no_yes(desk: Shell) -> None:
    """A suite whose cases were all given other names would pass against anything."""
    desk.run("eval", "run", write(desk), "--save", "base.json")
    ran = desk.run("eval", "run", write(desk, cases=[CASE | {"name": "renamed"}]), "--baseline", "base.json", "--json")
    assert ran.code == 1
    assert ran.document["refusals"] == ["no case of the baseline is in the suite, so that nothing was compared"]


def test_less_than_the_suite_needs_is_a_no_and_a_lower_need_is_met(desk: Shell) -> None:
    failing = CASE | {"name": "other", "expect": {"end": "limit"}}
    assert desk.run("eval", "run", write(desk, cases=[CASE, failing])).code == 1
    assert desk.run("eval", "run", write(desk, cases=[CASE, failing], need={"pass_rate": 0.5})).code == 0


def test_reports_are_written_as_a_page_and_as_junit(desk: Shell) -> None:
    ran = desk.run("eval", "run", write(desk), "--html", "r.html", "--junit", "r.xml", "--repeat", "3")
    assert ran.code == 0, ran.out + ran.err
    assert (desk.folder / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert xml.parse(desk.folder / "r.xml").getroot().get("tests") == "3"


def test_injected_faults_are_told_with_what_came_of_them(desk: Shell) -> None:
    """F4."""
    ran = desk.run("eval", "run", write(desk, chaos=[{"garbage": 1.0}]))
    assert "Injected faults" in ran.out
    assert "1 withheld" in ran.out
    assert "Passed despite faults" in ran.out


def test_recorded_runs_are_those_of_the_ledger_since_then(desk: Shell) -> None:
    desk.run("call", "look", '{"order_id": 7}', "--words", "where is order 7")
    case = {"name": "look", "words": "where is order 7", "expect": {"tools": {"exactly": ["look"]}}}
    (desk.folder / "runs.json").write_text(json.dumps({"suite": "r", "runs": {"since": "7d"}, "cases": [case]}))
    assert desk.run("eval", "run", "runs.json").code == 0
    desk.clock.advance(3600)
    assert desk.run("eval", "run", "runs.json", "--since", "30m").code == 1


def test_a_result_is_recorded_by_an_operator_as_one_event_without_words(desk: Shell) -> None:
    write(desk)
    assert desk.run("eval", "run", "suite.json").code == 0
    assert desk.events("evals/default") == [], "without being asked for, nothing is written"
    refused = desk.run("eval", "run", "suite.json", "--record", who="ana")
    assert (refused.code, "has not the role" in refused.err) == (5, True)
    ran = desk.run("eval", "run", "suite.json", "--record", "--json", who="olga")
    [event] = desk.events("evals/default")
    assert (event.chain, event.fact.kind.value, event.fact.principal_id) == ("evals/default", "eval.recorded", "olga")
    assert (event.fact.call_id, event.fact.body["passed"]) == (ran.document["eval_id"], 1)
    assert "order 7" not in event.payload.decode()
    [row] = desk.run("audit", "eval", "--json", who="olga").document["rows"]
    assert (row["suite"], row["how"], row["trials"], row["passed"], row["met"]) == ("desk", "played", 1, 1, 1)
    failing = [{**CASE, "expect": {"tools": {"exactly": []}}}]
    text = desk.run("eval", "run", write(desk, cases=failing), "--record", who="olga")
    assert (text.code, "event 2 of evals/default" in text.out) == (1, True), "what failed is kept as well"


def test_a_result_is_not_recorded_where_it_would_be_too_large_for_one_event(desk: Shell) -> None:
    many = [{"name": f"case {number}", "words": "x"} for number in range(1001)]
    large = desk.run("eval", "run", write(desk, cases=many), "--record", who="olga")
    assert (large.code, "1,000 at most" in large.err) == (2, True)


def test_a_case_with_a_rubric_is_judged_and_no_verdict_is_no_pass(desk: Shell) -> None:
    """F2."""
    judged = {"judge": {"model": "python:desk_judges:JUDGE"}, "cases": [CASE | {"rubric": "It says where it is."}]}
    ran = desk.run("eval", "run", write(desk, **judged), "--json")
    assert ran.code == 0, ran.out
    assert ran.document["shares"]["judged_right"]["part"] == 1
    (desk.folder / "desk_judges.py").write_text(JUDGE.replace('"garbage" in', '"way" in'), encoding="utf-8")
    import sys

    del sys.modules["desk_judges"]
    ran = desk.run("eval", "run", "suite.json", "--json")
    assert ran.code == 1
    assert ran.document["cases"][0]["trials"][0]["failures"] == ["judge: no verdict: json.syntax"]


def test_a_judges_agreement_with_people_is_measured(desk: Shell) -> None:
    """F2: agreement, kappa with its interval, and the confusion."""
    suite = write(desk, judge={"model": "python:desk_judges:JUDGE"})
    read = [("on its way", "pass")] * 4 + [("no", "fail")] * 3 + [("no way", "fail"), ("garbage", "fail")]
    lines = [{"question": "q", "answer": answer, "rubric": "r", "label": label} for answer, label in read]
    (desk.folder / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    ran = desk.run("eval", "judge", "labels.jsonl", "--suite", suite)
    assert ran.code == 0, ran.out + ran.err
    assert "7 of 9" in ran.out
    assert "Cohen's kappa" in ran.out
    found = desk.run("eval", "judge", "labels.jsonl", "--suite", suite, "--json").document
    assert (found["no_verdict"]["part"], found["wrongly_passed"]["part"]) == (1, 1)
    assert found["kappa_interval"][0] < found["kappa"] < found["kappa_interval"][1]


def test_what_is_not_acceptable_is_said_with_exit_code_2(desk: Shell) -> None:
    (desk.folder / "labels.jsonl").write_text('{"question": "q"}\n')
    for words, told in (
        (("run", "none.yaml"), "none.yaml: No such file"),
        (("run", write(desk, "bad.json", agnet="x")), "unknown key 'agnet'"),
        (("run", write(desk, "agent.json", agent="nobody")), "no agent 'nobody'"),
        (("run", write(desk), "--baseline", "none.json"), "none.json"),
        (("judge", "labels.jsonl", "--suite", "suite.json"), "the suite has no judge"),
        (("run", "suite.json", "--html", str(Path("no") / "such" / "folder.html")), "folder.html"),
    ):
        ran = desk.run("eval", *words)
        assert (ran.code, told in ran.err) == (2, True), (words, ran)
    suite = write(desk, "judged.json", judge={"model": "python:desk_judges:JUDGE"})
    ran = desk.run("eval", "judge", "labels.jsonl", "--suite", suite)
    assert (ran.code, "labels.jsonl:1: answer: no text" in ran.err) == (2, True)
