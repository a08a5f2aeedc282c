"""`interlock work`: what is due is done and told, line by line; asked to end, it drains."""

from __future__ import annotations

import json

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
