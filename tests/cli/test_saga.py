"""`interlock saga`: what a person sees of a saga, and what they can say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from interlock import Principal, Saga, Step, World, given, load_settings, open_plane, result
from interlock.core.ids import RandomIds
from tests.cli.shell import Shell

STEPS = '''
from pathlib import Path

LOCKED = Path(__file__).with_name("locked")

@interlock.tool(effect="reversible", compensate="leave", compensate_with={"room": "/result/room"})
def enter(room: int) -> dict[str, int]:
    """Enter a room."""
    return {"room": room}

@interlock.tool(effect="reversible", idempotent=True)
def leave(room: int) -> bool:
    """Leave a room."""
    if LOCKED.exists():
        raise interlock.Rejected("423", reason="the door is locked")
    return True

@interlock.tool(effect="reversible")
def sign(room: int) -> bool:
    """Sign the book."""
    if room < 0:
        raise interlock.Rejected("409", reason="there is no such room")
    return True
'''
POLICY = """permit (principal, action, resource);
@id("ask") @approvers("approver") forbid (principal, action == Action::"sign", resource)
when { context.arguments.room > 99 };
"""
VISIT = Saga("visit", [
    Step("in", "enter", {"room": given("/room")}),
    Step("book", "sign", {"room": result("in", "/room")}, pivot=True),
])  # fmt: skip


@pytest.fixture
def office(shell: Shell) -> Shell:
    """The deployment with the tools of a visit, and a policy that lets them run."""
    [module] = shell.folder.glob("shop_tools_*.py")
    module.write_text(module.read_text() + STEPS)
    (shell.folder / "policy.cedar").write_text(POLICY)
    with (shell.folder / "interlock.toml").open("a") as file:
        file.write('policy = "policy.cedar"\n')
    return shell


def visited(office: Shell, room: int) -> str:
    """The run of a visit, as far as it goes."""

    async def visit() -> str:
        world = World(clock=office.clock, new_id=RandomIds(office.clock))
        async with open_plane(load_settings(office.folder / "interlock.toml"), world=world, engine=False) as plane:
            subject = Principal("ana", roles=frozenset({"support"}))
            async with plane.saga(VISIT, subject, {"room": room}) as saga:
                await saga.outcome()
            return saga.run_id

    return anyio.run(visit)


def test_sagas_are_listed_with_how_far_each_has_come(office: Shell) -> None:
    assert office.run("saga", "list").out == "No sagas.\n"
    runs = [visited(office, room) for room in (7, -7, 100)]
    office.run("call", "look", '{"order_id": 7}')
    listed: list[dict[str, Any]] = office.json("saga", "list")["sagas"]
    assert [(each["run_id"], each["status"]) for each in listed] == list(
        zip(runs, ["completed", "compensated", "waiting"], strict=True)
    )
    assert [each["run_id"] for each in office.json("saga", "list", "--status", "open")["sagas"]] == runs[2:]
    out = office.run("saga", "list").out
    assert "2 of 2 steps" in out and "1 of 2 steps" in out and "visit" in out


def test_a_saga_is_shown_step_by_step_with_what_was_undone_and_the_next_command(office: Shell) -> None:
    """C4: shown; the exit code says how it stands."""
    done, back, held = (visited(office, room) for room in (7, -7, 100))
    assert office.run("saga", "show", done).code == 0
    ran = office.run("saga", "show", back)
    assert ran.code == 1
    for said in ("compensated", "enter", "undone", "sign", "failed", "there is no such room"):
        assert said in ran.out
    waiting = office.run("saga", "show", held)
    assert waiting.code == 3 and "interlock approvals show appr_" in waiting.out
    document = office.json("saga", "show", back, code=1)
    assert [(step["id"], step["status"], step.get("undo")) for step in document["steps"]] == [
        ("in", "done", "done"), ("book", "failed", None),
    ]  # fmt: skip


def test_what_could_not_be_undone_is_resumed_by_an_operator(office: Shell) -> None:
    """K39: listed, and resumable by id."""
    locked: Path = office.folder / "locked"
    locked.touch()
    run_id = visited(office, -7)
    shown = office.run("saga", "show", run_id)
    assert shown.code == 1
    assert (
        "not undone (execute.rejected)" in " ".join(shown.out.split())
        and f"interlock saga resume {run_id}" in shown.out
    )
    assert office.run("saga", "resume", run_id, "--reason", "again", who="ana").code == 5
    still = office.run("saga", "resume", run_id, "--reason", "again", who="olga")
    assert still.code == 1 and "compensation_failed" in still.out
    locked.unlink()
    mended = office.json("saga", "resume", run_id, "--reason", "unlocked", who="olga", code=1)
    assert (mended["status"], mended["steps"][0]["undo"]) == ("compensated", "done")


def test_a_saga_is_called_off_by_whom_it_runs_for(office: Shell) -> None:
    held = visited(office, 100)
    assert office.run("saga", "cancel", held, "--reason", "not mine", who="maria").code == 5
    called_off = office.json("saga", "cancel", held, "--reason", "went elsewhere", who="ana", code=1)
    assert (called_off["status"], called_off["steps"][0]["undo"]) == ("compensated", "done")
    late = office.run("saga", "cancel", visited(office, 7), "--reason", "too late", who="ana")
    assert late.code == 1 and "past its pivot" in late.err


def test_what_is_no_saga_is_said_to_be_none(office: Shell) -> None:
    office.run("call", "look", '{"order_id": 7}')
    [run] = office.json("runs", "list")["runs"]
    for words in (("show", run["run_id"]), ("resume", run["run_id"], "--reason", "x")):
        ran = office.run("saga", *words, who="olga")
        assert (ran.code, "is no saga" in ran.err) == (2, True)
