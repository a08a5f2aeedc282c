from __future__ import annotations

import anyio

from interlock import Principal, World, open_plane
from interlock.core.event import Fact, Kind
from interlock.core.ids import CountedIds
from interlock.settings import load_settings
from tests.cli.shell import Shell


def test_calls_are_listed_with_their_outcome_and_why(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    shell.run("call", "look", '{"order_id": "seven"}')
    out = shell.run("calls", "list").out
    assert [line.split()[0] for line in out.splitlines()] == ["call", "call_1", "call_2"]
    assert "validate.schema" in out
    assert shell.run("calls", "list", "--tool", "refund").out == "No calls.\n"
    assert [call["call_id"] for call in shell.json("calls", "list", "--limit", "1")["calls"]] == ["call_2"]


def test_times_in_a_document_are_utc_in_full(shell: Shell) -> None:
    shell.run("call", "look", '{"order_id": 7}')
    call = shell.json("calls", "list")["calls"][0]
    assert call["proposed_at"] == "2026-01-01T00:00:00.000Z"
    assert not any(name.endswith("_us") for name in call)


def test_a_held_call_is_found_by_its_state_and_run(shell: Shell) -> None:
    said = shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    shell.run("call", "look", '{"order_id": 7}')
    assert [call["tool"] for call in shell.json("calls", "list", "--status", "held")["calls"]] == ["refund"]
    assert [call["tool"] for call in shell.json("calls", "list", "--run", said["run_id"])["calls"]] == ["refund"]


def test_a_call_is_shown_as_it_was_told_with_the_exit_code_of_its_outcome(shell: Shell) -> None:
    said = shell.json("call", "look", '{"order_id": 7}')
    ran = shell.run("calls", "show", said["call_id"])
    assert ran.code == 0
    assert '"order_id": 7' in ran.out
    assert shell.json("calls", "show", said["call_id"])["told"]["value"] == said["value"]
    held = shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    assert shell.run("calls", "show", held["call_id"]).code == 3
    assert shell.json("calls", "show", "call_9", code=2)["error"]["code"] == "call.not_found"


def test_an_unknown_call_is_listed_until_an_operator_settles_it(shell: Shell) -> None:
    """The requirement B12: the third outcome is listed, and a person settles it."""
    call_id = shell.json("call", "flaky", '{"order_id": 7}', code=4)["call_id"]
    assert [call["call_id"] for call in shell.json("calls", "unknown")["calls"]] == [call_id]
    ran = shell.run("calls", "settle", call_id, "done", "--note", "the far end shows it", who="olga")
    assert ran.code == 0
    assert ran.out == "Recorded: flaky took effect, by the word of olga.\n"
    assert shell.run("calls", "unknown").out == "Nothing is unknown.\n"
    assert shell.json("calls", "show", call_id)["outcome"] == "done"


def test_a_call_without_effect_is_settled_as_failed(shell: Shell) -> None:
    call_id = shell.json("call", "flaky", '{"order_id": 7}', code=4)["call_id"]
    said = shell.json("calls", "settle", call_id, "failed", "--note", "nothing there", who="olga")
    assert said["outcome"] == "failed"
    assert (said["by"], said["note"]) == ("olga", "nothing there")


def test_only_an_operator_settles_and_only_what_is_unknown(shell: Shell) -> None:
    call_id = shell.json("call", "flaky", '{"order_id": 7}', code=4)["call_id"]
    assert shell.json("calls", "settle", call_id, "done", "--note", "x", code=5)["error"]["code"] == "settle.role"
    done = shell.json("call", "look", '{"order_id": 7}')["call_id"]
    said = shell.json("calls", "settle", done, "failed", "--note", "x", who="olga", code=1)
    assert said["error"]["code"] == "settle.not_unknown"


def test_a_call_that_is_on_its_way_has_no_outcome_yet(shell: Shell) -> None:
    shell.held()
    shell.append("run_1", Fact(Kind.CALL_DECIDED, {"proposed": {"tool": "look", "arguments": {}}}, "call_late", 2))
    assert shell.run("calls", "show", "call_late").out == "proposed\nIt is on its way.\n"
    assert shell.json("calls", "show", "call_late")["told"] is None


def test_an_unknown_call_says_how_it_is_settled(shell: Shell) -> None:
    assert "interlock calls settle call_1 done|failed" in shell.run("call", "flaky", '{"order_id": 7}').out


def test_a_call_that_was_answered_from_the_cache_says_so(shell: Shell) -> None:
    """The requirement B13: nothing was dialled, and whose result it is."""
    [module] = shell.folder.glob("shop_tools_*.py")
    module.write_text(module.read_text().replace('(effect="read")\ndef look', '(effect="read", cache_s=30)\ndef look'))

    async def twice() -> None:
        settings, world = load_settings(shell.folder / "interlock.toml"), World(clock=shell.clock, new_id=CountedIds())
        ana = Principal("ana", roles=frozenset({"support"}))
        async with open_plane(settings, world=world, engine=False) as plane, plane.run(ana) as run:
            for _ in range(2):
                assert (await run.call("look", {"order_id": 7})).done
                shell.clock.advance(2)

    anyio.run(twice)
    assert "dialled" not in shell.run("calls", "show", "call_1").out
    assert "call_1, 2.0 s before; nothing was dialled" in shell.run("calls", "show", "call_2").out
    shown = shell.json("calls", "show", "call_2")
    assert shown["cached"] == {"age_ms": 2000, "run_id": "run_1", "call_id": "call_1"}
    assert "cached" not in shell.json("calls", "show", "call_1")
