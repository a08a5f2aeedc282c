"""Secrets by reference, through the whole path (B17, T32): resolved last, held for the attempts, in nothing after."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest

from interlock import CallContext, Outcome, Proposal, Saga, SagaStatus, Step, tool
from interlock.core.held import HOLDING
from interlock.core.secret import Reference
from interlock.errors import NotSent, Rejected, SecretError
from interlock.execution.executor import Executor
from interlock.execution.secrets import Held
from interlock.pipeline import call_tool
from interlock.saga.outcome import SagaOutcome
from tests.planes import ANA, PERMIT, Far, Stage, proposed, staged
from tests.test_recovery import LEASE_S, Deaf, Lost

pytestmark = pytest.mark.anyio

VALUE = "sk_live_4f9aZ+/q"
KEY = {"$secret": "env://PAY_KEY"}
SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "key": {"type": "string", "minLength": 14, "pattern": "^sk_"},
        "more": {"type": "object"},
        "url": {"type": "string"},
    },
    "required": ["n"],
    "additionalProperties": False,
}
ALLOWED = {"secrets": {"allow": [{"tool": "pay", "argument": "key", "references": ["env://PAY_*"]}]}}
HOLD = PERMIT + '\n@approvers("approver") forbid (principal, action == Action::"pay", resource);'


class Keeper:
    """Keeps what a test puts there, and writes down what was asked for."""

    def __init__(self, **values: str) -> None:
        self.values = {"PAY_KEY": VALUE, **values}
        self.asked: list[str] = []

    async def secret(self, reference: Reference) -> str:
        self.asked.append(reference.text)
        if reference.path not in self.values:
            raise SecretError(f"{reference.text}: not set", code="secret.absent")
        return self.values[reference.path]


def keep(stage: Stage, **values: str) -> Keeper:
    """Have the plane's secrets kept by a keeper of the test's own."""
    keeper = Keeper(**values)
    given = {name: getattr(stage.plane.plane.executor, name) for name in Executor.__slots__}
    stage.plane.plane.executor = Executor(**{**given, "keeper": keeper})
    return keeper


async def everything(stage: Stage, run_id: str, *outcomes: Outcome) -> str:
    """All that is written or told of a run."""
    events = [event.fact.body for event in await stage.events(run_id)]
    return repr([events, [(outcome.as_json(), str(outcome), repr(outcome)) for outcome in outcomes]])


async def many(run: Any, calls: list[tuple[str, str, Any]]) -> list[Outcome]:
    """Calls that are proposed together."""
    made: list[Outcome] = await run.calls([Proposal(tool=tool, arguments=said, id=name) for name, tool, said in calls])
    return made


def pay(far: Far, effect: str = "irreversible", does: Any = None, **options: Any) -> Any:
    return far.tool("pay", effect, does, input_schema=SCHEMA, **options)


async def test_the_body_gets_the_secret_and_nothing_else_has_it() -> None:
    far = Far()
    async with staged(pay(far), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keeper = keep(stage)
        outcome = await run.call("pay", {"n": 1, "key": KEY})
        assert outcome.done and far.ran == [("pay", {"n": 1, "key": VALUE})] and keeper.asked == ["env://PAY_KEY"]
        written = await everything(stage, run.run_id, outcome)
        assert VALUE not in written and "env://PAY_KEY" in written
        assert not HOLDING


async def test_a_reference_that_nobody_allowed_is_refused_and_never_resolved() -> None:
    far = Far()
    async with staged(pay(far), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keeper = keep(stage, OTHER=VALUE)
        for arguments in (
            {"n": 1, "key": {"$secret": "env://OTHER"}},
            {"n": {"$secret": "env://PAY_KEY"}},
            {"n": 1, "more": {"key": KEY}},
            {"n": 1, "more": {"a": [KEY]}},
            {"n": 1, "key": {"$secret": "env://PAY_KEY", "x": 1}},
            {"n": 1, "key": {"$secret": {"$secret": "env://PAY_KEY"}}},
            {"n": 1, "key": {"$secret": "PAY_KEY"}},
            {"n": 1, "key": {"$secret": None}},
            {"n": 1, "more": {"$secret": "x"}},
            '{"n":1,"key":{"\\u0024secret":"env://OTHER"}}',
        ):
            outcome = await run.call("pay", arguments)
            assert outcome.code == "validate.secret", arguments
            assert outcome.problems[0].field in ("/key", "/n", "/more/key", "/more/a/0", "/more") and outcome.next_step
        assert keeper.asked == [] and far.ran == []


async def test_a_text_that_looks_like_a_reference_is_a_text() -> None:
    far = Far()
    async with staged(pay(far), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keeper = keep(stage)
        await run.call("pay", {"n": 1, "more": {"t": '{"$secret":"env://PAY_KEY"}', "u": "env://PAY_KEY"}})
        assert far.ran[0][1]["more"]["t"] == '{"$secret":"env://PAY_KEY"}' and keeper.asked == []


async def test_a_secret_that_cannot_be_had_refuses_the_call_before_its_intent() -> None:
    far = Far()
    async with staged(pay(far), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        for value in (None, "sh0rt", "no_such_prefix_here", "sk_tiny_8"):
            keeper = keep(stage)
            if value is None:
                del keeper.values["PAY_KEY"]
            else:
                keeper.values["PAY_KEY"] = value
            outcome = await run.call("pay", {"n": 1, "key": KEY})
            assert outcome.code == "execute.secret" and keeper.asked
            written = await everything(stage, run.run_id, outcome)
            assert value is None or value not in written
        assert far.ran == [] and not [said for said in await stage.said(run.run_id) if said.startswith("call.intent")]


async def test_a_held_call_is_resolved_when_it_runs_and_shows_its_reference() -> None:
    far = Far()
    async with staged(pay(far), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(HOLD)
        keeper = keep(stage)
        held = await run.call("pay", {"n": 1, "key": KEY})
        assert held.kind == "held" and keeper.asked == []
        request = await stage.shown(run.run_id, held)
        assert request["secrets"] == [{"argument": "/key", "reference": "env://PAY_KEY"}]
        assert request["arguments"]["key"] == KEY
        await stage.answer(run.run_id, held)
        await stage.plane.advance(run.run_id)
        assert far.ran == [("pay", {"n": 1, "key": VALUE})] and keeper.asked == ["env://PAY_KEY"]
        assert VALUE not in await everything(stage, run.run_id)


async def test_an_edit_that_brings_a_reference_is_validated_like_any_other() -> None:
    far = Far()
    async with staged(pay(far), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(HOLD)
        keeper = keep(stage, OTHER=VALUE)
        held = await run.call("pay", {"n": 1, "key": KEY})
        with pytest.raises(Exception, match="not valid"):
            await stage.answer(run.run_id, held, decision="edit", arguments={"n": 1, "key": {"$secret": "env://OTHER"}})
        assert keeper.asked == []


async def test_a_dry_run_resolves_nothing() -> None:
    far = Far()
    async with staged(pay(far), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keeper = keep(stage)
        await run.call("pay", {"n": 1, "key": KEY}, dry_run=True)
        assert keeper.asked == [] and far.ran == []


async def test_evaluate_only_allows_no_reference_that_is_not_allowed() -> None:
    far = Far()
    async with staged(pay(far), settings={**ALLOWED, "mode": "evaluate_only"}) as stage, stage.run() as run:
        keeper = keep(stage, OTHER=VALUE)
        assert (await run.call("pay", {"n": 1, "key": {"$secret": "env://OTHER"}})).code == "validate.secret"
        assert (await run.call("pay", {"n": 1, "key": KEY})).done and keeper.asked == ["env://PAY_KEY"]


async def test_rules_see_the_reference_and_not_the_secret() -> None:
    far = Far()
    rule = 'forbid (principal, action == Action::"pay", resource) when { context.arguments.key like "env://PAY_OLD*" };'
    guarded = pay(far, secrets={"key": "env://PAY_*"}, roles={"key": "credential"})
    schema = {**SCHEMA, "required": ["n", "key"]}
    made = far.tool("pay", "irreversible", input_schema=schema, secrets={"key": "env://PAY_*"})
    async with staged(made) as stage, stage.run() as run:
        stage.obey(f"{PERMIT}\n{rule}")
        keep(stage, PAY_OLD=VALUE)
        assert (await run.call("pay", {"n": 1, "key": {"$secret": "env://PAY_OLD"}})).code == "authorize.denied"
        assert (await run.call("pay", {"n": 1, "key": KEY})).done
    assert guarded.secrets == {"key": ("env://PAY_*",)}


async def echo(arguments: dict[str, Any], context: CallContext) -> object:
    key = arguments["key"]
    if arguments["n"] == 1:
        return {
            "it": f"is {key}",
            "b": [base64.b64encode(f"user:{key}".encode()).decode()],
            key: key[:7],
            "end": key[7:],
        }
    if arguments["n"] == 2:
        raise Rejected(f"no {key}", reason=f"the key {key[::-1]} is not ours", said={"key": key})
    if arguments["n"] == 3:
        raise NotSent("x" * 1980 + key)
    if arguments["n"] == 4:
        error = ValueError(key)
        error.add_note(f"with {key}")
        raise error
    for part in (f"using {key[:9]}", key[9:], f"as {key.encode().hex()}"):
        context.progress(1, 3, part)
    logging.getLogger("far").warning("asked with %s", key)
    try:
        raise KeyError(key)
    except KeyError:
        logging.getLogger("far").exception("failed")
    loop: list[Any] = [key]
    loop.append(loop)
    return loop


@pytest.mark.parametrize("n", [1, 2, 3, 4])
async def test_no_result_and_no_error_has_the_secret(n: int) -> None:
    far = Far()
    async with staged(pay(far, "read", echo, attempts_max=1), settings=ALLOWED) as stage, stage.run() as run:
        keep(stage)
        outcome = await run.call("pay", {"n": n, "key": KEY})
        written = await everything(stage, run.run_id, outcome)
        for form in (
            VALUE,
            VALUE[::-1],
            VALUE[:7] + "'",
            VALUE[7:],
            "sk_live_4",
            base64.b64encode(VALUE.encode()).decode()[:14],
        ):
            assert form not in written
        assert n == 3 or "[secret]" in written


async def test_no_progress_and_no_log_has_it_and_what_cannot_be_cleaned_is_withheld(
    caplog: pytest.LogCaptureFixture,
) -> None:
    far = Far()
    heard: list[str] = []
    async with staged(pay(far, "read", echo), settings=ALLOWED) as stage, stage.run() as run:
        keep(stage)
        call = proposed(run, "pay", {"n": 5, "key": KEY})
        with stage.plane.plane.executor.listeners.to(call.call_id, lambda said: heard.append(said.message)):
            outcome = await call_tool(call, stage.plane.plane)
        assert outcome.kind == "withheld" and VALUE not in await everything(stage, run.run_id, outcome)
    assert heard[0] == "using [secret]"
    said = repr(heard) + caplog.text
    assert VALUE not in said and VALUE[9:] not in said and VALUE.encode().hex() not in said
    assert "asked with [secret]" in caplog.text and "KeyError" in caplog.text


async def test_nothing_is_cached_of_a_call_with_a_secret() -> None:
    far = Far()
    async with staged(pay(far, "read", cache_s=60.0), settings=ALLOWED) as stage, stage.run() as run:
        keep(stage)
        for _ in range(2):
            assert (await run.call("pay", {"n": 1, "key": KEY})).done
        assert len(far.ran) == 2


async def test_a_call_with_a_secret_runs_by_itself_where_others_run_together() -> None:
    got: list[list[str]] = []

    async def several(calls: list[dict[str, Any]]) -> list[str]:
        got.append([call["key"] for call in calls])
        return ["together"] * len(calls)

    @tool(effect="read", batch=several, secrets={"key": "env://PAY_KEY"})
    async def look(key: str) -> str:
        """Look."""
        got.append([key])
        return "alone"

    async with staged(look) as stage, stage.run() as run:
        keep(stage)
        outcomes = await many(
            run, [("a", "look", {"key": KEY}), ("b", "look", {"key": "x"}), ("c", "look", {"key": "y"})]
        )
        assert [outcome.value for outcome in outcomes] == ["alone", "together", "together"]
        assert sorted(got) == [["sk_live_4f9aZ+/q"], ["x", "y"]]


async def test_a_reference_that_comes_out_of_a_result_is_resolved_only_where_it_is_allowed() -> None:
    far = Far()

    async def plant(arguments: dict[str, Any], context: CallContext) -> object:
        return {"x": {"$secret": "env://OTHER"}, "y": KEY}

    async with staged(pay(far), far.tool("plant", "read", plant), settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keeper = keep(stage, OTHER=VALUE)
        outcomes = await many(
            run,
            [
                ("p", "plant", {"n": 1}),
                ("", "pay", {"n": 1, "key": {"$result": "p", "pointer": "/x"}}),
                ("", "pay", {"n": 2, "more": {"a": {"$result": "p", "pointer": "/y"}}}),
            ],
        )
        assert [outcome.code for outcome in outcomes] == ["", "validate.secret", "validate.secret"]
        assert keeper.asked == []


async def test_a_fallback_gets_a_secret_only_where_it_may_have_it_itself() -> None:
    far = Far()

    async def down(arguments: dict[str, Any], context: CallContext) -> object:
        raise NotSent("nobody there")

    other = far.tool("other", "irreversible", input_schema=SCHEMA)
    made = pay(far, does=down, fallback="other", attempts_max=1)
    async with staged(made, other, settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keep(stage)
        outcome = await run.call("pay", {"n": 1, "key": KEY})
        assert outcome.code == "validate.secret" and far.names == ["pay"]


async def test_a_fallback_that_may_have_the_secret_gets_it_and_it_stands_nowhere() -> None:
    far = Far()

    async def down(arguments: dict[str, Any], context: CallContext) -> object:
        raise NotSent(f"nobody there for {arguments['key']}")

    other = far.tool("other", "irreversible", input_schema=SCHEMA, secrets={"key": "env://PAY_*"})
    made = pay(far, does=down, fallback="other", attempts_max=1)
    async with staged(made, other, settings=ALLOWED) as stage, stage.run() as run:
        stage.obey(PERMIT)
        keeper = keep(stage)
        outcome = await run.call("pay", {"n": 1, "key": KEY})
        assert outcome.done and outcome.tool == "other"
        assert far.ran == [(name, {"n": 1, "key": VALUE}) for name in ("pay", "other")]
        assert keeper.asked == ["env://PAY_KEY"] * 2, "each call has its own"
        assert VALUE not in await everything(stage, run.run_id, outcome)


async def undone(far: Far, **refund: Any) -> tuple[SagaOutcome, str]:
    """A saga that paid with a secret and could not go on, and all that is written of it."""

    async def refuse(arguments: dict[str, Any], context: CallContext) -> object:
        raise Rejected("409", reason="not now")

    made = pay(far, "reversible", compensate="refund", compensate_with={"n": "/result/n", "key": "/arguments/key"})
    back = far.tool("refund", "reversible", input_schema=SCHEMA, idempotent=True, **refund)
    steps = [Step("pay", "pay", arguments={"n": 1, "key": KEY}), Step("go", "go", arguments={"n": 1}, undo=False)]
    async with staged(made, back, far.tool("go", "reversible", refuse), settings=ALLOWED) as stage:
        stage.obey(PERMIT)
        keep(stage)
        async with stage.plane.saga(Saga("paid", steps), ANA, {}) as run:
            outcome = await run.outcome()
        return outcome, await everything(stage, run.run_id)


async def test_a_compensation_gets_the_secret_of_the_call_that_it_undoes_by_its_reference() -> None:
    far = Far()
    outcome, written = await undone(far, secrets={"key": "env://PAY_*"})
    assert outcome.status is SagaStatus.COMPENSATED
    assert [ran for ran in far.ran if ran[0] != "go"] == [(name, {"n": 1, "key": VALUE}) for name in ("pay", "refund")]
    assert VALUE not in written and "env://PAY_KEY" in written


async def test_a_compensation_that_may_not_have_the_secret_does_not_get_it() -> None:
    far = Far()
    outcome, written = await undone(far)
    assert outcome.status is not SagaStatus.COMPENSATED and "refund" not in far.names
    assert "validate.secret" in written and VALUE not in written


async def test_two_references_of_one_secret_are_asked_for_once_each() -> None:
    far = Far()
    both = {"n": {"type": "integer"}, "key": {"type": "string"}, "other": {"type": "string"}}
    schema = {"type": "object", "properties": both, "additionalProperties": False}
    made = far.tool("pay", "read", input_schema=schema, secrets={"key": "env://PAY_KEY", "other": ["env://PAY_*"]})
    async with staged(made) as stage, stage.run() as run:
        keeper = keep(stage)
        assert (await run.call("pay", {"n": 1, "key": KEY, "other": KEY})).done
        assert far.ran[0][1] == {"n": 1, "key": VALUE, "other": VALUE} and keeper.asked == ["env://PAY_KEY"]


@pytest.mark.parametrize(
    ("url", "hosts", "done"),
    [
        ("https://api.pay.example/v1", ("api.pay.example",), True),
        ("https://API.pay.example./v1", ("api.pay.example",), True),
        ("https://eu.pay.example/", ("*.pay.example",), True),
        ("https://pay.example/", ("*.pay.example",), False),
        ("https://evil.example/", ("api.pay.example",), False),
        ("https://api.pay.example@evil.example/", ("api.pay.example",), False),
        ("https://evil.example\\@api.pay.example/", ("api.pay.example",), False),
        ("https://api.pay.example/", (), False),
        ("evil.example/v1", ("api.pay.example",), False),
        ("https:/evil.example", ("api.pay.example",), False),
        ("https://\u0430pi.pay.example/", ("*.example",), False),
    ],
)
async def test_a_secret_goes_to_the_hosts_that_it_is_allowed_for(url: str, hosts: tuple[str, ...], done: bool) -> None:
    allow = {"tool": "pay", "argument": "/key", "references": ["env://PAY_KEY"], "hosts": hosts}
    far = Far()
    async with staged(pay(far, "read"), settings={"secrets": {"allow": [allow]}}) as stage, stage.run() as run:
        keep(stage)
        outcome = await run.call("pay", {"n": 1, "key": KEY, "url": url})
        assert outcome.done is done and outcome.code == ("" if done else "validate.secret")


async def test_the_role_of_a_credential_says_where_an_operators_reference_may_stand() -> None:
    far = Far()
    allow = {"tool": "p*", "references": ["env://PAY_KEY"]}
    for roles, done in (({"key": "credential"}, True), ({"key": "content"}, False), ({}, False)):
        made = pay(far, "read", roles=roles)
        async with staged(made, settings={"secrets": {"allow": [allow]}}) as stage, stage.run() as run:
            keep(stage)
            assert (await run.call("pay", {"n": 1, "key": KEY})).done is done


async def taken_up(far: Far, options: dict[str, Any], **then: str) -> tuple[Outcome, str]:
    """A call whose worker was lost once it had sent it, taken up with the secrets that there are by then."""

    async def dies(arguments: dict[str, Any], context: CallContext) -> object:
        if len(far.ran) == 1:
            raise Lost
        return {"n": 1}

    async def was_put(arguments: dict[str, Any], context: CallContext) -> object:
        return {"done": True, "result": {"n": 7}}

    key = {"type": "object", "properties": {"idempotency_key": {"type": "string"}}}
    asks = far.tool("was_put", does=was_put, input_schema=key)
    async with staged(pay(far, "irreversible", dies, **options), asks, settings=ALLOWED) as stage:
        stage.obey(PERMIT)
        keep(stage)
        store = stage.plane.store
        stage.store_in(Deaf(store))
        with pytest.raises(Lost):
            async with stage.run() as run:
                await run.call("pay", {"n": 1, "key": KEY}, name="mine")
        stage.store_in(store)
        stage.clock.advance(LEASE_S)
        keep(stage).values = then
        async with stage.plane.run(ANA, run_id=run.run_id) as run:
            outcome = await run.call("pay", {"n": 1, "key": KEY}, name="mine")
            return outcome, await everything(stage, run.run_id, outcome)


@pytest.mark.parametrize("options", [{"keyed": True}, {"idempotent": True}])
async def test_a_lost_call_is_sent_again_with_the_same_secret(options: dict[str, Any]) -> None:
    far = Far()
    outcome, written = await taken_up(far, options, PAY_KEY=VALUE)
    assert outcome.done and [arguments["key"] for _, arguments in far.ran] == [VALUE, VALUE]
    assert far.contexts[0].idempotency_key == far.contexts[1].idempotency_key and VALUE not in written


@pytest.mark.parametrize("then", [{"PAY_KEY": "sk_live_another_one"}, {}, {"PAY_KEY": "sh0rt"}])
async def test_a_lost_call_is_not_sent_again_with_another_secret_or_none(then: dict[str, str]) -> None:
    far = Far()
    outcome, written = await taken_up(far, {"keyed": True}, **then)
    assert outcome.kind == "unknown" and far.names == ["pay"]
    assert VALUE not in written and "sk_live_another_one" not in written


async def test_what_the_far_end_says_settles_a_lost_call_without_its_secret() -> None:
    far = Far()
    outcome, _ = await taken_up(far, {"reconcile": "was_put"})
    assert outcome.done and outcome.value == {"n": 7} and far.names == ["pay", "was_put"]


async def test_what_is_held_can_be_neither_shown_nor_written_down() -> None:
    held = Held({"env://PAY_KEY": VALUE}, "mark")
    assert VALUE not in repr(held)
    with pytest.raises(TypeError, match="memory"):
        held.__reduce__()


async def test_a_plane_without_secrets_has_none() -> None:
    far = Far()
    made = pay(far, "read", secrets={"key": "file:///run/secrets/pay"})
    async with staged(made) as stage, stage.run() as run:
        outcome = await run.call("pay", {"n": 1, "key": {"$secret": "file:///run/secrets/pay"}})
        assert outcome.code == "execute.secret" and far.ran == []
