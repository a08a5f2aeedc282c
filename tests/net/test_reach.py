"""T17: whatever form a URL has and wherever a name leads, nothing internal is reached; and what is meant to be is."""

from __future__ import annotations

import gzip
import ipaddress
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio.to_thread
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import NotSent, SettingsError, ToolError
from interlock.net.answer import FREE, RATIO_MAX
from interlock.net.egress import Answer, Ask, Egress, Guarded, trusted
from interlock.net.reach import PUBLIC, Reach, reach_of
from interlock.net.target import target_of
from tests.net.far_ends import FarEnd, Reply
from tests.net.receivers import trust

pytestmark = pytest.mark.anyio

HERE = reach_of(["127.0.0.1"], "here")

TO_CANARY = [
    "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://LOCALHOST:{port}/", "http://localhost.:{port}/",
    "http://127.1:{port}/", "http://127.0.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/", "http://0177.0.0.1:{port}/", "http://017700000001:{port}/", "http://127.0.0.01:{port}/",
    "http://0:{port}/", "http://0.0.0.0:{port}/", "http://127.127.127.127:{port}/", "http://127.0.0.1.:{port}/",
    "http://[::1]:{port}/", "http://[::]:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/", "http://[2002:7f00:1::]:{port}/",
    "http://[::127.0.0.1]:{port}/", "http://[::1%25lo]:{port}/", "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/", "http://good.example@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@good.example/",
    "http://good.example\\@127.0.0.1:{port}/", "http://127.0.0.1:{port}\\@good.example/", "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/", "http://%31%32%37.0.0.1:{port}/", "http://127.0.0.1:{port} /", "//127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/", "file://127.0.0.1:{port}/", "http://inside.example:{port}/", "http://both.example:{port}/",
    "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://168.63.129.16/", "http://10.0.0.1/",
]  # fmt: skip
"""Each would reach the listener on this machine, or a cloud's metadata, by some client's reading."""


async def names(host: str, port: int) -> list[str]:
    """A resolver with a name for each case; what is no name of ours is this machine."""
    return {"both.example": ["8.8.8.8", "127.0.0.1"]}.get(host, ["127.0.0.1"])


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    return trusted()


@pytest.fixture
def canary() -> Iterator[FarEnd]:
    with FarEnd() as found:
        yield found


@pytest.fixture
async def outside(tls: ssl.SSLContext, anyio_backend: str) -> AsyncIterator[Egress]:
    """A client that may reach the public alone."""
    found = Egress(tls=tls, resolve=names)
    yield found
    await found.close()


async def get(egress: Egress, url: str, **more: object) -> Answer:
    return await egress.send(Ask(method="GET", url=url, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", TO_CANARY)
async def test_no_form_of_a_url_reaches_what_is_not_public(outside: Egress, canary: FarEnd, form: str) -> None:
    with pytest.raises(NotSent) as refused:
        await get(outside, form.format(port=canary.port))
    assert refused.value.code in ("egress.url", "egress.forbidden")
    assert canary.connections == 0


@pytest.mark.parametrize(
    "host", ["127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "0", "1.2.3.4.5"]
)
def test_an_address_has_one_form_whatever_a_resolver_makes_of_others(host: str) -> None:
    with pytest.raises(NotSent) as refused:
        target_of(f"http://{host}/")
    assert refused.value.code == "egress.url" and target_of("http://127.0.0.1./").host == "127.0.0.1"


async def test_what_the_operator_allowed_is_reached_by_address_and_by_name(tls: ssl.SSLContext, canary: FarEnd) -> None:
    for allowed, host in ((["127.0.0.0/8"], "127.0.0.1"), (["inside.example"], "inside.example"), (["::1"], "[::1]")):
        egress = Egress(reach_of(allowed, "here"), tls=tls, keep=0, resolve=names)
        if host != "[::1]":
            assert (await get(egress, f"http://{host}:{canary.port}/")).status == 200
        elsewhere = "http://127.0.0.1:{}/" if host == "inside.example" else "http://other.example:{}/"
        if allowed != ["127.0.0.0/8"]:
            with pytest.raises(NotSent):
                await get(egress, elsewhere.format(canary.port))
    assert canary.connections == 2


async def test_a_name_that_changes_between_two_looks_is_looked_up_once(tls: ssl.SSLContext, canary: FarEnd) -> None:
    looks = 0

    async def turning(host: str, port: int) -> list[str]:
        nonlocal looks
        looks += 1
        return ["127.0.0.1"] if looks > 1 else ["127.0.0.2"]

    with FarEnd("127.0.0.2", canary.port) as checked:
        egress = Egress(reach_of(["127.0.0.2"], "here"), tls=tls, keep=0, resolve=turning)
        await get(egress, f"http://turning.example:{canary.port}/")
        assert (looks, checked.connections, canary.connections) == (1, 1, 0)
        with pytest.raises(NotSent):  # and the next connection is checked anew
            await get(egress, f"http://turning.example:{canary.port}/")
    assert canary.connections == 0


async def test_tls_holds_for_the_name_although_the_address_is_dialled(tmp_path: Path) -> None:
    held = await anyio.to_thread.run_sync(trust, tmp_path)
    with FarEnd(tls=held.server) as end:
        egress = Egress(reach_of(["127.0.0.1"], "here"), tls=held.client, keep=0, resolve=names)
        assert (await get(egress, f"https://localhost:{end.port}/")).status == 200
        with pytest.raises(NotSent):
            await get(egress, f"https://other.example:{end.port}/")
        assert len(end.asked) == 1


async def test_a_redirect_is_followed_only_where_it_was_asked_for_and_checked_like_the_first(
    outside: Egress, tls: ssl.SSLContext, canary: FarEnd
) -> None:
    with FarEnd("127.0.0.2") as end:
        egress = Egress(reach_of(["127.0.0.2"], "here"), tls=tls, keep=0, resolve=names)
        end.replies += [Reply(302, {"location": f"http://127.0.0.1:{canary.port}/"})] * 2
        assert (await get(egress, end.url)).status == 302
        with pytest.raises(NotSent) as refused:
            await get(egress, end.url, redirects=3)
        assert refused.value.code == "egress.forbidden" and canary.connections == 0
        end.replies += [Reply(302, {"location": "/there"}), Reply(200, body=b"there")]
        assert (await get(egress, end.url, redirects=1)).body == b"there"
        end.replies += [Reply(302, {"location": "/again"})] * 3
        assert (await get(egress, end.url, redirects=2)).status == 302
        end.replies.append(Reply(307, {"location": "/there"}))
        posted = Ask(method="POST", url=end.url, body=b"{}", redirects=3)
        assert (await egress.send(posted)).status == 307


async def test_credentials_stay_with_their_origin(tls: ssl.SSLContext) -> None:
    said = {"authorization": "Bearer s3cr3t", "x-api-key": "s3cr3t", "x-trace": "1"}
    with FarEnd() as end, FarEnd() as other:
        egress = Egress(HERE, tls=tls, keep=0)
        end.replies += [Reply(302, {"location": other.url}), Reply(302, {"location": "/there"}), Reply()]
        for _ in range(2):
            await get(egress, end.url, headers=said, secret_headers=frozenset({"x-api-key"}), redirects=1)
    assert "s3cr3t" not in str(other.asked[0].headers) and other.asked[0].headers["x-trace"] == "1"
    assert end.asked[-1].headers["x-api-key"] == "s3cr3t"


async def test_a_redirect_out_of_tls_is_not_followed(tmp_path: Path) -> None:
    held = await anyio.to_thread.run_sync(trust, tmp_path)
    with FarEnd(tls=held.server) as end, FarEnd() as plain:
        end.replies.append(Reply(302, {"location": plain.url}))
        with pytest.raises(NotSent, match="out of TLS"):
            await get(Egress(HERE, tls=held.client, keep=0), end.url, redirects=1)
        assert plain.connections == 0


async def test_only_what_provably_did_not_leave_is_not_sent(tls: ssl.SSLContext) -> None:
    egress = Egress(HERE, tls=tls, timeout_s=0.3, keep=0)
    with FarEnd() as end:
        gone = end.url
    with pytest.raises(NotSent):
        await get(egress, gone)
    with FarEnd() as end:
        end.replies += [Reply(cut=0), Reply(cut=20), Reply(hang=True)]
        for kind in (ToolError, ToolError, TimeoutError):
            with pytest.raises(kind) as lost:
                await egress.send(Ask(method="POST", url=end.url, body=b"{}"))
            assert not isinstance(lost.value, NotSent)


async def test_an_answer_is_read_up_to_its_bound_while_it_comes(tls: ssl.SSLContext) -> None:
    egress = Egress(HERE, tls=tls, keep=0)
    with FarEnd() as end:
        end.replies += [Reply(body=b"x" * 100), Reply(body=b"x" * 101), Reply(endless=True)]
        answers = [await get(egress, end.url, answer_max=100) for _ in range(3)]
        assert [(len(each.body), each.cut) for each in answers] == [(100, False), (100, True), (100, True)]
        assert end.written < 64 << 20


async def test_a_packed_answer_is_unpacked_and_a_bomb_is_cut(tls: ssl.SSLContext) -> None:
    egress = Egress(HERE, tls=tls, keep=0)
    text = bytes(range(256)) * 8
    bomb = gzip.compress(b"\0" * (8 << 20))
    assert len(bomb) * RATIO_MAX < 8 << 20
    with FarEnd() as end:
        end.replies += [
            Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(text)),
            Reply(headers={"content-encoding": "deflate"}, body=zlib.compress(text)),
            Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(b"\0" * (FREE - 1))),
        ]
        assert [(await get(egress, end.url)).body for _ in range(3)] == [text, text, b"\0" * (FREE - 1)]
        end.replies += [
            Reply(headers={"content-encoding": "gzip"}, body=bomb),
            Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(text)[:-9]),
            Reply(headers={"content-encoding": "gzip"}, body=b"no gzip"),
            Reply(headers={"content-encoding": "br"}, body=b"x"),
            Reply(headers={"content-encoding": "gzip, gzip"}, body=b"x"),
            Reply(headers={f"x-{number}": "y" * 1000 for number in range(40)}),
        ]
        for why in (
            "20 times its size",
            "before it is unpacked",
            "as it says",
            "unknown way",
            "unknown way",
            "of headers",
        ):
            with pytest.raises(ToolError, match=why) as refused:
                await get(egress, end.url, answer_max=16 << 20)
            assert refused.value.code == "egress.answer"


@pytest.mark.parametrize(
    "header", [("x", "a\r\nhost: evil"), ("x\r\ny", "a"), ("x", "a\0"), ("x", "é"), ("", "a"), ("x y", "a")]
)
async def test_a_header_is_one_header_or_nothing_is_sent(
    tls: ssl.SSLContext, canary: FarEnd, header: tuple[str, str]
) -> None:
    with pytest.raises(NotSent):
        await get(Egress(HERE, tls=tls, keep=0), canary.url, headers=dict([header]))
    assert canary.connections == 0


async def test_a_library_with_its_own_client_is_held_to_the_same(tls: ssl.SSLContext, canary: FarEnd) -> None:
    async with httpx2.AsyncClient(transport=Guarded(tls=tls)) as client:
        with pytest.raises(NotSent):
            await client.get(canary.url)
    async with httpx2.AsyncClient(transport=Guarded(HERE, tls=tls)) as client:
        assert (await client.get(canary.url)).status_code == 200
    assert canary.connections == 1


def test_an_operators_own_url_that_is_an_address_needs_no_other_word() -> None:
    def may(url: str, address: str, host: str = "x.example") -> bool:
        return not PUBLIC.with_literal(url).objection(host, ipaddress.ip_address(address))

    assert may("http://127.0.0.1:8080/x", "127.0.0.1") and may("https://[fd00::1]/", "fd00::1")
    assert may("http://localhost/", "127.0.0.1", "localhost")
    assert not may("http://127.0.0.1/", "127.0.0.2") and not may("https://inside.example/", "10.0.0.1")


def test_an_allowed_name_may_be_private_and_never_the_metadata_of_a_cloud() -> None:
    reach = reach_of(["Db.Internal."], "here")
    allowed = {"10.1.2.3": True, "127.0.0.1": True, "fd12::1": True, "8.8.8.8": True, "169.254.169.254": False,
               "fd00:ec2::254": False, "100.100.100.200": False, "0.0.0.0": False, "224.0.0.1": False,
               "::ffff:10.0.0.1": False}  # fmt: skip
    for address, may in allowed.items():
        assert (not reach.objection("db.internal", ipaddress.ip_address(address))) is may, address
    assert not reach_of(["169.254.0.0/16"], "here").objection("x", ipaddress.ip_address("169.254.169.254"))


def test_a_wide_network_does_not_lead_to_what_only_happens_to_lie_within() -> None:
    """T17: everything, or all of a provider's own range, is not the metadata of a cloud; what was meant is reached."""
    wide = reach_of(["0.0.0.0/0", "::/0", "100.64.0.0/10"], "here")
    for address in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe", "fe80::1", "0.0.0.0"):  # fmt: skip
        assert wide.objection("x", ipaddress.ip_address(address)), address
    for address in ("10.1.2.3", "127.0.0.1", "100.64.0.1", "fd12::1", "8.8.8.8"):
        assert not wide.objection("x", ipaddress.ip_address(address)), address
    assert not reach_of(["::ffff:10.0.0.1"], "here").objection("x", ipaddress.ip_address("::ffff:10.0.0.1"))


@pytest.mark.parametrize("word", ["", "10.0.0.0/99", "a b", "*", "127.1", "http://x/", "1", "é"])
def test_what_is_neither_host_nor_network_is_refused(word: str) -> None:
    with pytest.raises(SettingsError) as refused:
        reach_of([word], "notify.reach")
    assert refused.value.code == "settings.reach"


@given(st.integers(0, 2**32 - 1) | st.integers(0, 2**128 - 1))
def test_no_address_is_public_that_the_standard_library_calls_private(number: int) -> None:
    address = ipaddress.ip_address(number)
    if not PUBLIC.objection("x", address):
        assert address.is_global and not (address.is_private or address.is_multicast or address.is_link_local)
        assert not (isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.sixtofour))


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.text(max_size=20))
def test_what_can_be_read_as_a_target_is_read_the_same_again(authority: str, path: str) -> None:
    try:
        target = target_of(f"https://{authority}/{path}")
    except NotSent:
        return
    shown = f"[{target.host}]" if ":" in target.host else target.host
    assert target_of(f"{target.scheme}://{shown}:{target.port}{target.path}") == target


def test_public_addresses_are_public() -> None:
    for address in ("8.8.8.8", "1.1.1.1", "140.82.112.3", "2606:4700::1111", "2a00:1450:4001::1"):
        assert Reach().objection("x", ipaddress.ip_address(address)) == ""
