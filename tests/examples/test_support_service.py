"""The support desk's far end: passages with sources, refunds within what was paid, and mail that arrives once."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import anyio
import pytest

import interlock
from examples.customer_support import client, tools
from examples.customer_support.deployment import AGENT
from examples.customer_support.far_end import serving
from examples.far_end import FarEnd
from interlock.testing import FaultProxy

CONTEXT = interlock.CallContext(
    run_id="run_1", call_id="call_1", attempt=1, idempotency_key="key-1", principal_id="desk-agent", tenant="default",
    deadline_s=5.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def far_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarEnd]:
    with serving(tmp_path_factory.mktemp("service") / "support.db") as far_end:
        yield far_end


def mailed(far_end: FarEnd) -> list[dict[str, object]]:
    return [effect for effect in far_end.effects() if effect["kind"] == "send_mail"]


def keyed(key: str) -> interlock.CallContext:
    return replace(CONTEXT, idempotency_key=key)


# Knowledge


def test_every_passage_that_is_found_has_its_source(far_end: FarEnd) -> None:
    found = client.get(CONTEXT, "/v1/knowledge", q="return a tent that was slept in")["items"]
    assert found[0]["source"] == "returns#2"
    for passage in found:
        assert client.look_up(CONTEXT, f"/v1/knowledge/{passage['source'].replace('#', '%23')}", "-") == passage


def test_words_that_no_passage_has_find_nothing(far_end: FarEnd) -> None:
    assert client.get(CONTEXT, "/v1/knowledge", q="quantum chromodynamics")["items"] == []
    assert client.look_up(CONTEXT, "/v1/knowledge/nowhere%231", "passage_not_found") is None


# Money and tickets


def test_no_more_is_given_back_than_was_paid_and_once_per_key(far_end: FarEnd) -> None:
    for _ in range(2):
        client.post(keyed("refund-1"), "/v1/orders/70420/refunds", {"amount_cents": 3_000, "reason": "late"})
    with pytest.raises(interlock.Rejected) as refused:
        client.post(keyed("refund-2"), "/v1/orders/70420/refunds", {"amount_cents": 201, "reason": "late"})
    assert refused.value.reason == "this is more than is left of what was paid"
    assert client.get(CONTEXT, "/v1/orders/70420")["refunded_cents"] == 3_000


def test_a_ticket_is_the_customers_whose_order_it_is_about(far_end: FarEnd) -> None:
    body = {"order_id": 70412, "subject": "A leak", "text": "It leaks."}
    ticket = client.post(keyed("ticket-1"), "/v1/tickets", body)
    assert (ticket["customer_email"], ticket["status"]) == ("imani@okafor.example", "open")
    solved = client.post(keyed("ticket-2"), f"/v1/tickets/{ticket['id']}", {"status": "solved", "note": "mended"})
    assert (solved["status"], solved["note"]) == ("solved", "mended")
    with pytest.raises(interlock.Rejected):
        client.post(keyed("ticket-3"), "/v1/tickets", body | {"order_id": 1})


# Mail


def test_a_mail_is_an_effect_under_the_calls_key(far_end: FarEnd) -> None:
    before = len(mailed(far_end))
    client.mail(keyed("mail-1"), "imani@okafor.example", "Grüße", "Zeile eins\n.\n..drei\n")
    [mail] = mailed(far_end)[before:]
    assert mail["idempotency_key"] == "mail-1"
    assert mail["body"] == {
        "from": client.SENDER, "to": "imani@okafor.example", "subject": "Grüße", "text": "Zeile eins\n.\n..drei",
    }  # fmt: skip


async def asked(key: str) -> object:
    """What the tool says of a key that calls are settled by."""
    settings = interlock.Settings(ledger=None, mode="evaluate_only")
    async with interlock.open_plane(settings, tools=[tools.find_mail]) as plane, plane.run(AGENT) as run:
        return (await run.call("find_mail", {"idempotency_key": key})).value


def test_who_asks_for_a_mail_by_its_key_is_told_whether_it_came(far_end: FarEnd) -> None:
    """What settles a mail of which nobody knows: it is asked about, and not sent again."""
    client.mail(keyed("mail-2"), "imani@okafor.example", "A tent", "It is on its way.")
    found = {"done": True, "result": {"recipient": "imani@okafor.example", "subject": "A tent"}}
    assert anyio.run(asked, "mail-2") == found
    assert anyio.run(asked, "mail-3") == {"done": False, "result": None}


def test_the_same_mail_again_is_kept_once_and_another_by_its_key_is_refused(far_end: FarEnd) -> None:
    before = len(mailed(far_end))
    for _ in range(2):
        client.mail(keyed("mail-4"), "imani@okafor.example", "A tent", "It is on its way.")
    with pytest.raises(interlock.Rejected):
        client.mail(keyed("mail-4"), "imani@okafor.example", "A tent", "It is not.")
    assert len(mailed(far_end)) == before + 1


async def no_pause(seconds: float) -> None:
    """What a person would have waited."""


async def written(subject: str) -> interlock.Outcome:
    """A mail, by a governed call."""
    settings = interlock.Settings(ledger=None, mode="evaluate_only")
    mail = {"ticket_id": 9001, "to": "noor@haddad.example", "subject": subject, "text": "It comes on Friday."}
    desk = [tools.send_mail, tools.find_mail, tools.get_ticket]
    world = interlock.World(pause=no_pause)
    async with interlock.open_plane(settings, tools=desk, world=world) as plane, plane.run(AGENT) as run:
        return await run.call("send_mail", mail)


BEFORE_THE_MAIL = len("220 support.example\r\n" + 3 * "250 ok\r\n")
WITHIN_ITS_RECEIPT = BEFORE_THE_MAIL + len("354 go on\r\n2")


@pytest.mark.parametrize("answered", [BEFORE_THE_MAIL, WITHIN_ITS_RECEIPT])
def test_a_mail_whose_fate_is_unknown_is_asked_about_and_arrives_once(
    far_end: FarEnd, monkeypatch: pytest.MonkeyPatch, answered: int
) -> None:
    """The connection breaks before the mail is taken, or while that it was is said."""
    before = len(mailed(far_end))
    with FaultProxy(int(os.environ[client.SMTP].partition(":")[2])) as proxy:
        monkeypatch.setenv(client.SMTP, f"127.0.0.1:{proxy.port}")
        proxy.cut_after(answered, "response")
        outcome = anyio.run(written, f"Cut after {answered}")
    assert outcome.kind is interlock.OutcomeKind.DONE, outcome
    assert outcome.value == {"recipient": "noor@haddad.example", "subject": f"Cut after {answered}"}
    assert len(mailed(far_end)) == before + 1


def test_no_connection_means_that_no_mail_was_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(tmp_path / "gone.db"):
        pass
    with pytest.raises(interlock.NotSent):
        client.mail(CONTEXT, "imani@okafor.example", "A tent", "It is on its way.")
    monkeypatch.delenv(client.SMTP)
    with pytest.raises(interlock.NotSent):
        client.mail(CONTEXT, "imani@okafor.example", "A tent", "It is on its way.")


def test_the_mail_server_takes_commands_in_their_order_only(tmp_path: Path) -> None:
    with serving(tmp_path / "support.db") as far_end:
        host, _, port = os.environ[client.SMTP].partition(":")
        with smtplib.SMTP(host, int(port), "test.example", 5) as server:
            assert server.docmd("DATA")[0] == 503
            assert server.docmd("RCPT", "TO:somebody")[0] == 503
            assert server.docmd("VRFY", "imani")[0] == 503
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = "a@b.example", "c@d.example", "No id"
            message.set_content("Hello.")
            server.send_message(message)
        [mail] = mailed(far_end)
        assert mail["idempotency_key"] is None
