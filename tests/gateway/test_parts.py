"""The door's parts by themselves: who comes in, what a client comes back with, what is listed, what is told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import Principal
from interlock.core.call import Outcome, OutcomeKind
from interlock.errors import BadInput, SettingsError, StoreUnavailable
from interlock.gateway.admission import KeyAdmission, check_reach, local_key
from interlock.gateway.answer import result_of, trouble
from interlock.gateway.caller import Caller, asked
from interlock.gateway.continuation import LIFE_S, Continuations, Ref
from interlock.gateway.door import Reply
from interlock.gateway.fronting import asks_for_secret
from interlock.gateway.offer import PAGE, Listings
from interlock.gateway.protocol import _acceptable
from interlock.gateway_settings import GatewaySettings, LocalSettings
from interlock.key_ring import KeyRing
from interlock.keys import TOOLS, Key, Keys
from interlock.testing import FrozenClock
from tests.planes import ANA, BOB, Far

REF = Ref("run_1", "call_1")


def continuations(clock: FrozenClock | None = None, key: bytes = b"k" * 32) -> Continuations:
    return Continuations(key, clock or FrozenClock(), os.urandom)


def test_a_continuation_is_taken_once_and_no_two_are_alike() -> None:
    made = continuations()
    first, second = made.seal(REF, ANA, "p"), made.seal(REF, ANA, "p")
    assert first != second
    for text in (first, second):
        assert made.open(text, ANA, "p") == REF
        with pytest.raises(BadInput):
            made.open(text, ANA, "p")


@given(st.data())
def test_whatever_is_changed_of_a_continuation_it_is_refused(data: st.DataObject) -> None:
    """T15: every single bit, of the text as it is sent."""
    made = continuations()
    text = made.seal(REF, ANA, "p").encode()
    bit = data.draw(st.integers(0, len(text) * 8 - 1))
    flipped = bytearray(text)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadInput):
        made.open(flipped.decode("latin-1"), ANA, "p")
    assert made.open(text.decode(), ANA, "p") == REF, "and its attempt used nothing up"


def test_a_continuation_is_for_one_principal_one_call_one_deployment_and_a_day() -> None:
    clock = FrozenClock()
    made = continuations(clock)
    text = made.seal(REF, ANA, "p")
    stranger = Principal("ana", "other-tenant")
    for principal, proposal in ((BOB, "p"), (stranger, "p"), (ANA, "q")):
        with pytest.raises(BadInput):
            made.open(text, principal, proposal)
    with pytest.raises(BadInput):
        continuations(clock, b"x" * 32).open(text, ANA, "p")
    for nothing in ("", "é", "AAAA", text[:-4], text + "AAAA", text + "\n", "=" * 40):
        with pytest.raises(BadInput):
            made.open(nothing, ANA, "p")
    assert continuations(clock).open(text, ANA, "p") == REF, "another process of the deployment takes it"
    clock.advance(LIFE_S)
    with pytest.raises(BadInput):
        made.open(text, ANA, "p")


@pytest.mark.anyio
async def test_a_caller_without_a_key_is_somebody_only_where_the_operator_said_so(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys.json", FrozenClock())
    me = local_key(GatewaySettings(local=LocalSettings(id="me", roles=("support",))))
    assert me == Key(Principal("me", roles=frozenset({"support"})))
    assert await KeyAdmission(ring, me).admit("") == me
    for said, local in (("", None), ("Bearer nobody", me), ("Basic x", me), (" ", me)):
        with pytest.raises(Exception, match="key"):
            await KeyAdmission(ring, local).admit(said)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "localhost.example.com"])
def test_nothing_is_reached_from_elsewhere_without_keys(host: str) -> None:
    local = GatewaySettings(local=LocalSettings(id="me"))
    for settings, keys in ((local, True), (local, False), (GatewaySettings(), False)):
        with pytest.raises(SettingsError) as refused:
            check_reach(settings, host, keys=keys)
        assert refused.value.code == "gateway.open"
    check_reach(GatewaySettings(), host, keys=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_on_this_machine_somebody_must_be_let_in_at_all(host: str) -> None:
    check_reach(GatewaySettings(local=LocalSettings(id="me")), host, keys=False)
    check_reach(GatewaySettings(), host, keys=True)
    with pytest.raises(SettingsError) as refused:
        check_reach(GatewaySettings(), host, keys=False)
    assert refused.value.code == "gateway.nobody"


@pytest.mark.anyio
async def test_a_key_ring_knows_scopes_and_what_was_revoked_a_moment_ago(tmp_path: Path) -> None:
    file = Keys(tmp_path / "keys.json")
    ring = KeyRing(tmp_path / "keys.json", FrozenClock())
    assert await ring.all() is None
    plain, host = await anyio.to_thread.run_sync(lambda: (file.add(ANA), file.add(BOB, (TOOLS, "attest:words"))))
    found = await ring.find(plain)
    assert (found.principal, found.scopes) == (ANA, {TOOLS})
    assert (await ring.find(host)).scopes == {TOOLS, "attest:words"}
    await anyio.to_thread.run_sync(file.revoke, "ana", "default")
    with pytest.raises(Exception, match="nobody"):
        await ring.find(plain)


def test_what_a_request_says_of_itself_is_believed_as_far_as_its_key_goes() -> None:
    meta: dict[str, object] = {"interlock/words": "do it", "interlock/run": "run_1", "interlock/idempotency-key": "a"}
    said = asked(Caller(principal=ANA), "get", None, meta)
    assert (said.words, said.run, said.name, said.arguments) == (None, "run_1", "a", {})
    host = Caller(principal=ANA, scopes=frozenset({TOOLS, "attest:words"}))
    assert asked(host, "get", {}, meta).words == "do it"
    for bad in ({"interlock/run": 7}, {"interlock/run": "x" * 200}, {"interlock/words": ["do it"]}):
        with pytest.raises(BadInput):
            asked(host, "get", {}, bad)


def test_a_long_list_comes_in_pages_that_follow_each_other_whatever_changes_meanwhile() -> None:
    far = Far()
    tools = [far.tool(f"tool{number:04}") for number in range(PAGE + 3)]
    listings = Listings(_acceptable)
    first, cursor = listings.page(tools, None)
    assert (len(first), first[0]["name"]) == (PAGE, "tool0000")
    rest, end = listings.page(tools[1:], cursor)
    assert ([each["name"] for each in rest], end) == ([f"tool{number:04}" for number in range(PAGE, PAGE + 3)], None)
    for wrong in (cursor, "é", "", "AAAA"):
        with pytest.raises(BadInput):
            listings.page(tools[PAGE:] if wrong == cursor else tools, wrong)


def test_a_claim_that_the_protocol_cannot_carry_is_left_out_and_spoils_no_list() -> None:
    far = Far()
    odd = far.tool("odd", claims={"annotations": "none", "icons": [{"src": 7}]})
    said = {"title": "Even", "annotations": {"readOnlyHint": True}, "icons": [{"src": "https://example.com/i.png"}]}
    even = far.tool("even", claims=said, description="")
    shown, _ = Listings(_acceptable).page([odd, even], None)
    assert set(shown[0]) == {"name", "description", "inputSchema"}
    assert said.items() <= shown[1].items() and "description" not in shown[1]


def test_what_only_interlock_claims_of_a_tool_and_what_nobody_sees_is_listed_to_nobody() -> None:
    """T6, T9: of a service its inner address, and of a server what it says besides the protocol."""
    claims = {"url": "http://10.0.0.7/inner/a", "method": "GET", "title": "G\u200bet"}
    tool = Far().tool("get", sealed=False, claims=claims, description="Get\U000e0041 it.")
    [shown], _ = Listings(_acceptable).page([tool], None)
    assert set(shown) == {"name", "description", "inputSchema", "title"}
    assert (shown["title"], shown["description"]) == ("Get", "Get it.")
    [plain], _ = Listings(_acceptable).page([replace(Far().tool("get"), server="far")], None)
    assert "annotations" not in plain, "what a server does not say of its tool, we do not say for it"
    [own], _ = Listings(_acceptable).page([Far().tool("get")], None)
    assert "annotations" in own


def test_a_conversation_that_has_used_its_calls_says_how_to_go_on() -> None:
    said = result_of(reply(OutcomeKind.REFUSED, code="limit.calls", message="no more"), as_it_came=False)
    assert "a new one begins" in said["structuredContent"]["next_step"]
    assert "a new one begins" in said["content"][0]["text"]


RESULT: dict[str, Any] = {
    "content": [{"type": "image", "data": "AA==", "mimeType": "image/png"}],
    "structuredContent": {"a": 1},
}


def reply(kind: OutcomeKind, value: Any = None, **more: Any) -> Reply:
    return Reply(Outcome(kind=kind, call_id="call_1", tool="get", value=value, **more), "run_1")


def test_a_servers_result_goes_on_as_it_came_and_so_does_its_error() -> None:
    done = result_of(reply(OutcomeKind.DONE, RESULT), as_it_came=True)
    assert {key: done[key] for key in RESULT} == RESULT and "isError" not in done
    own = result_of(reply(OutcomeKind.DONE, RESULT), as_it_came=False)
    assert own["content"][0]["type"] == "text", "it only looks like one"
    assert result_of(reply(OutcomeKind.DONE, "a person's answer"), as_it_came=True)["content"][0]["type"] == "text"
    failed = result_of(reply(OutcomeKind.FAILED, RESULT, code="execute.rejected", message="no"), as_it_came=True)
    assert failed["isError"] is True and failed["content"] == RESULT["content"]
    assert failed["_meta"]["interlock/outcome"]["code"] == "execute.rejected"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("password", {}),
        ("Pass-Word", {}),
        ("x", {"title": "Your API key"}),
        ("x", {"format": "password"}),
        ("x", {"description": "What is your pass\u00adword?"}),
        ("token", {}),
    ],
)
def test_a_form_that_asks_for_a_secret_is_known_by_its_own_words(name: str, said: dict[str, str]) -> None:
    """T36, with its benign twin."""
    assert asks_for_secret({"type": "object", "properties": {"colour": {}, name: {"type": "string", **said}}})
    assert not asks_for_secret(
        {
            "properties": {
                "colour": {"title": "Which colour passes?", "description": "The one on the key."},
                "key_signature": {},
            }
        }
    )
    assert not asks_for_secret(None) and not asks_for_secret({"properties": 7})


def test_of_a_ledger_that_fails_a_client_is_told_no_more_than_that() -> None:
    told = trouble(StoreUnavailable("/secret/path: disk I/O error", code="ledger.disk"))
    assert "secret" not in str(told)
    assert told["structuredContent"]["code"] == "ledger.disk"
