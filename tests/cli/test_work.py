"""`interlock work`: what is due is done and told, line by line; asked to end, it drains."""

from __future__ import annotations

import json

from interlock.core.event import Fact, Kind
from tests.cli.shell import Shell


def test_what_is_due_is_done_and_told_a_line_for_each_run(shell: Shell) -> None:
    assert shell.run("work", "--once", who="olga").out == "Done: nothing was due.\n"
    shell.held()
    shell.held(700)
    shell.clock.advance(25 * 3600)
    ran = shell.run("work", "--once", "--json", who="olga")
    *lines, last = map(json.loads, ran.out.splitlines())
    assert {line["run_id"] for line in lines} == {"run_1", "run_2"}
    assert lines[0]["calls"][0].items() >= {
        "tool": "refund", "was": "held", "now": "refused", "code": "approve.expired"
    }.items()  # fmt: skip
    assert last == {"advanced": 2, "cut_off": 0}
    assert ran.code == 0
    assert shell.json("runs", "show", "run_1")["calls"][0]["outcome"] == "refused"


def test_a_person_reads_one_line_for_each_run(shell: Shell) -> None:
    shell.held()
    shell.clock.advance(25 * 3600)
    assert shell.run("work", "--once", who="olga").out.splitlines() == [
        "run_1  refund was held: refused approve.expired", "Done: something was done in 1 run."
    ]  # fmt: skip


def test_working_needs_an_operator(shell: Shell) -> None:
    assert shell.run("work", "--once", who="maria").code == 5


def test_what_was_given_up_on_is_listed_and_proposed_again(shell: Shell) -> None:
    """An operator's word is kept; the new call is one of its own, and may be held."""
    assert shell.run("calls", "dead").out == "None.\n"
    shell.held()
    shell.clock.advance(25 * 3600)
    shell.run("work", "--once", who="olga")
    [call] = shell.json("calls", "list")["calls"]
    letter = Fact(Kind.CALL_DEAD_LETTERED, {"code": "execute.busy", "attempts": 3}, call["call_id"], 1, 3)
    shell.append("run_1", letter)
    [dead] = shell.json("calls", "dead")["calls"]
    assert (dead["call_id"], dead["code"], dead["attempts"], dead["retried_in"]) == (
        call["call_id"], "execute.busy", 3, None
    )  # fmt: skip
    retry = ("calls", "retry", call["call_id"], "--reason", "up again")
    assert shell.json(*retry, who="ana", code=5)["error"]["code"] == "retry.role"
    again = shell.json(*retry, who="olga", code=3)
    assert (again["outcome"], again["retried"], again["by"]) == ("held", call["call_id"], "olga")
    assert shell.json("calls", "dead")["calls"][0]["retried_in"] == shell.json("runs", "list")["runs"][-1]["run_id"]
    assert "retried in" in shell.run("calls", "dead").out
