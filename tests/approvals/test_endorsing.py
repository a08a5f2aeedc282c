"""A person answers for where a value comes from: one question, and not one for each call; in this run and below it."""

from __future__ import annotations

from typing import Any

import pytest

from interlock import Agent
from interlock.approvals.endorsing import endorsed
from interlock.core.event import Kind
from interlock.errors import BadInput
from tests.agent.desk import Watched, says
from tests.agent.offices import office
from tests.grounding.test_in_the_path import PAYEE, THIEF, WORDS, bank, decided, payment
from tests.planes import ANA, BOB, Far, staged

pytestmark = pytest.mark.anyio

TWO = f"Please pay {PAYEE} 120.5 and lee@acme.com 75.5, and nobody else."
SAID = "Please send money for every line of may.txt."


def request(role: str = "target", **more: Any) -> dict[str, Any]:
    found = [{"source": "call_1", "pointer": "/text", "before": "", "text": "x", "after": ""}]
    argument = {"role": role, "level": "third", "rung": "r7", "found": found, **more}
    return {
        "tool": {"name": "send"}, "arguments": {"to": ["A@b.example"]}, "origins": {"arguments": {"/to/0": argument}}
    }  # fmt: skip


def test_the_place_is_kept_where_there_is_one_and_else_the_value() -> None:
    assert endorsed(request(), ["/to/0", "/to/0"]) == [
        {"tool": "send", "pointer": "/to/*", "leaf": ["call_1", "/text"]}
    ]
    assert endorsed(request(found=[]), ["/to/0"]) == [{"tool": "send", "pointer": "/to/*", "value_norm": "a@b.example"}]
    assert endorsed(request(), ["tool"]) == [{"tool": "send", "pointer": ""}]


def test_of_a_command_a_person_answers_for_what_they_saw_and_for_nothing_beside_it() -> None:
    assert endorsed(request("command"), ["/to/0"]) == [
        {"tool": "send", "pointer": "/to/*", "value_norm": "a@b.example"}
    ]


@pytest.mark.parametrize(
    ("role", "pointer"), [("credential", "/to/0"), ("target", "/to"), ("target", "to"), ("target", "")]
)
def test_nobody_answers_for_a_credential_or_for_what_is_no_argument(role: str, pointer: str) -> None:
    with pytest.raises(BadInput) as refused:
        endorsed(request(role), [pointer])
    assert refused.value.code == "approval.endorse" and refused.value.remedy


async def test_one_answer_serves_every_value_of_the_same_place_and_no_other() -> None:
    """Undecidable (1): «do what the mail says» asks once; what stands elsewhere asks again."""
    far = Far()
    async with staged(*bank(far, TWO)) as stage, stage.run(words=SAID) as run:
        await run.call("read_bill", {"file": "may.txt"})
        first = await run.call("send_money", payment(PAYEE, 120.5))
        assert first.kind == "held"
        await stage.answer(run.run_id, first, endorse=("/recipient", "/amount"))
        await stage.plane.advance(run.run_id)
        [event] = [each for each in await stage.events(run.run_id) if each.fact.kind is Kind.APPROVAL_DECIDED]
        assert event.fact.principal_id == BOB.id and len(event.fact.body["endorse"]) == 2
        second = await run.call("send_money", payment("lee@acme.com", 75.5))
        assert second.done and far.names.count("send_money") == 2
        came = (await decided(stage, run.run_id, second))["arguments"]
        assert (came["/recipient"]["level"], came["/recipient"]["rung"]) == ("user", "endorsed")
        assert (await run.call("send_money", payment(THIEF, 75.5))).kind == "held", "it stands nowhere there"
    async with staged(*bank(far, TWO)) as stage, stage.run(words=SAID) as run:
        await run.call("read_bill", {"file": "may.txt"})
        assert (await run.call("send_money", payment(PAYEE, 120.5))).kind == "held", "it ended with its run"


async def test_without_an_endorsement_the_next_call_asks_again() -> None:
    far = Far()
    async with staged(*bank(far, TWO)) as stage, stage.run(words=SAID) as run:
        await run.call("read_bill", {"file": "may.txt"})
        first = await run.call("send_money", payment(PAYEE, 120.5))
        await stage.answer(run.run_id, first)
        await stage.plane.advance(run.run_id)
        assert far.names.count("send_money") == 1
        assert (await run.call("send_money", payment("lee@acme.com", 75.5))).kind == "held"


async def test_an_answer_that_names_no_argument_is_refused_and_nothing_is_recorded() -> None:
    far = Far()
    async with staged(*bank(far)) as stage, stage.run(words=WORDS) as run:
        await run.call("read_bill", {"file": "may.txt"})
        held = await run.call("send_money", payment(THIEF))
        for decision, pointers in (("approve", ("/nothing",)), ("reject", ("/recipient",))):
            with pytest.raises(BadInput, match="endorse"):
                await stage.answer(run.run_id, held, decision=decision, endorse=pointers)  # type: ignore[arg-type]
        assert str(Kind.APPROVAL_DECIDED) not in await stage.said(run.run_id)


async def test_a_tool_that_is_endorsed_is_asked_for_from_then_on() -> None:
    far = Far()
    words = f"What is in may.txt? My friend is {PAYEE}, I owe 120.50 and 75.00."
    async with staged(*bank(far, "nothing")) as stage, stage.run(words=words) as run:
        await run.call("read_bill", {"file": "may.txt"})
        held = await run.call("send_money", payment())
        assert held.kind == "held"
        await stage.answer(run.run_id, held, endorse=("tool",))
        assert (await run.call("send_money", payment(amount=75.0))).done


async def test_who_approved_is_asked_again_where_more_lacks_than_was_shown() -> None:
    """The run read text by others after the request: what was approved is not what would run."""
    far = Far()
    async with staged(*bank(far)) as stage:
        stage.obey(
            "permit (principal, action, resource);\n"
            '@approvers("approver") forbid (principal, action == Action::"send_money", resource);'
        )
        async with stage.run(words=f"My friend is {PAYEE}, I owe 120.50.") as run:
            held = await run.call("send_money", payment())
            await run.call("read_bill", {"file": "may.txt"})
            await stage.answer(run.run_id, held)
            await stage.plane.advance(run.run_id)
            assert "send_money" not in far.names
            over = [each for each in await stage.events(run.run_id) if each.fact.kind is Kind.APPROVAL_SUPERSEDED]
            assert [each["what"] for each in over[0].fact.body["difference"]] == ["origins"]


async def test_a_run_that_a_call_starts_has_it_and_none_above() -> None:
    """Inherited downward, never upward, and no mandate grows on the way."""
    words = f"What is in may.txt? My friend is {PAYEE}, I owe 120.50."
    for mandates, ran in (((), 0), (("send_money",), 1)):
        far = Far()
        worker = Watched(says("", ("send_money", payment())), says("Paid."))
        boss = Watched(
            says("", ("read_bill", {"file": "may.txt"})), says("", ("ask_payer", {"task": "pay"})), says("Done.")
        )
        agents = (
            Agent("boss", boss, tools=("read_bill",), workers=("payer",)),
            Agent("payer", worker, tools=("send_money",)),
        )
        async with (
            office(*agents, tools=tuple(bank(far))) as stage,
            stage.plane.agent("boss", ANA, words=words, mandates=mandates) as run,
        ):
            await run.result()
        assert far.names.count("send_money") == ran
