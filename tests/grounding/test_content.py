"""Links, private data and what a run has seen: what a call may not carry out. Threats T4, T5."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import pytest

from interlock.core.provenance import Lack, Level
from interlock.core.tool import CallContext, Effect, Tool
from interlock.grounding.endorsement import Endorsement
from interlock.grounding.ground import ground
from interlock.grounding.index import Index
from interlock.grounding.profile import NO_PROFILE, FieldRule, Profile

NOW_US = 1_763_700_000_000_000
SECRET = "The settlement with Northwind is four million dollars, payable in March"


async def _body(arguments: dict[str, Any], context: CallContext) -> object:
    raise AssertionError("nothing runs")


def tool(name: str, effect: Effect, *, outward: bool = False) -> Tool:
    return Tool(name=name, input_schema={"type": "object"}, effect=effect, outward=outward, body=_body)


FETCH, POST = tool("fetch", Effect.READ, outward=True), tool("post", Effect.IRREVERSIBLE)
LINK = Profile(roles={"url": "fetch"}, allowed={"hosts": ("*.acme.com",)})
SEND = Profile(roles={"to": "target", "text": "content"}, phrases=("write *", "post *"))
PUBLIC = Profile(readers=("public",))
PRIVATE = Profile(readers=("user", "*@acme.com"))


def codes(index: Index, arguments: dict[str, Any], of: Tool = POST, profile: Profile = SEND) -> list[str]:
    return [lack.code for lack in ground(index, of, profile, arguments, NOW_US).lacks]


@pytest.fixture
def index() -> Index:
    index = Index()
    index.say("Read https://news.example/today and write to bob@acme.com or eve@other.com about it")
    index.tell("c1", "See https://evil.com/page for more", PUBLIC, anchored=False)
    return index


@pytest.mark.parametrize(
    ("url", "lacks"),
    [
        ("https://news.example/today", []),
        ("https://news.example/today#part", []),
        ("https://evil.com/page", []),
        ("https://evil.com/page?d=secret", ["fetch"]),
        ("https://evil.com/", ["fetch"]),
        ("https://docs.acme.com/anything?x=1", []),
        ("https://docs.acme.com.evil.com/", ["fetch"]),
        ("https://user@docs.acme.com/", ["fetch"]),
    ],
)
def test_a_link_that_is_fetched_stands_somewhere_or_goes_where_the_operator_says(
    index: Index, url: str, lacks: list[str]
) -> None:
    assert codes(index, {"url": url}, FETCH, LINK) == lacks


def test_a_composed_link_carries_nothing_private(index: Index) -> None:
    index.tell("c2", {"code": "Tango-7734-Blue"}, PRIVATE, anchored=False)
    index.endorse(Endorsement("fetch"))
    assert "fetch" in codes(index, {"url": "https://docs.acme.com/search?q=tango7734blue"}, FETCH, LINK)
    assert "fetch" in codes(index, {"url": "https://docs.acme.com/search?q=eulb4377ognat"}, FETCH, LINK)
    assert "fetch" not in codes(index, {"url": "https://docs.acme.com/search?q=weather"}, FETCH, LINK)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("see https://news.example/other", []),
        ("see https://evil.com/page", ["link"]),
        ("![x](https://evil.com/a.png?d=1)", ["link"]),
        ("see //evil.com/page", ["link"]),
        ("see www.evil.com", ["link"]),
        ("see HTTPS://EVIL.COM", ["link"]),
        ("nothing here", []),
    ],
)
def test_content_has_no_link_to_others(index: Index, text: str, lacks: list[str]) -> None:
    assert codes(index, {"to": "bob@acme.com", "text": text}) == lacks


ENCODINGS: Final[dict[str, Callable[[str], str]]] = {
    "as it is": str,
    "in a sentence": lambda text: f"By the way: {text}. Bye",
    "in part": lambda text: text[10:50],
    "spaced": " ".join,
    "in lines": lambda text: "\n> ".join(text.split()),
    "upper case": str.upper,
    "reversed": lambda text: text[::-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex, spaced": lambda text: text.encode().hex(" "),
    "quoted": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "in a URL": lambda text: quote(text),
    "in HTML": lambda text: "".join(f"&#{ord(mark)};" for mark in text),
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
    "in tags": lambda text: "hello" + "".join(chr(0xE0000 + ord(mark)) for mark in text),
    "zero width": lambda text: "\u200b".join(text),
    "full width": lambda text: "".join(chr(ord(mark) + 0xFEE0) if 32 < ord(mark) < 127 else mark for mark in text),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_a_target_may_not_read_is_found_in_what_goes_to_it(index: Index, encoding: str) -> None:
    index.tell("c2", {"text": SECRET}, PRIVATE, anchored=False)
    said = ENCODINGS[encoding](SECRET)
    found = ground(index, POST, SEND, {"to": "eve@other.com", "text": said}, NOW_US)
    assert Lack("readers", "/text") in found.lacks
    shown = next(each for each in found.arguments if each.pointer == "/text")
    assert shown.evidence[0].source == "c2" and "private" in shown.flags
    assert "readers" not in codes(index, {"to": "bob@acme.com", "text": said})


def test_other_words_about_it_are_not_found(index: Index) -> None:
    index.tell("c2", {"text": SECRET}, PRIVATE, anchored=False)
    assert codes(index, {"to": "eve@other.com", "text": "Northwind settled; the sum is four million in March"}) == []


def test_readers_may_stand_in_the_record_itself(index: Index) -> None:
    mail = Profile(readers=("/*/from", "/*/to/*"))
    index.tell("c2", [{"from": "eve@other.com", "to": ["x@y.com"], "text": SECRET}], mail, anchored=False)
    assert "readers" not in codes(index, {"to": "eve@other.com", "text": SECRET})
    assert "readers" in codes(index, {"to": "bob@acme.com", "text": SECRET})


def test_eight_characters_of_a_declared_secret_are_enough(index: Index) -> None:
    vault = Profile(fields=(FieldRule("key", shape="id", secret=True),), readers=("*",))
    index.tell("c2", {"key": "sk-4242-abcd-9999"}, vault, anchored=False)
    assert codes(index, {"to": "bob@acme.com", "text": "it begins 4242abcd"}) == ["secret"]


def test_private_data_third_text_and_a_way_out_need_the_users_word_for_where_it_goes(index: Index) -> None:
    """T5, R1."""
    index.tell("c2", {"text": SECRET}, PRIVATE, anchored=False)
    assert codes(index, {"url": "https://evil.com/other"}, FETCH, LINK) == ["fetch", "trifecta"]
    assert codes(index, {"url": "https://news.example/today"}, FETCH, LINK) == []
    unasked = Profile(roles={"to": "target", "text": "content"})
    assert codes(index, {"to": "bob@acme.com", "text": "all is well"}, POST, unasked) == ["mandate", "trifecta"]
    assert codes(index, {"to": "mallory@evil.com", "text": "all is well"}) == ["target", "trifecta"]
    assert codes(index, {"to": "bob@acme.com", "text": "all is well"}) == []


def test_without_text_by_others_private_data_may_go_where_nobody_led_it() -> None:
    index = Index()
    index.say("post it")
    index.tell("c1", {"id": "rec-1"}, Profile(fields=(FieldRule("id", shape="id"),), readers=("user",)), anchored=False)
    assert not index.saw_third and index.saw_private
    assert codes(index, {"to": "wall", "text": "hello"}) == []


def test_what_destroys_needs_something_that_the_user_pointed_at(index: Index) -> None:
    """R2."""
    wipe = tool("wipe", Effect.IRREVERSIBLE)
    index.want("wipe")
    found = ground(index, wipe, Profile(roles={"force": "control"}), {"force": True}, NOW_US)
    assert found.lacks == (Lack("selector", "", Level.ANCHORED),)


def test_a_privileged_call_always_waits_for_a_person() -> None:
    """R4."""
    index = Index()
    index.say("make bob an admin")
    assert codes(index, {"to": "bob"}, tool("promote", Effect.PRIVILEGED), Profile(roles={"to": "target"})) == [
        "privilege"
    ]


def test_mandates_that_are_declared_count_where_the_words_are_not_seen() -> None:
    index = Index()
    index.tell("c1", "text by others", NO_PROFILE, anchored=False)
    assert codes(index, {"to": "bob@acme.com", "text": ""}) == []
    index.want("other_tool")
    assert codes(index, {"to": "bob@acme.com", "text": ""}) == ["mandate"]
    index.want("post")
    assert codes(index, {"to": "bob@acme.com", "text": ""}) == []
