"""What is not the same of every provider (test_providers.py), over real HTTP; and a verifier over the wire."""

from __future__ import annotations

import json
import threading
from typing import Any

import anyio
import pytest

from interlock.core.message import Finish, Message, Proposal, Role, Usage
from interlock.core.tool import Offer
from interlock.errors import ModelError, ModelUnavailable, SettingsError
from interlock.models.metered import Cost, Price
from interlock.models.pydantic_ai import ProviderModel, list_price, open_model
from interlock.testing import CountedIds
from interlock.verification.model_verifier import ModelVerifier, Reading
from interlock.verification.verdict import Word
from tests.models.provider import Provider, Said, anthropic, openai, provider
from tests.verification.test_model_verifier import question

pytestmark = pytest.mark.anyio

KEY = "sk-canary-5f0e2b"
OFFERS = (
    Offer("order.pay", "Pays.", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}),
    Offer("get", "Gets.", {"type": "object", "properties": {}}),
)
ASKED = (Message(role=Role.SYSTEM, text="Be brief."), Message(role=Role.USER, text="Pay 7."))


def model(server: Provider, name: str = "openai") -> ProviderModel:
    base = server.url + ("/v1" if name == "openai" else "")
    return open_model(f"{name}:test-model", key=KEY, base_url=base, output_max=321)


# ------------------------------------------------------------------------- both ways


async def test_openai_is_asked_in_its_own_format_and_answers_with_text_and_usage() -> None:
    with provider(Said(200, openai("fine"))) as server:
        answer = await model(server).reply(ASKED, OFFERS)
    assert answer == Message(role=Role.MODEL, text="fine", usage=Usage(21, 7))
    [asked] = server.asked
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert [(each["role"], each["content"]) for each in asked["messages"]] == [
        ("system", "Be brief."), ("user", "Pay 7.")
    ]  # fmt: skip
    assert 321 in (asked.get("max_completion_tokens"), asked.get("max_tokens"))
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["order_pay", "get"]
    assert asked["tools"][0]["function"]["parameters"]["required"] == ["n"]
    assert not asked.get("stream")


async def test_anthropic_is_asked_in_its_own_format_and_answers_with_text_and_usage() -> None:
    with provider(Said(200, anthropic({"type": "text", "text": "fine"}))) as server:
        answer = await model(server, "anthropic").reply(ASKED, OFFERS)
    assert answer == Message(role=Role.MODEL, text="fine", usage=Usage(21, 7))
    [asked] = server.asked
    assert server.paths[0].startswith("/v1/messages")
    assert KEY in server.headers[0]["authorization"]
    assert "Be brief." in json.dumps(asked["system"])
    assert asked["max_tokens"] == 321
    assert [tool["name"] for tool in asked["tools"]] == ["order_pay", "get"]


@pytest.mark.parametrize("name", ["openai", "anthropic"])
async def test_a_conversation_with_calls_and_results_goes_out_with_its_ids(name: str) -> None:
    conversation = (
        *ASKED,
        Message(role=Role.MODEL, text="First.", proposals=(Proposal(tool="order.pay", arguments='{"n": 7}', id="c1"),)),
        Message(role=Role.TOOL, text='{"outcome": "done"}', answers="c1"),
        Message(role=Role.USER, text="And now?"),
    )
    with provider(Said(200, openai() if name == "openai" else anthropic())) as server:
        await model(server, name).reply(conversation, OFFERS)
    [asked] = server.asked
    sent = json.dumps(asked["messages"])
    assert sent.count('"c1"') == 2, "the call and its result bear one id"
    assert "order_pay" in sent
    assert "order.pay" not in sent
    roles = [each["role"] for each in asked["messages"]]
    if name == "openai":
        assert roles == ["system", "user", "assistant", "tool", "user"]
        assert asked["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"n":7}'
    else:
        assert roles == ["user", "assistant", "user"]
        assert asked["messages"][1]["content"][1]["input"] == {"n": 7}


async def test_words_of_refusal_are_no_answer() -> None:
    with provider(Said(200, openai(None, refusal="I cannot help with that."))) as server:
        assert (await model(server).reply(ASKED, ())).finish is Finish.DECLINED


# --------------------------------------------------------------------- what goes wrong


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with provider(Said(200, openai())) as server:
        gone = model(server)
    with pytest.raises(ModelUnavailable) as caught:
        await gone.reply(ASKED, ())
    assert caught.value.code == "model.unreachable"


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    with provider(Said(200, openai())) as other, provider(Said(307, {}, (("location", other.url + "/v1"),))) as server:
        with pytest.raises(ModelError):
            await model(server).reply(ASKED, ())
        assert other.asked == []


async def test_a_slow_answer_is_uncertain_and_the_reader_does_not_wait_for_it() -> None:
    """Over the wire: the verifier's own bound ends it."""
    wait = threading.Event()
    with provider(Said(200, openai(), wait=wait)) as server:
        try:
            with anyio.fail_after(30):
                verdict = await verifier(model(server), timeout_s=0.2)(question())
            assert (verdict.verdict, verdict.why) == (Word.UNCERTAIN, "no answer in 0.2 s")
        finally:
            wait.set()


# ------------------------------------------------------------------- the whole verifier


def verifier(model: ProviderModel, timeout_s: float = 5) -> ModelVerifier:
    async def pause(seconds: float) -> None:
        assert seconds == 3

    reading = Reading(
        price=Price(1_000_000, 1_000_000), timeout_s=timeout_s, nonce=lambda: "5eed" * 8, new_id=CountedIds(),
        pause=pause,
    )  # fmt: skip
    return ModelVerifier(model, reading)


def answering(name: str, **said: Any) -> Any:
    """An answer with the nonce and the digest of whatever is asked."""

    def answer(body: dict[str, Any]) -> Said:
        content = body["messages"][-1]["content"]
        text = content if isinstance(content, str) else content[-1]["text"]
        asked = json.loads(text)
        whole = json.dumps({"nonce": asked["nonce"], "digest": asked["digest"], **said})
        return Said(200, openai(whole) if name == "openai" else anthropic({"type": "text", "text": whole}))

    return answer


@pytest.mark.parametrize("name", ["openai", "anthropic"])
async def test_a_verdict_over_the_wire(name: str) -> None:
    """Shown by 4: the model-backed verifier over real HTTP, through a 429 that says when to come back."""
    busy = Said(429, {"error": {"message": "slow down", "type": "rate_limit_error"}}, (("retry-after", "3"),))
    with provider(busy, answering(name, verdict="approved", confidence=88)) as server:
        verdict = await verifier(model(server, name))(question())
    assert (verdict.verdict, verdict.confidence) == (Word.APPROVED, 88)
    assert (verdict.tokens, verdict.micro_usd, len(server.asked)) == ((21, 7), 28, 2)
    assert KEY not in json.dumps(verdict.as_json())


@pytest.mark.parametrize(
    "said",
    [
        Said(200, openai("NOT APPROVED")),
        Said(200, openai('{"verdict": "approved"}')),
        Said(200, openai(None, refusal="no")),
        Said(200, b"{"),
        Said(401, {"error": {"message": KEY}}),
    ],
)
async def test_anything_else_over_the_wire_is_uncertain(said: Said) -> None:
    with provider(said) as server:
        verdict = await verifier(model(server))(question())
    assert verdict.verdict is Word.UNCERTAIN
    assert KEY not in json.dumps(verdict.as_json())


# --------------------------------------------------------------------------- opening it


def test_a_model_says_nothing_of_its_key() -> None:
    opened = open_model("openai:gpt-test", key=KEY, base_url=None, output_max=10)
    assert repr(opened) == "ProviderModel('openai:gpt-test')"


@pytest.mark.parametrize(
    ("name", "key"), [("gpt-5", KEY), ("openai:", KEY), ("acme:m", KEY), ("openai:gpt-test", ""), ("compatible:m", KEY)]
)
def test_what_names_no_model_or_has_no_key_is_an_error_of_the_settings(name: str, key: str) -> None:
    with pytest.raises(SettingsError, match="verify"):
        open_model(name, key=key, base_url=None, output_max=10)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.7:8000/v1", "https://me:pass@models.example/v1", "file:///v1", "models"]
)
def test_a_key_goes_nowhere_in_clear_and_no_address_has_a_password_in_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"verify\.base_url") as raised:
        open_model("openai:gpt-test", key=KEY, base_url=url, output_max=10)
    assert "pass" not in str(raised.value) and KEY not in str(raised.value)


def test_a_server_of_ones_own_that_wants_no_key_may_be_spoken_to_in_clear() -> None:
    assert open_model("vllm:m", key="", base_url="http://10.0.0.7:8000/v1", output_max=10).name == "vllm:m"
    with pytest.raises(SettingsError, match=r"verify\.base_url"):
        open_model("vllm:m", key="", base_url="http://me:pass@10.0.0.7:8000/v1", output_max=10)


def test_list_prices_are_whole_numbers_and_unknown_where_nobody_lists_them() -> None:
    price = list_price("openai:gpt-4o")
    assert price is not None
    assert price.output > price.input > (price.cached or 0) > 0
    assert Price(1_000_000, 0, 100_000).of(Usage(10, 0, 4)) == Cost(10, 7), "six at one price, four at another"
    assert list_price("openai:no-such-model-at-all") is None
    assert list_price("acme:gpt-4o") is None
