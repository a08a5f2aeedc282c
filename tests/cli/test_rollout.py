"""`interlock tools rollout` and `rollouts`, as an operator types them. A8."""

from __future__ import annotations

import sys

import pytest

from tests.cli.shell import Shell

NEW = '''

@interlock.tool(name="look", version="2", effect="read")
def look_anew(order_id: OrderId, part: Literal["status", "price"] = "status") -> dict[str, int | str]:
    """Look up one order in the new system."""
    raise interlock.Rejected("no such order")
'''


@pytest.fixture
def two(shell: Shell) -> Shell:
    """The shop with a second version of `look`, which answers nobody."""
    [module] = shell.folder.glob("shop_tools_*.py")
    module.write_text(module.read_text(encoding="utf-8") + NEW, encoding="utf-8")
    return shell


def test_a_version_is_rolled_out_seen_and_taken_back_by_typing(two: Shell) -> None:
    said = two.json("tools", "rollout", "look", "2", "--to", "100", "--reason", "drill", who="olga")
    assert (said["tool"], said["version"], said["share"], said["was"], said["by"]) == ("look", "2", 100, 0, "olga")
    assert two.json("call", "look", '{"order_id": 7}', code=1)["code"] == "execute.rejected"
    first, second = two.json("tools", "rollouts")["rollouts"]
    assert (first["state"], first["share"], second["state"]) == ("live", 100, "live")
    assert (second["calls"]["part"], second["calls"]["whole"], second["others"]["whole"]) == (1, 1, 0)
    assert two.json("tools", "rollout", "look", "2", "--to", "0", "--reason", "wrong", who="olga")["was"] == 100
    assert two.json("call", "look", '{"order_id": 7}')["outcome"] == "done"
    assert two.json("tools", "rollouts")["rollouts"][1]["state"] == "off"


def test_a_person_reads_what_holds_and_how_to_take_it_back(two: Shell) -> None:
    ran = two.run("tools", "rollout", "look", "2", "--to", "25", "--tolerate", "2.5", "--reason", "x", who="root")
    assert ran.out == (
        "look 2 is for 25 of a hundred principals, by root.\n"
        "Taken back by itself where more than 2.5 % of its calls fail.\n"
        "`interlock tools rollout look 2 --to 0 --reason …` takes this word back.\n"
    )
    page = two.run("tools", "rollouts").out
    assert "25 %" in page and "live" in page
    assert "Every tool has one version" not in page


def test_what_was_rolled_back_waits_in_the_inbox_until_somebody_speaks(two: Shell) -> None:
    two.json("tools", "rollout", "look", "2", "--to", "100", "--reason", "drill", who="olga")
    for number in range(20):
        two.json("call", "look", f'{{"order_id": {number + 1}}}', code=1)
    assert two.json("call", "look", '{"order_id": 7}')["outcome"] == "done"
    [item] = two.json("inbox", code=3, who="olga")["items"]
    assert (item["kind"], item["tool"], item["next"]) == ("rolled_back", "look 2", "interlock tools rollouts")
    ran = two.run("inbox", who="olga")
    assert "rolled back" in ran.out and "interlock tools rollout TOOL VERSION" in ran.out
    page = two.run("tools", "rollouts").out
    assert "rolled back" in page and "20 of 20" in page and "Rolled back stays so" in page
    two.json("tools", "rollout", "look", "2", "--to", "0", "--reason", "seen", who="olga")
    assert two.json("inbox", who="olga")["items"] == []


def test_only_operators_and_admins_roll_out(two: Shell) -> None:
    ran = two.run("tools", "rollout", "look", "2", "--to", "5", "--reason", "x", who="ana")
    assert ran.code == 5 and "has not the role" in ran.err


def test_where_every_tool_has_one_version_it_says_so(shell: Shell) -> None:
    assert "Every tool has one version, which everybody has." in shell.run("tools", "rollouts").out
    said = shell.json("tools", "rollout", "nothing", "1", "--to", "5", "--reason", "x", who="olga", code=2)
    assert said["error"]["code"] == "rollout.version"


def test_every_version_is_listed_and_pinned_by_itself(two: Shell) -> None:
    assert two.run("tools", "pin").code == 0
    found = [tool for tool in two.json("tools", "list")["tools"] if tool["name"] == "look"]
    assert [(tool["version"], tool["pinned"]) for tool in found] == [("1", "yes"), ("2", "yes")]
    assert two.run("tools", "drift").code == 0


def test_where_the_older_version_was_removed_too_early_a_person_reads_who_has_none(two: Shell) -> None:
    two.json("tools", "rollout", "look", "2", "--to", "25", "--reason", "drill", who="olga")
    [module] = two.folder.glob("shop_tools_*.py")
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace('@interlock.tool(effect="read")\ndef look(', "def look("), encoding="utf-8")
    sys.modules.pop(module.stem)
    [state] = two.json("tools", "rollouts")["rollouts"]
    assert (state["version"], state["share"], state["left_over"]) == ("2", 25, True)
    page = " ".join(two.run("tools", "rollouts").out.split())
    assert "The version of look before 2 is gone: whoever had it has none. Put it back, or give 2 to everybody." in page
