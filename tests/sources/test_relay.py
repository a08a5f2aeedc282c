"""What a server may ask of the client in front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from interlock.errors import NotEntitled
from interlock.sources.relay import NOBODY, Nobody, Relay, Way, check_question, is_web_address

pytestmark = pytest.mark.anyio


class Client(Nobody):
    way = Way.DURING
    takes: Mapping[str, Any] = {"sampling": {}, "elicitation": {}, "roots": {}}

    async def ask(self, server: str, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"server": server}

    async def tell(self, server: str, method: str, params: Mapping[str, Any]) -> None: ...


async def test_who_is_in_front_of_one_call_is_in_front_of_no_other() -> None:
    relay, client = Relay(), Client()
    with relay.attach("a", client):
        assert relay.client_of("a") is client and relay.client_of("b") is NOBODY
    assert relay.client_of("a") is NOBODY
    with pytest.raises(NotEntitled):
        await relay.client_of("a").ask("far", "roots/list", {})


@pytest.mark.parametrize(
    "method", ["sampling/createMessage", "elicitation/create", "roots/list", "notifications/message"]
)
def test_nothing_is_asked_that_the_operator_did_not_allow(method: str) -> None:
    with pytest.raises(NotEntitled):
        check_question("far", frozenset(), method, {})
    check_question("far", frozenset({"sampling", "elicitation", "roots", "logging"}), method, {})


def test_a_method_that_nobody_knows_is_refused_whatever_is_allowed() -> None:
    with pytest.raises(NotEntitled):
        check_question("far", frozenset({"sampling", "elicitation", "roots", "logging"}), "tools/call", {})


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "vbscript:x", "https://a@b.example/",
        "https:///nobody", "HTTPS://ok.example\n/x", "https://b\u0430nk.example/", "intent://x", "", 7, "//x.example",
        "https://x.example\\@y.example/",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_what_is_no_web_address(url: object) -> None:
    """T36."""
    assert not is_web_address(url)
    with pytest.raises(NotEntitled):
        check_question("far", frozenset({"elicitation"}), "elicitation/create", {"url": url})


@pytest.mark.parametrize("url", ["https://login.example/authorize?x=1#y", "http://localhost:8080/"])
def test_a_web_address_is_one(url: str) -> None:
    check_question("far", frozenset({"elicitation"}), "elicitation/create", {"url": url})
