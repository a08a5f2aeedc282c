"""What goes out over HTTP: protected, bounded, and deaf to what comes back."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from interlock.core.address import check_url
from interlock.errors import SettingsError
from interlock.net.egress import ANSWER_MAX, Egress
from interlock.net.reach import reach_of
from interlock.net.sent import Verdict
from interlock.testing import FaultProxy
from tests.net.receivers import Answer, Receiver, trust

pytestmark = pytest.mark.anyio

HERE = reach_of(["127.0.0.1"], "here")


@pytest.fixture
async def egress(anyio_backend: str) -> AsyncIterator[Egress]:
    found = await anyio.to_thread.run_sync(lambda: Egress(HERE, timeout_s=5))
    yield found
    await found.close()


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "accepted"), (204, "accepted"), (400, "refused"), (401, "refused"), (404, "refused"), (410, "refused"),
     (408, "later"), (429, "later"), (500, "later"), (503, "later")],
)  # fmt: skip
async def test_an_answer_means_received_later_or_never(egress: Egress, status: int, verdict: str) -> None:
    with Receiver() as receiver:
        receiver.answers.append(Answer(status, body=b"" if status == 204 else b"{}"))
        sent = await egress.post(receiver.url, b"{}", {})
    assert (sent.verdict, sent.why) == (verdict, f"answered {status}")


async def test_a_redirect_is_not_followed(egress: Egress) -> None:
    with Receiver() as elsewhere, Receiver() as receiver:
        receiver.answers.append(Answer(307, (("location", elsewhere.url),)))
        sent = await egress.post(receiver.url, b"{}", {})
    assert sent.verdict is Verdict.REFUSED and elsewhere.posted == []


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("99999999999", 0.0), ("-1", 0.0), ("soon", 0.0), ("", 0.0), ("²", 0.0)]
)
async def test_how_long_it_wants_to_be_left_alone_is_read_in_seconds(egress: Egress, said: str, seconds: float) -> None:
    with Receiver() as receiver:
        receiver.answers.append(Answer(429, (("retry-after", said.encode().decode("latin-1")),)))
        sent = await egress.post(receiver.url, b"{}", {})
    assert sent.retry_after_s == seconds


async def test_no_proxy_of_the_environment_and_no_cookie_of_an_answer_is_used(
    egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fresh = await anyio.to_thread.run_sync(lambda: Egress(HERE))
    with Receiver() as receiver:
        receiver.answers.append(Answer(200, (("set-cookie", "a=b"),)))
        for each in (fresh, fresh):
            assert (await each.post(receiver.url, b"{}", {})).verdict is Verdict.ACCEPTED
        assert "cookie" not in receiver.posted[1].headers
        await fresh.close()


async def test_a_proxy_that_is_named_is_used() -> None:
    with Receiver() as proxy:
        egress = await anyio.to_thread.run_sync(lambda: Egress(HERE, proxy=f"http://127.0.0.1:{proxy.port}"))
        assert (await egress.post("http://127.0.0.1:9/x", b"{}", {})).verdict is Verdict.ACCEPTED
        await egress.close()
        assert proxy.posted[0].path == "http://127.0.0.1:9/x"


async def test_an_answer_without_end_is_read_up_to_the_bound(egress: Egress) -> None:
    with Receiver() as receiver:
        receiver.answers += [Answer(200, body=b"x" * (4 << 20)), Answer(200)]
        for _ in range(2):
            assert (await egress.post(receiver.url, b"{}", {})).verdict is Verdict.ACCEPTED
    assert ANSWER_MAX < 1 << 20


async def test_a_receiver_that_holds_up_costs_no_more_than_the_time() -> None:
    egress = await anyio.to_thread.run_sync(lambda: Egress(HERE, timeout_s=0.2))
    with Receiver() as receiver, FaultProxy(receiver.port) as proxy:
        proxy.stall(0, "response")
        sent = await egress.post(f"http://127.0.0.1:{proxy.port}/", b"{}", {})
        assert (sent.verdict, sent.why) == ("later", "no answer in time")
        proxy.drip(20.0, "response")
        assert (await egress.post(f"http://127.0.0.1:{proxy.port}/", b"{}", {})).why == "no answer in time"
    await egress.close()


async def test_a_connection_that_breaks_or_is_refused_is_later(egress: Egress) -> None:
    with Receiver() as receiver, FaultProxy(receiver.port) as proxy:
        proxy.cut_after(5, "response")
        assert (await egress.post(f"http://127.0.0.1:{proxy.port}/", b"{}", {})).verdict is Verdict.LATER
        proxy.refuse()
        assert (await egress.post(f"http://127.0.0.1:{proxy.port}/", b"{}", {})).verdict is Verdict.LATER


async def test_tls_holds_for_whom_it_is_trusted_and_for_nobody_else(egress: Egress, tmp_path: Path) -> None:
    held = await anyio.to_thread.run_sync(trust, tmp_path)
    with Receiver(held.server) as receiver:
        assert (await egress.post(receiver.url, b"{}", {})).verdict is Verdict.LATER
        assert receiver.posted == []
        trusting = Egress(HERE, tls=held.client)
        assert (await trusting.post(receiver.url, b"{}", {})).verdict is Verdict.ACCEPTED
        await trusting.close()


async def test_an_address_that_is_a_secret_is_not_in_the_log(egress: Egress, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Receiver() as receiver:
        await egress.post(receiver.url, b"{}", {})
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize(
    "url", ["https://hooks.example/x", "http://127.0.0.1:1/x", "http://localhost/", "http://[::1]/"]
)
async def test_https_goes_anywhere_and_http_to_this_machine(url: str) -> None:
    check_url(url, "here")


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/x", "http://127.0.0.1.example/", "ftp://x/", "https://", "nowhere", "", "https://u:p@h/",
     "https://h:port/", "https://h/ x", "https://h/\r\nx", "http://10.0.0.1/", "file:///etc/passwd", "https://hé/"],
)  # fmt: skip
async def test_any_other_address_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check_url(url, "notify.webhooks x: url")
    assert refused.value.code == "settings.url"
    assert url in ("", "https://") or url not in str(refused.value)


def test_without_the_extra_what_to_install_is_said(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["httpx2"] = None
from interlock import Settings, open_plane
import anyio
from pathlib import Path
async def main():
    hook = {"name": "a", "url": "https://hooks.example/"}
    async with open_plane(Settings(ledger=None, folder=Path(sys.argv[1]), notify={"webhooks": [hook]})):
        print("opened")
try:
    anyio.run(main)
except Exception as error:
    print(type(error).__name__, error.code, error)
"""
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "MissingExtra extra.missing" in ended.stdout and "pip install 'interlock[notify]'" in ended.stdout


@pytest.mark.parametrize(
    "url", ["https://a..example/", f"https://{'a' * 70}.example/", f"https://a.example/{'a' * 70_000}"]
)
async def test_an_address_that_nothing_can_be_sent_to_is_no_answer(egress: Egress, url: str) -> None:
    sent = await egress.post(url, b"{}", {})
    assert sent.verdict is Verdict.LATER and "aaaa" not in sent.why
