"""One suite for every provider, over real HTTP against a server that speaks its format, whole and as a stream."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

from interlock.agent.stream import Ended, Text
from interlock.core.message import Finish, Message, Proposal, Role, Usage
from interlock.core.tool import Offer
from interlock.errors import ModelError, ModelUnavailable
from interlock.models.pydantic_ai import ProviderModel, open_model
from interlock.models.retried import Retried
from interlock.models.route import Fallback
from interlock.models.streaming import Heard
from tests.agent.desk import desk, heard, result
from tests.models.provider import CLOSE, Provider, Said, Stream, provider
from tests.models.wires import WIRES, Call, Turn, Wire, streamed
from tests.planes import Far

pytestmark = pytest.mark.anyio

KEY = "sk-canary-5f0e2b"
OFFERS = (
    Offer("order.pay", "Pays.", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}),
    Offer("look", "Looks.", {"type": "object", "properties": {"what": {"type": "string"}}}),
)
ASKED = (Message(role=Role.SYSTEM, text="Be brief."), Message(role=Role.USER, text="Pay 7."))
WORDS = "Здравствуй, “Ana” 🌍.\nThe order is paid."
BOTH = (Call("order_pay", '{"n": 7}', "c1"), Call("look", '{"what": "Straße 🌍 \\"7\\""}', "c2"))


@pytest.fixture(params=list(WIRES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wire(name: str) -> Wire:
    return WIRES[name]


@pytest.fixture(params=["whole", "streamed"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(server: Provider, name: str) -> ProviderModel:
    return open_model(f"{name}:test-model", key=KEY, base_url=server.url + WIRES[name].path, output_max=321)


def told(wire: Wire, turn: Turn, way: str) -> Said:
    return Said(200, wire.whole(turn) if way == "whole" else streamed(wire, turn))


async def asked(model: ProviderModel, way: str, conversation: Sequence[Message] = ASKED) -> Message:
    """The model's turn, heard or not."""
    if way == "whole":
        return await model.reply(conversation, OFFERS)
    return await Heard(model, lambda piece: None, lambda usage: None).reply(conversation, OFFERS)


@contextmanager
def failing() -> Iterator[list[ModelError]]:
    """What goes wrong says nothing of the key or of the provider's words."""
    found: list[ModelError] = []
    with pytest.raises(ModelError) as caught:
        yield found
    whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY not in whole
    assert "secret detail" not in whole
    found.append(caught.value)


# ----------------------------------------------------------------------------- what it says


async def test_text_and_what_it_took(name: str, wire: Wire, way: str) -> None:
    """C1, C8: cached and hidden tokens are counted where the provider tells them."""
    with provider(told(wire, Turn(WORDS), way)) as server:
        answer = await asked(opened(server, name), way)
    assert answer == Message(role=Role.MODEL, text=WORDS, usage=Usage(21, 7, 5, wire.hidden))
    [body] = server.asked
    assert server.paths[0].split("?")[0].replace("stream", "", 1).replace("Gen", "gen") == wire.where
    assert wire.key(server) == KEY
    assert [tool for tool, _ in wire.offered(body)] == ["order_pay", "look"]
    assert wire.offered(body)[0][1]["required"] == ["n"]
    assert "Be brief." in json.dumps(body)
    assert "321" in json.dumps(body)


async def test_calls_alone_and_together(name: str, wire: Wire, way: str) -> None:
    for calls in (BOTH[:1], BOTH):
        with provider(told(wire, Turn("I pay.", calls), way)) as server:
            answer = await asked(opened(server, name), way)
        assert answer.text == "I pay."
        assert [each.tool for each in answer.proposals] == ["order.pay", "look"][: len(calls)]
        assert [each.id for each in answer.proposals] == [call.id for call in calls]
        said = [each.arguments for each in answer.proposals]
        read = [json.loads(each) if isinstance(each, str) else each for each in said]
        assert read == [json.loads(call.arguments) for call in calls]
        assert answer.finish is Finish.WHOLE


async def test_a_stream_is_text_in_pieces_and_calls_only_with_the_whole_message(name: str, wire: Wire) -> None:
    """C7, defect 13: the pieces of a call are for nobody to see."""
    with provider(told(wire, Turn(WORDS, BOTH), "streamed")) as server:
        pieces = [piece async for piece in opened(server, name).stream(ASKED, OFFERS)]
    *texts, whole = pieces
    assert all(isinstance(piece, str) for piece in texts)
    assert isinstance(whole, Message)
    assert "".join(map(str, texts)) == whole.text == WORDS
    assert len(texts) > 5
    assert len(whole.proposals) == 2


async def test_arguments_are_kept_as_they_were_said(name: str, wire: Wire, way: str) -> None:
    """Strict parsing sees a key that stands twice, and a number of its own spelling: the path refuses both."""
    said = '{"n": 1, "n": 1.0e2, "deep": [{"a": null, "a": "ü"}]}'
    with provider(told(wire, Turn("", (Call("order_pay", said, "c1"),)), way)) as server:
        [proposal] = (await asked(opened(server, name), way)).proposals
    if (name, way) == ("google", "streamed"):
        assert proposal.arguments == {"n": 100, "deep": [{"a": "ü"}]}, "its client parses events: the last one stands"
        return
    assert isinstance(proposal.arguments, str)
    seen: list[tuple[str, Any]] = []
    json.loads(proposal.arguments, object_pairs_hook=lambda pairs: seen.extend(pairs), parse_float=str)
    assert [key for key, _ in seen] == ["a", "a", "n", "n", "deep"]
    assert seen[3] == ("n", "1.0e2")


async def test_no_arguments_are_empty_ones(name: str, wire: Wire, way: str) -> None:
    with provider(told(wire, Turn("", (Call("look", "{}", "c1"),)), way)) as server:
        [proposal] = (await asked(opened(server, name), way)).proposals
    assert proposal.arguments in ("{}", {})


@pytest.mark.parametrize(("end", "finish"), [("length", Finish.TRUNCATED), ("refusal", Finish.DECLINED)])
async def test_a_turn_that_is_not_whole_says_so(name: str, wire: Wire, way: str, end: str, finish: Finish) -> None:
    with provider(told(wire, Turn("Half of", (), end), way)) as server:
        assert (await asked(opened(server, name), way)).finish is finish


async def test_an_end_that_nobody_knows_is_no_whole_turn(name: str, wire: Wire, way: str) -> None:
    """Nothing that it proposes is acted on; one server's words for it may be an answer that cannot be read."""
    with provider(told(wire, Turn("Well.", BOTH, "odd"), way)) as server:
        try:
            assert (await asked(opened(server, name), way)).finish is not Finish.WHOLE
        except ModelError as error:
            assert error.code == "model.malformed"


# ------------------------------------------------------------------------------ what it is told


async def test_a_conversation_goes_out_with_its_ids_also_where_a_model_said_what_is_no_json(
    name: str, wire: Wire, way: str
) -> None:
    said = (Proposal(tool="order.pay", arguments='{"n": 7}', id="c1"), Proposal(tool="look", arguments="{ha", id="c2"))
    conversation = (
        *ASKED,
        Message(role=Role.MODEL, text="First.", proposals=said),
        Message(role=Role.TOOL, text='{"outcome": "done"}', answers="c1"),
        Message(role=Role.TOOL, text='{"outcome": "refused"}', answers="c2"),
    )
    with provider(told(wire, Turn("Done."), way)) as server:
        assert (await asked(opened(server, name), way, conversation)).text == "Done."
    sent = json.dumps(server.asked[0])
    assert [sent.count(f'"{each}"') for each in ("c1", "c2")] == [2, 2], "a call and its result bear one id"
    assert "order.pay" not in sent


# ------------------------------------------------------------------------------ what goes wrong


async def test_a_provider_that_is_busy_is_asked_again_after_the_wait_that_it_wants(
    name: str, wire: Wire, way: str
) -> None:
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    busy = Said(429, wire.error(429), (("retry-after", "7"),))
    with provider(busy, told(wire, Turn("Here."), way)) as server:
        model = opened(server, name)
        single = model if way == "whole" else Heard(model, lambda piece: None, lambda usage: None)
        assert (await Retried(single, pause).reply(ASKED, OFFERS)).text == "Here."
    assert (paused, len(server.asked)) == ([7], 2)


@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 503, 529])
async def test_a_status_says_whether_to_come_back(name: str, wire: Wire, way: str, status: int) -> None:
    with provider(Said(status, wire.error(status))) as server, failing() as found:
        await asked(opened(server, name), way)
    later = status in (408, 429) or status >= 500
    assert isinstance(found[0], ModelUnavailable) is later
    assert (found[0].code, found[0].turned_away) == ("model.busy" if later else "model.refused", True)
    assert len(server.asked) == 1, "one try: nobody below asks again"


@pytest.mark.parametrize("body", [b'{"id": "x", "choices": [', b"<html>secret detail</html>", b"", b"[]", b'{"a": 1}'])
async def test_an_answer_that_is_none_is_an_error(name: str, way: str, body: bytes) -> None:
    with provider(Said(200, body)) as server, failing() as found:
        message = await asked(opened(server, name), way)
        assert message.proposals == ()
        raise ModelError("nothing was said") if not message.text else AssertionError
    assert not isinstance(found[0], ModelUnavailable)


async def test_a_connection_that_breaks_may_have_cost_something(name: str, way: str) -> None:
    with provider(Said(200, CLOSE)) as server, failing() as found:
        await asked(opened(server, name), way)
    assert isinstance(found[0], ModelUnavailable)
    assert (found[0].code, found[0].turned_away) == ("model.unreachable", False)


@pytest.mark.parametrize("broken", [False, True], ids=["ended", "reset"])
async def test_nothing_of_a_stream_that_was_cut_off_is_a_message(name: str, wire: Wire, broken: bool) -> None:
    """Defect 13: cut anywhere before its end, no call of it runs, also where its arguments were complete."""
    events = wire.stream(Turn("I pay. " * 3, BOTH))
    ends = {"anthropic": 2, "google": 1}.get(name, 3)
    for count in (1, len(events) // 2, len(events) - ends):
        with provider(Said(200, Stream(tuple(events[:count]), broken))) as server, failing() as found:
            async for piece in opened(server, name).stream(ASKED, OFFERS):
                assert isinstance(piece, str)
        assert not found[0].turned_away


async def test_an_error_in_the_middle_of_a_stream_is_one(name: str, wire: Wire) -> None:
    events = wire.stream(Turn("I pay.", BOTH))
    with provider(Said(200, Stream((*events[:3], wire.late())))) as server, failing() as found:
        async for piece in opened(server, name).stream(ASKED, OFFERS):
            assert isinstance(piece, str)
    assert not found[0].turned_away, "what came before it is charged for"


async def test_a_provider_that_is_too_slow_is_given_up_for_the_next(name: str, wire: Wire) -> None:
    """C12: over the wire."""
    wait = threading.Event()
    with provider(Said(200, wire.whole(Turn("Late.")), wait=wait)) as slow:
        with provider(Said(200, wire.whole(Turn("Here.")))) as fast:
            model = Fallback(opened(slow, name), opened(fast, name), try_s=0.5)
            try:
                with anyio.fail_after(30):
                    assert (await model.reply(ASKED, OFFERS)).text == "Here."
            finally:
                wait.set()
        assert len(slow.asked) == 1


# --------------------------------------------------------------------------------- in a run


async def test_a_run_repairs_what_its_model_got_wrong(name: str, wire: Wire, way: str) -> None:
    """C1: the loop, over the wire, whole or listened to; arguments that cannot be read are answered, not raised."""
    wrong = '{"n": "seven"}' if name in ("anthropic", "google") else '{"n": 7'
    far = Far()
    turns = [
        Turn("", (Call("look", wrong, "c1"),)), Turn("", (Call("look", '{"n": 7}', "c2"),)), Turn("It is seven.")
    ]  # fmt: skip
    with provider(*[told(wire, turn, way) for turn in turns]) as server:
        async with desk(opened(server, name), far.tool("look")) as stage:
            if way == "whole":
                assert (await result(stage.plane)).text == "It is seven."
            else:
                events = await heard(stage.plane)
                assert "".join(event.text for event in events if isinstance(event, Text)) == "It is seven."
                kinds = [event.outcome.kind for event in events if isinstance(event, Ended)]
                assert kinds == ["refused", "done"]
        assert "refused" in json.dumps(server.asked[1])
    assert far.ran == [("look", {"n": 7})]
