from __future__ import annotations

import anyio

from interlock import Principal, World, open_plane
from interlock.core.ids import CountedIds
from interlock.settings import load_settings
from tests.cli.shell import Shell

LIMITS = """
[[limits.budgets]]
name = "calls"
unit = "calls"
most = 40
every = "day"

[[limits.budgets]]
name = "writes"
unit = "calls"
most = 2
per = ["principal", "tool"]
effects = ["reversible", "irreversible"]

[[limits.rates]]
name = "often"
calls = 6
per_s = 60
per = ["principal"]
"""


def limited(shell: Shell) -> None:
    file = shell.folder / "interlock.toml"
    file.write_text(file.read_text(encoding="utf-8") + LIMITS, encoding="utf-8")


def test_what_is_used_is_shown_with_a_bar_and_what_is_free(shell: Shell) -> None:
    limited(shell)
    for n in (1, 2, 3):
        shell.run("call", "look", f'{{"order_id": {n}}}')
    shell.run("call", "flaky", '{"order_id": 1}')
    lines = shell.run("limits").out.splitlines()
    assert lines[0] == "Budgets"
    assert lines[2].split() == [
        "calls", "everybody", "██▒·················", "4", "of", "40", "1", "3", "calls", "in", "1", "day",
    ]  # fmt: skip
    assert lines[3].split()[:5] == ["writes", "principal", "ana,", "tool", "flaky"]
    assert lines[-1].split()[-3:] == ["2", "of", "6"]
    said = shell.json("limits")
    assert said["budgets"][0] == {
        "name": "calls", "unit": "calls", "whose": {}, "most": 40, "reserved": 1, "spent": 3, "left": 36,
        "anew_at": "2026-01-02T00:00:00.000Z",
    }  # fmt: skip
    assert said["budgets"][1]["whose"] == {"principal": "ana", "tool": "flaky"}
    [rate] = said["rates"]
    assert rate == {"name": "often", "whose": {"principal": "ana"}, "calls": 6, "per_s": 60, "burst": 6, "free": 2}


def test_a_budget_is_there_before_it_is_used_and_a_used_up_one_is_full(shell: Shell) -> None:
    limited(shell)
    assert [budget["spent"] for budget in shell.json("limits")["budgets"]] == [0]
    assert shell.json("limits")["rates"] == []
    assert "None used as yet." in shell.run("limits").out
    for n in (1, 2):
        shell.run("call", "flaky", f'{{"order_id": {n}}}')
    assert "▒" * 20 in shell.run("limits").out


def test_an_open_runs_own_budget_is_shown_and_one_that_is_over_is_not(shell: Shell) -> None:
    limited(shell)
    settings = load_settings(shell.folder / "interlock.toml")

    async def leave_one_open() -> None:
        world = World(new_id=CountedIds())
        async with open_plane(settings, world=world, engine=False) as plane:
            ana = Principal("ana", roles=frozenset({"support"}))
            async with plane.run(ana, budget={"calls": 9}) as run:
                await run.call("flaky", {"order_id": 1})
            async with plane.run(ana, budget={"calls": 9}) as run:
                await run.call("look", {"order_id": 1})

    anyio.run(leave_one_open)
    own = [budget for budget in shell.json("limits")["budgets"] if not budget["name"]]
    assert [(budget["whose"], budget["most"], budget["reserved"]) for budget in own] == [({"run": "run_1"}, 9, 1)]
    assert "(the run's own)" in shell.run("limits").out


def test_there_is_nothing_to_show_where_nothing_is_limited(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 1}')
    assert shell.json("limits") == {"budgets": [], "rates": [], "idle": []}


def test_a_ledger_with_budgets_verifies_before_and_after_something_of_it_was_erased(shell: Shell) -> None:
    """Rows and events agree, and what was erased stays charged."""
    limited(shell)
    said = shell.json("call", "look", '{"order_id": 1}')
    shell.run("call", "flaky", '{"order_id": 1}')
    before = shell.json("limits")["budgets"]
    assert shell.run("ledger", "verify", who="root").code == 0
    erased = shell.run("ledger", "redact", said["run_id"], "--reason", "asked for it", "--yes", who="root")
    assert erased.code == 0, erased.out
    assert shell.run("ledger", "verify", who="root").code == 0
    assert shell.json("limits")["budgets"] == before


def test_a_slip_in_a_limit_is_said_because_it_would_limit_nothing(shell: Shell) -> None:
    """T29, T34: a tool or a unit that is misspelt leaves a budget that nobody ever uses up."""
    limited(shell)
    assert shell.json("limits")["idle"] == []
    file = shell.folder / "interlock.toml"
    slips = '[[limits.budgets]]\nname = "money"\nunit = "micro_uds"\nmost = 5\n'
    slips += '[[limits.rates]]\nname = "few"\ncalls = 1\nper_s = 60\ntools = ["flacky", "look"]\n'
    file.write_text(file.read_text(encoding="utf-8") + slips, encoding="utf-8")
    assert shell.json("limits")["idle"] == [
        "rate 'few' is about 'flacky', and there is no such tool here",
        "budget 'money' counts 'micro_uds', which no tool here costs",
    ]
    assert "limits nothing: budget 'money'" in shell.run("limits").out
