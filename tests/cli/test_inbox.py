"""`interlock inbox`, as it is typed and read. REQUIREMENTS E10."""

from __future__ import annotations

from tests.cli.shell import Shell


def test_where_nothing_waits_it_says_so_and_ends_with_0(shell: Shell) -> None:
    ran = shell.run("inbox")
    assert (ran.code, ran.out) == (0, "Nothing waits for a person.\n")
    assert shell.json("inbox") == {"items": [], "waiting": 0}


def test_what_waits_is_a_line_each_with_the_command_to_type_and_ends_with_3(shell: Shell) -> None:
    held = shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    lost = shell.json("call", "flaky", '{"order_id": 7}', code=4)
    shell.width = 200
    ran = shell.run("inbox")
    assert ran.code == 3
    heads, first, second, *notes = ran.out.splitlines()
    assert heads.split() == ["what", "tool", "about", "effect", "for", "since", "until", "next"]
    assert first.split()[:6] == ["held", "refund", "cents=500", "(5.00),", 'reason="none",', "order_id=7"]
    assert first.endswith(f"interlock approvals show {held['approval_id']}")
    assert second.split()[:5] == ["unknown", "flaky", "order_id=7", "reversible", "ana"]
    assert second.endswith(f"interlock calls show {lost['call_id']}")
    assert "interlock calls settle" in notes[1]


def test_the_command_that_it_names_can_be_typed(shell: Shell) -> None:
    shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    (item,) = shell.json("inbox", code=3)["items"]
    words = item["next"].split()
    assert words[0] == "interlock"
    assert shell.run(*words[1:], who="maria").code == 0


def test_a_document_has_all_of_it(shell: Shell) -> None:
    held = shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    document = shell.json("inbox", code=3)
    assert document["waiting"] == 1
    assert document["items"] == [{
        "kind": "held", "count": 1, "why": "", "tool": "refund", "about": 'cents=500 (5.00), reason="none", order_id=7',
        "effect": "irreversible", "subject": "ana",
        "run_id": held["run_id"], "ids": [held["approval_id"]], "groups": ["approver"],
        "since": "2026-01-01T00:00:00.000Z", "until": "2026-01-02T00:00:00.000Z",
        "next": f"interlock approvals show {held['approval_id']}",
    }]  # fmt: skip


def test_what_is_settled_is_gone(shell: Shell) -> None:
    lost = shell.json("call", "flaky", '{"order_id": 7}', code=4)
    shell.run("calls", "settle", lost["call_id"], "failed", "--note", "nothing there", who="olga")
    assert shell.run("inbox").code == 0


def test_requests_for_an_equal_call_are_one_line(shell: Shell) -> None:
    """T26."""
    for _ in range(3):
        shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    shell.width = 160
    assert shell.run("inbox").out.splitlines()[1].startswith("3 held, alike")
    assert len(shell.json("inbox", code=3)["items"][0]["ids"]) == 3


def test_nothing_of_a_tools_name_or_a_persons_is_markup_or_moves_the_cursor(shell: Shell) -> None:
    shell.json("call", "refund", '{"order_id": 7, "cents": 500}', code=3)
    assert "\x1b" not in shell.run("inbox").out
