"""The customer-support demonstration: an agent that cites, declines, waits, goes on elsewhere and obeys no ticket."""

from __future__ import annotations

import subprocess

import pytest

import interlock
from examples.customer_support import tools
from examples.customer_support.deployment import POLICY
from examples.customer_support.desk import DESK, INSTRUCTIONS
from examples.customer_support.script import TALKS
from interlock.agent.prompt import system_prompt
from interlock.policy.cases import read_cases, run_cases
from interlock.policy.cedar import Policy
from interlock.registry.registry import Registry
from tests.examples.demonstration_process import Played, played
from tests.examples.property_process import ROOT

TOOLS = [tool for tool in vars(tools).values() if isinstance(tool, interlock.Tool)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("support") / "kept"
    return played("examples.customer_support", folder, "--keep", str(folder))


def rows(kept: Played, word: str) -> list[tuple[str, str]]:
    """Outcome and effects of the table's lines with this word."""
    lines = [line.split() for line in kept.table if word in line]
    return [(line[-2], line[-1]) for line in lines]


# The day


def test_every_expectation_of_the_day_holds(kept: Played) -> None:
    """G5: offline, against a service and a mail server in a process of their own."""
    assert kept.code == 0, kept.out
    assert "14 calls and 8 acts of people and of the runtime, each as expected." in kept.out
    assert "5 by the service's own count, 5 by the ledger's." in kept.out
    assert "nothing is wrong: " in kept.out


def test_an_answer_from_documents_names_sources_that_were_found(kept: Played) -> None:
    """C10."""
    assert rows(kept, "the answer has its sources") == [("cited", "0"), ("cited", "0")]
    assert "[returns#2]" in kept.out


def test_what_is_none_of_its_business_it_declines_without_a_call(kept: Played) -> None:
    said = kept.out.partition("shares should I buy?")[2].partition("imani ")[0]
    assert "I cannot advise on shares. I can help with your orders, returns and refunds." in " ".join(said.split())
    assert not any(tool.name in said for tool in TOOLS)


def test_a_large_refund_parks_the_run_and_it_goes_on_in_another_process(kept: Played) -> None:
    assert rows(kept, "refund_order")[:2] == [("done", "1"), ("held", "0")]
    assert rows(kept, "lucinda approves it") == [("done", "1")]
    assert rows(kept, "the run goes on") == [("elsewhere", "0")]
    assert rows(kept, "send_mail")[0] == rows(kept, "update_ticket")[0] == ("done", "1")


def test_what_a_ticket_tells_the_model_to_do_is_denied_and_nothing_leaves(kept: Played) -> None:
    """The recipient is held against the address that the shop has of the ticket's customer."""
    [denied] = [line for line in kept.table if "mail-goes-to-the-tickets-customer" in line]
    assert denied.split()[2] == "deny" and denied.split()[-2:] == ["refused", "0"]
    assert "no-more-than-was-paid" in "".join(kept.table)


def test_a_search_that_goes_round_in_circles_ends_in_an_answer_that_counts_as_none(kept: Played) -> None:
    assert rows(kept, "search_knowledge")[-1] == ("refused", "0")
    assert rows(kept, "the conversation ends") == [*[("answer", "0")] * 3, ("limit", "0")]


def test_the_page_keeps_to_the_terminal(kept: Played) -> None:
    assert max(map(len, kept.wrapped)) <= 120
    assert "\x1b" not in kept.out


def test_the_commands_that_it_names_work_as_they_stand(kept: Played) -> None:
    script = "\n".join(kept.commands)
    done = subprocess.run(["sh", "-e", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "lucinda" in done.stdout
    assert "15 of 15 cases as expected." in done.stdout
    assert "10 tools" in done.stdout
    assert "the ledger is what was written" in done.stdout


# Tools, policy and agent


def test_the_policy_says_what_its_cases_expect() -> None:
    policy = Policy.load(POLICY, TOOLS)
    results = run_cases(read_cases(POLICY / "cases.json"), policy)
    assert [result.wrong for result in results if result.wrong] == []
    assert policy.unreachable() == ()
    decided = {rule.rule_id for rule in policy.rules}
    assert decided == {name for result in results for name in result.case.rules or ()}, "each rule has a case"


def test_every_tool_is_registered_with_an_effect_a_time_and_an_example() -> None:
    registry = Registry(TOOLS)
    assert {tool.name for tool in registry.tools} >= set(DESK.tools or ())
    for tool in TOOLS:
        assert {"effect", "timeout_s", "examples"} <= tool.declared, tool.name
        assert tool.output_schema is not None, tool.name


def test_what_the_model_is_told_says_what_it_can_do_and_how_it_declines() -> None:
    prompt = system_prompt(DESK, TOOLS)
    assert prompt.startswith(INSTRUCTIONS.strip())
    assert "say in one sentence that you cannot" in prompt


def test_the_script_has_every_scene() -> None:
    expected = [ask.expect for talk in TALKS for turn in talk.turns for ask in turn.asks]
    assert {expect.code for expect in expected} == {"", "approve.held", "authorize.denied", "limit.loop"}
    assert sum(len(talk.turns) for talk in TALKS) == 14
