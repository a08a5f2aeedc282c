"""Mail out: never in clear to another machine, a login never before TLS, and a verdict for every reply."""

from __future__ import annotations

import ssl
from email.message import EmailMessage
from pathlib import Path

import anyio.to_thread
import pytest

from interlock.net import smtp
from interlock.net.sent import Sent
from interlock.net.smtp import MailServer, hand_in
from interlock.testing import FaultProxy
from tests.net.receivers import MailReceiver, Trust, trust

pytestmark = pytest.mark.anyio


@pytest.fixture
async def held(anyio_backend: str, tmp_path: Path) -> Trust:
    return await anyio.to_thread.run_sync(trust, tmp_path)


async def mail(port: int, context: ssl.SSLContext, **given: object) -> Sent:
    message = EmailMessage()
    message["Subject"] = "s"
    message.set_content("text\n")
    server = MailServer(**({"host": "127.0.0.1", "port": port, "tls": "starttls", "context": context} | given))  # type: ignore[arg-type]
    return await hand_in(server, message, "from@example.com", ["a@example.com", "b@example.com"])


async def test_mail_goes_through_starttls_with_a_login(held: Trust) -> None:
    with MailReceiver(tls=held.server, login="me:pass") as receiver:
        sent = await mail(receiver.port, held.client, user="me", password="pass")
        assert (sent.verdict, sent.why) == ("accepted", "answered 250")
        [mailed] = receiver.mailed
        assert (mailed.in_tls, mailed.login, mailed.sender) == (True, "me", "from@example.com")
        assert mailed.recipients == ["a@example.com", "b@example.com"]


async def test_mail_goes_through_tls_from_the_first_byte(held: Trust) -> None:
    with MailReceiver(tls=held.server, from_start=True) as receiver:
        assert (await mail(receiver.port, held.client, tls="tls")).verdict == "accepted"
        assert receiver.mailed[0].in_tls


async def test_where_there_is_no_tls_or_none_that_holds_nothing_is_sent(held: Trust) -> None:
    with MailReceiver() as receiver:
        assert (await mail(receiver.port, held.client)).verdict == "later"
        assert receiver.mailed == []
    stranger = await anyio.to_thread.run_sync(ssl.create_default_context)
    for from_start, how in ((False, "starttls"), (True, "tls")):
        with MailReceiver(tls=held.server, from_start=from_start) as receiver:
            assert (await mail(receiver.port, stranger, tls=how)).verdict == "later"
            assert receiver.mailed == []


@pytest.mark.parametrize(
    ("verb", "reply", "verdict"),
    [("CONNECT", "421 busy", "later"), ("CONNECT", "554 no", "refused"), ("MAIL", "451 later", "later"),
     ("MAIL", "550 never", "refused"), ("DATA", "452 full", "later"), ("DATA", "554 spam", "refused"),
     ("END", "451 later", "later"), ("END", "550 never", "refused")],
)  # fmt: skip
async def test_a_refusal_for_now_is_later_and_one_for_good_is_refused(
    held: Trust, verb: str, reply: str, verdict: str
) -> None:
    with MailReceiver(replies={verb: [reply]}) as receiver:
        sent = await mail(receiver.port, held.client, tls="none")
    assert (sent.verdict, sent.why) == (verdict, f"answered {reply[:3]}")


async def test_a_recipient_that_is_refused_keeps_the_others_from_nothing(held: Trust) -> None:
    with MailReceiver(replies={"RCPT": ["550 nobody"]}) as receiver:
        sent = await mail(receiver.port, held.client, tls="none")
        assert (sent.verdict, sent.why) == ("accepted", "answered 250; 1 of 2 recipients refused")
        assert receiver.mailed[0].recipients == ["b@example.com"]
    with MailReceiver(replies={"RCPT": ["550 nobody", "450 later"]}) as receiver:
        assert (await mail(receiver.port, held.client, tls="none")).verdict == "later"


async def test_a_login_that_fails_is_tried_again_and_its_answer_not_repeated(held: Trust) -> None:
    with MailReceiver(tls=held.server, login="me:pass") as receiver:
        sent = await mail(receiver.port, held.client, user="me", password="wrong")
    assert sent.verdict == "later" and "s3cr3t" not in sent.why
    with MailReceiver(tls=held.server) as receiver:
        assert (await mail(receiver.port, held.client, user="me", password="pass")).verdict == "later"


async def test_a_server_that_breaks_off_or_says_nothing_is_later(held: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    with MailReceiver() as receiver, FaultProxy(receiver.port) as proxy:
        proxy.cut_after(3, "response")
        assert (await mail(proxy.port, held.client, tls="none")).verdict == "later"
        proxy.refuse()
        assert (await mail(proxy.port, held.client, tls="none")).verdict == "later"
        proxy.accept()
        monkeypatch.setattr(smtp, "TIMEOUT_S", 0.3)
        proxy.stall(8, "response")
        assert (await mail(proxy.port, held.client, tls="none")).verdict == "later"


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    server = MailServer(host="h", port=1, tls="tls", context=trust(tmp_path).client, user="me", password="s3cr3t")
    assert "s3cr3t" not in repr(server)


async def test_a_password_that_cannot_be_written_and_a_challenge_that_is_none_are_later(held: Trust) -> None:
    with MailReceiver(tls=held.server, login="me:pass") as receiver:
        sent = await mail(receiver.port, held.client, user="me", password="pässwort")
        assert sent.verdict == "later" and "ssw" not in sent.why
    offered = "250-here\r\n250-AUTH CRAM-MD5\r\n250 8BITMIME"
    with MailReceiver(replies={"EHLO": [offered], "AUTH": ["334 no base64!"]}) as receiver:
        assert (await mail(receiver.port, held.client, tls="none", user="me", password="pass")).verdict == "later"


@pytest.mark.parametrize("host", ["a..example", "a" * 70])
async def test_a_server_whose_name_is_none_is_later(held: Trust, host: str) -> None:
    assert (await mail(25, held.client, host=host)).verdict == "later"
