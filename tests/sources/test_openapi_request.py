"""T18: whatever a value is, it stays in its place in the request, or nothing is sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.errors import BadInput
from interlock.sources.openapi_auth import Credential
from interlock.sources.openapi_call import Call
from interlock.sources.openapi_encode import in_header, in_path, in_query
from interlock.sources.openapi_request import request_of
from interlock.sources.openapi_template import read_template
from tests.sources.documents import body, document, one, operation, parameter

BASE = "https://shop.example/v1"

HOSTILE = [
    "../../admin", "..", ".", "%2e%2e", "%2E%2e%2fadmin", "..%2f", "..\\admin", "%252e%252e/x", "..;/admin", "a/../b",
    "a/b", "//evil.example", "http://evil.example/", "x;y=z", "x?admin=1", "x#y", "x&admin=1", "x=1", "x%00",
    "%3fadmin",
    "x\r\nhost: evil", "x\nx-admin: 1", "x\0", "é", "x y", "x+y", "@evil", ":80", "{id}", "\u202e", "a,b", "a|b", " ",
    "",
]  # fmt: skip

VALUES = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.text("./\\%2eEfF;?#&=", max_size=12))


def of(*parameters: Any, path: str = "/pets", method: str = "post", **more: Any) -> Call:
    made = one(document({path: {method: operation(*parameters, **more)}}), base_url=BASE).body
    assert isinstance(made, Call)
    return made


def built(call: Call, **arguments: Any) -> Any:
    return request_of(call.operation, call.base_url, arguments, "key-1")


# ----------------------------------------------------------------------- styles

# the table of OpenAPI 3.1.1, section 4.8.12.4.2, with its percent signs where ours are stricter
BLUE: tuple[Any, ...] = ("blue", ["blue", "black", "brown"], {"R": 100, "G": 200, "B": 150})


@pytest.mark.parametrize(
    ("style", "explode", "written"),
    [
        ("matrix", False, (";color=blue", ";color=blue,black,brown", ";color=R,100,G,200,B,150")),
        ("matrix", True, (";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200;B=150")),
        ("label", False, (".blue", ".blue,black,brown", ".R,100,G,200,B,150")),
        ("label", True, (".blue", ".blue.black.brown", ".R=100.G=200.B=150")),
        ("simple", False, ("blue", "blue,black,brown", "R,100,G,200,B,150")),
        ("simple", True, ("blue", "blue,black,brown", "R=100,G=200,B=150")),
    ],
)
def test_a_value_in_the_path_is_written_in_its_style(style: str, explode: bool, written: tuple[str, ...]) -> None:
    assert tuple(in_path(style, explode, "color", value) for value in BLUE) == written


@pytest.mark.parametrize(
    ("style", "explode", "written"),
    [
        ("form", False, ("color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150")),
        ("form", True, ("color=blue", "color=blue&color=black&color=brown", "R=100&G=200&B=150")),
        ("spaceDelimited", False, ("color=blue", "color=blue%20black%20brown", "color=R%20100%20G%20200%20B%20150")),
        ("pipeDelimited", False, ("color=blue", "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200%7CB%7C150")),
        ("deepObject", True, ("color=blue", "color%5B0%5D=blue&color%5B1%5D=black&color%5B2%5D=brown",
                              "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150")),
    ],
)  # fmt: skip
def test_a_value_in_the_query_is_written_in_its_style(style: str, explode: bool, written: tuple[str, ...]) -> None:
    pairs = (in_query(style, explode, "color", value) for value in BLUE)
    assert tuple("&".join(f"{name}={value}" for name, value in each) for each in pairs) == written


def test_a_value_in_a_header_is_written_simply() -> None:
    assert [in_header(False, value) for value in BLUE] == ["blue", "blue,black,brown", "R,100,G,200,B,150"]
    assert in_header(True, BLUE[2]) == "R=100,G=200,B=150"


def test_numbers_booleans_and_nulls_are_written_as_json_writes_them() -> None:
    call = of(parameter("a", "query", {}), parameter("b", "query", {}), parameter("c", "query", {}))
    assert built(call, a=1.5, b=True, c=None).url == f"{BASE}/pets?a=1.5&b=true"


def test_a_parameter_of_json_is_one_value() -> None:
    said = {"name": "filter", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}}
    assert built(of(said), filter={"a": ["&b"]}).url.endswith("?filter=%7B%22a%22%3A%5B%22%26b%22%5D%7D")


def test_what_is_reserved_is_encoded_although_the_document_would_let_it_through() -> None:
    assert built(of(parameter("q", "query", allowReserved=True)), q="a&b=c#d").url.endswith("?q=a%26b%3Dc%23d")


# -------------------------------------------------------------------- injection


@given(VALUES, VALUES, st.sampled_from(["simple", "label", "matrix"]), st.booleans())
@example("../../admin", "x", "simple", False)
@example(".", ".", "simple", False)
def test_a_value_stays_in_its_segment_or_is_refused(one_value: str, other: str, style: str, explode: bool) -> None:
    template = read_template("/pets/{a}/x-{b}/end")
    try:
        path = template.filled(
            {"a": in_path(style, explode, "a", one_value), "b": in_path("simple", False, "b", other)}
        )
    except BadInput:
        return
    segments = path.split("/")
    assert len(segments) == 5 and (segments[1], segments[4]) == ("pets", "end")
    lead = {"simple": "", "label": ".", "matrix": ";a="}[style]
    assert unquote(segments[2]) == lead + one_value and unquote(segments[3]) == "x-" + other
    assert urlsplit(f"http://host{path}")[1:] == ("host", path, "", "")
    read = unquote(unquote(path)).replace("\\", "/")  # by a receiver that decodes twice and takes both slashes
    assert not {".", ".."} & {piece.partition(";")[0] for piece in read.split("/")}


@given(st.lists(VALUES, min_size=1, max_size=3), st.sampled_from(["simple", "label", "matrix"]), st.booleans())
def test_each_of_several_values_stays_in_its_segment(values: list[str], style: str, explode: bool) -> None:
    template = read_template("/pets/{a}/end")
    try:
        path = template.filled({"a": in_path(style, explode, "a", values)})
    except BadInput:
        return
    assert path.count("/") == 3 and path.endswith("/end") and not set("?#\\ ") & set(path)


@pytest.mark.parametrize(
    "value", ["../../admin", "..", "%2e%2e", "..%2fadmin", "..\\x", "%252e%252e%252f", "..;/x", ""]
)
def test_a_step_to_another_place_is_refused_in_every_spelling(value: str) -> None:
    call = of(parameter("id", "path"), path="/pets/{id}")
    with pytest.raises(BadInput) as refused:
        built(call, id=value)
    assert value == "" or value not in str(refused.value)


@pytest.mark.parametrize(
    "value", ["a/b", "x?y", "x#y", "x;y", "...", "..a", "a..b", "%", "é", "a b", "feature/x", "@me"]
)
def test_its_twin_that_steps_nowhere_is_sent_as_it_is(value: str) -> None:
    call = of(parameter("id", "path"), path="/pets/{id}")
    path = urlsplit(built(call, id=value).url).path
    assert path.count("/") == 3 and unquote(path.rpartition("/")[2]) == value


@given(VALUES, VALUES, st.dictionaries(VALUES, VALUES, max_size=3))
def test_a_query_says_what_was_said_and_nothing_else(one_value: str, other: str, deep: dict[str, str]) -> None:
    call = of(
        parameter("a", "query"), parameter("b", "query", style="pipeDelimited", explode=False),
        parameter("c", "query", {"type": "object"}, style="deepObject"),
    )  # fmt: skip
    url = built(call, a=one_value, b=other, c=deep).url
    read = urlsplit(url)
    assert (read.scheme, read.netloc, read.path, read.fragment) == ("https", "shop.example", "/v1/pets", "")
    wanted = [("a", one_value), ("b", other), *((f"c[{name}]", value) for name, value in deep.items())]
    assert parse_qsl(read.query, keep_blank_values=True) == wanted


def test_an_object_that_is_written_out_is_no_other_parameter() -> None:
    call = of(parameter("filter", "query", {"type": "object"}), parameter("admin", "query", required=False))
    assert built(call, filter={"colour": "red"}).url.endswith("?colour=red")
    with pytest.raises(BadInput, match="another parameter"):
        built(call, filter={"admin": "1"})
    key = Credential(kind="query", name="api_key", read=lambda: "s3cr3t")
    said = operation(parameter("filter", "query", {"type": "object"}), parameter("a", "path"))
    signed = one(document({"/p/{a}": {"get": said}}), base_url=BASE, credentials=[key]).body
    assert isinstance(signed, Call) and built(signed, a="x", filter={"a": "1"}).url.endswith("/p/x?a=1")
    with pytest.raises(BadInput, match="another parameter"):
        built(signed, a="x", filter={"api_key": "mine"})


@given(VALUES)
def test_a_header_is_one_header_or_refused(value: str) -> None:
    call = of(parameter("X-Note", "header"))
    try:
        headers = built(call, **{"X-Note": value}).headers
    except BadInput:
        assert value != value.strip() or not value.isascii() or not value.isprintable()
        return
    assert headers["x-note"] == value and not set(value) & set("\r\n\0")


def test_a_list_in_a_header_keeps_its_length() -> None:
    call = of(parameter("X-Tags", "header", {"type": "array"}))
    assert built(call, **{"X-Tags": ["a", "b"]}).headers["x-tags"] == "a,b"
    with pytest.raises(BadInput):
        built(call, **{"X-Tags": ["a,admin"]})


@given(VALUES)
def test_a_cookie_is_one_cookie(value: str) -> None:
    cookie = built(of(parameter("sid", "cookie")), sid=value).headers["cookie"]
    assert unquote(cookie.removeprefix("sid=")) == value and not set(cookie) & set("; ,\r\n")


# ----------------------------------------------------------------------- bodies


@given(st.dictionaries(VALUES, VALUES | st.lists(VALUES), max_size=4))
def test_a_form_says_what_was_said_and_nothing_else(said: dict[str, Any]) -> None:
    call = of(requestBody=body({"type": "object"}, "application/x-www-form-urlencoded"))
    wanted = [(name, each) for name, value in said.items() for each in (value if isinstance(value, list) else [value])]
    assert parse_qsl(built(call, body=said).body.decode(), keep_blank_values=True) == wanted


def test_an_object_in_a_form_is_written_in_brackets() -> None:
    schema = {"type": "object", "properties": {"card": {"type": "object"}, "items": {"type": "array"}}}
    call = of(requestBody=body(schema, "application/x-www-form-urlencoded"))
    sent = built(call, card={"no": "4", "by": {"at": 1}}, items=[{"price": "p"}])
    assert sent.body == b"card%5Bno%5D=4&card%5Bby%5D%5Bat%5D=1&items%5B0%5D%5Bprice%5D=p"
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"


def test_parts_are_files_json_and_texts_and_no_text_ends_its_part() -> None:
    schema = {"type": "object", "properties": {
        "file": {"type": "string", "format": "binary"}, 'a"\r\nb': {"type": "string"}, "more": {"type": "object"},
    }}  # fmt: skip
    call = of(requestBody=body(schema, "multipart/form-data"))
    properties = call.operation.input_schema["properties"]
    assert properties["file"] == {"type": "string", "contentEncoding": "base64"}
    sent = built(call, file="aGk=", **{'a"\r\nb': "--interlock-\r\n\r\nx"}, more={"a": 1})
    boundary = sent.headers["content-type"].partition("boundary=")[2].encode()
    parts = sent.body.split(b"--" + boundary)
    assert len(parts) == 5 and parts[4] == b"--\r\n"
    assert parts[1].endswith(b'name="file"; filename="file"\r\ncontent-type: application/octet-stream\r\n\r\nhi\r\n')
    assert parts[2].endswith(b'name="a%22%0D%0Ab"\r\n\r\n--interlock-\r\n\r\nx\r\n')
    assert parts[3].endswith(b'name="more"\r\ncontent-type: application/json\r\n\r\n{"a":1}\r\n')


@pytest.mark.parametrize(
    ("media", "schema", "value", "sent"),
    [
        ("application/json", {"type": "array"}, [1, "é"], '[1,"é"]'.encode()),
        ("application/vnd.api+json", {"type": "array"}, [], b"[]"),
        ("text/plain", {"type": "string"}, "a\r\nb", b"a\r\nb"),
        ("application/xml", {"type": "string"}, "<a/>", b"<a/>"),
        ("application/octet-stream", {"type": "string", "format": "binary"}, "AAE=", b"\x00\x01"),
    ],
)
def test_a_body_is_written_in_its_media_type(media: str, schema: Any, value: Any, sent: bytes) -> None:
    ask = built(of(requestBody=body(schema, media)), body=value)
    assert (ask.body, ask.headers["content-type"]) == (sent, media)


@pytest.mark.parametrize("value", ["a", "aGk", "aGk=\n", "é", "a b="])
def test_bytes_that_are_no_base64_are_refused(value: str) -> None:
    with pytest.raises(BadInput):
        built(of(requestBody=body({"type": "string"}, "image/png")), body=value)


def test_nothing_is_carried_where_nothing_was_given() -> None:
    call = of(requestBody=body({"type": "array"}) | {"required": False})
    ask = built(call)
    assert ask.body == b"" and "content-type" not in ask.headers
