"""Somebody who is waited for is told: at least once, under one id, by one process, whatever a receiver does."""

from __future__ import annotations

import logging

import anyio
import pytest

from interlock.core.event import NOTICES, Fact, Kind
from interlock.errors import StoreUnavailable
from interlock.ledger.alerted import About, AlertBook
from interlock.ledger.rebuild import differences
from interlock.ledger.store import Append, Claim
from interlock.net.sent import Sent
from interlock.notices import notifier as notifier_module
from interlock.notices.notice import Audience, Notice, NoticeKind
from interlock.notices.notifier import GIVE_UP_S
from interlock.notices.outbox import Outbox
from interlock.testing import FaultProxy
from tests.ledger.makers import intent, proposed, read_call, told
from tests.net.receivers import Answer, Receiver
from tests.notices.office import LINK, Office, given_up

pytestmark = pytest.mark.anyio


def unknown(call_id: str) -> Fact:
    return Fact(Kind.CALL_UNKNOWN, {"outcome": told("unknown"), "why": "lost"}, call_id, 1, 1, outcome="unknown")


async def test_a_request_is_told_once_to_each_channel(office: Office, receiver: Receiver) -> None:
    with Receiver() as other:
        notifier = office.notifier(office.webhook(receiver.port), office.webhook(other.port, "other"))
        asked = await office.ask("run_1")
        assert await notifier.look() == 2
        assert await notifier.look() == 0
        [one], [two] = receiver.posted, other.posted
    assert one.about["approval_id"] == two.about["approval_id"] == asked
    assert one.id != two.id and one.is_signed()
    assert await office.told() == [asked, asked]


async def test_an_unknown_and_a_dead_call_are_told_to_whom_they_are_for(office: Office, receiver: Receiver) -> None:
    operators = Audience(groups=frozenset({"operator"}))
    notifier = office.notifier(office.webhook(receiver.port, audience=operators))
    await office.ask("run_1")
    await office.write("run_2", read_call("call_a")[0], intent("call_a"), unknown("call_a"))
    await office.write("run_2", proposed("call_b", 2), *given_up("call_b"))
    await notifier.look()
    said = [(posted.about["kind"], posted.about["call_id"], posted.about["subject"]) for posted in receiver.posted]
    assert sorted(said) == [("call.dead_lettered", "call_b", "ana"), ("call.unknown", "call_a", "ana")]


async def test_what_was_decided_before_it_could_be_told_is_not_told(office: Office, receiver: Receiver) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    await office.ask("run_1")
    await office.reject("run_1")
    await office.ask("run_2", expires_s=60)
    office.clock.advance(61)
    await office.write("run_3", read_call("call_a")[0], intent("call_a"), unknown("call_a"))
    settled = Fact(Kind.CALL_RECONCILED, {"outcome": told("done"), "by": "opa"}, "call_a", 1, outcome="done")
    await office.write("run_3", settled)
    assert await notifier.look() == 0
    assert receiver.posted == []


async def test_what_is_decided_between_the_look_and_its_turn_is_not_told(office: Office, receiver: Receiver) -> None:
    decided_meanwhile = await office.ask("run_1")
    await office.ask("run_2")
    notifier = office.notifier(office.webhook(receiver.port))
    line = notifier._lines[0]
    send = line._send

    async def decides_first(notice: object, stands_for: object) -> None:
        await office.reject("run_2")
        await send(notice, stands_for)  # type: ignore[arg-type]

    line._send = decides_first  # type: ignore[method-assign]
    await notifier.look()
    assert [posted.about["approval_id"] for posted in receiver.posted] == [decided_meanwhile]


async def test_a_channel_is_told_of_its_kinds_groups_and_tenants_alone(office: Office, receiver: Receiver) -> None:
    """T35: nothing of one tenant reaches a channel of another."""
    only = Audience(
        kinds=frozenset({"approval.requested"}), groups=frozenset({"leads"}), tenants=frozenset({"acme"})
    )  # fmt: skip
    notifier = office.notifier(office.webhook(receiver.port, audience=only))
    wanted = await office.ask("run_1", tenant="acme")
    await office.ask("run_2", tenant="acme", groups=("cfo",))
    await office.ask("run_3")
    await office.write("run_4", proposed("call_b"), *given_up("call_b"), tenant="acme")
    await notifier.look()
    assert [posted.about["approval_id"] for posted in receiver.posted] == [wanted]


async def test_what_does_not_get_through_is_tried_again_with_growing_pauses(office: Office, receiver: Receiver) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    asked = await office.ask("run_1", expires_s=9999)
    receiver.answers += [Answer(503)] * 12
    pauses, waited = [], 0
    while not await office.told():
        before = len(receiver.posted)
        await notifier.look()
        if len(receiver.posted) > before:
            pauses.append(waited)
            waited = 0
        office.clock.advance(1)
        waited += 1
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert {posted.id for posted in receiver.posted} == set(receiver.acted) and len(receiver.acted) == 1
    assert all(posted.is_signed() for posted in receiver.posted)
    assert len({posted.headers["webhook-timestamp"] for posted in receiver.posted}) == len(receiver.posted)
    assert asked in receiver.posted[0].body.decode()


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 0.8), (1.0, 1.2)])
async def test_a_pause_varies(office: Office, receiver: Receiver, jitter: float, seconds: float) -> None:
    notifier = office.notifier(office.webhook(receiver.port), jitter=jitter)
    await office.ask("run_1")
    receiver.answers.append(Answer(500))
    await notifier.look()
    office.clock.advance(seconds - 0.01)
    await notifier.look()
    assert len(receiver.posted) == 1
    office.clock.advance(0.02)
    assert await notifier.look() == 1


@pytest.mark.parametrize(("asked", "waited"), [("120", 120), ("86400", 3600)])
async def test_a_receiver_that_asks_to_be_left_alone_is_within_bounds(
    office: Office, receiver: Receiver, asked: str, waited: int
) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    await office.ask("run_1", expires_s=9999)
    receiver.answers.append(Answer(429, (("retry-after", asked),)))
    await notifier.look()
    office.clock.advance(waited - 1)
    await notifier.look()
    assert len(receiver.posted) == 1
    office.clock.advance(2)
    assert await notifier.look() == 1


async def test_a_receiver_that_refuses_is_not_asked_again_and_that_is_recorded(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    asked = await office.ask("run_1")
    receiver.answers.append(Answer(404, body=b"s3cr3t"))
    await notifier.look()
    office.clock.advance(2000)
    await notifier.look()
    assert await office.told("failed") == [asked]
    [row] = await office.store.rows("notice")
    assert (row["why"], row["attempts"], row["channel"]) == ("answered 404", 1, "hook")
    assert "given up on: answered 404" in caplog.text and "s3cr3t" not in caplog.text
    assert len(receiver.posted) == 1


async def test_after_a_day_a_notice_is_given_up_on(office: Office, receiver: Receiver) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    asked = await office.ask("run_1", expires_s=3 * GIVE_UP_S)
    receiver.answers += [Answer(500)] * 9
    await notifier.look()
    office.clock.advance(GIVE_UP_S - 1)
    await notifier.look()
    assert await office.told("failed") == []
    office.clock.advance(400)
    await notifier.look()
    assert await office.told("failed") == [asked]
    [row] = await office.store.rows("notice")
    assert row["attempts"] == 3


async def test_a_notice_that_never_gets_through_holds_up_no_other(office: Office, receiver: Receiver) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    bad = await office.ask("run_1")
    receiver.answers.append(Answer(500))
    await notifier.look()
    good = await office.ask("run_2")
    receiver.answers.append(Answer(200))
    office.clock.advance(1.5)
    receiver.answers.append(Answer(500))
    await notifier.look()
    assert await office.told() == [good]
    assert [posted.about["approval_id"] for posted in receiver.posted] == [bad, good, bad]


async def test_a_channel_that_is_down_holds_up_no_other_and_is_tried_once_a_pause(
    office: Office, receiver: Receiver
) -> None:
    with Receiver() as down:
        down.answers += [Answer(503)] * 50
        notifier = office.notifier(office.webhook(down.port, "down"), office.webhook(receiver.port))
        for number in range(5):
            await office.ask("run_1", number)
        assert await notifier.look() == 5
        assert len(down.posted) == 1
        office.clock.advance(1)
        await notifier.look()
        assert len(down.posted) == 2


async def test_an_answer_that_is_lost_means_another_try_and_no_second_act(office: Office, receiver: Receiver) -> None:
    """Never twice acted upon: the receiver knows the second copy by its id."""
    with FaultProxy(receiver.port) as proxy:
        notifier = office.notifier(office.webhook(proxy.port))
        asked = await office.ask("run_1")
        proxy.cut_after(1, "response")
        assert await notifier.look() == 0
        office.clock.advance(2)
        assert await notifier.look() == 1
    assert len(receiver.posted) == 2 and len(receiver.acted) == 1
    assert await office.told() == [asked]


async def test_what_cannot_be_recorded_is_sent_again_under_its_id_after_a_pause(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    await office.ask("run_1")
    append, broken = office.store.append, True

    async def breaks(given: Append) -> object:
        if broken and given.facts and given.chain == NOTICES:
            raise StoreUnavailable("the disk is full", code="ledger.full")
        return await append(given)

    office.store.append = breaks  # type: ignore[method-assign, assignment]
    for _ in range(3):
        await notifier.look()
    assert len(receiver.posted) == 1, "a ledger that is full is no reason to send every second"
    assert "could not be recorded" in caplog.text
    broken = False
    office.clock.advance(2)
    assert await notifier.look() == 1
    assert len(receiver.posted) == 2 and len(receiver.acted) == 1


async def test_a_process_that_is_ended_while_it_sends_records_what_was_received(
    office: Office, receiver: Receiver
) -> None:
    """Cancelled between the answer and its record: else every end of a process would mean a second copy."""
    scope = anyio.CancelScope()
    reach: list[str] = []

    def end(point: str) -> None:
        reach.append(point)
        if point == "notice.sent":
            scope.cancel()

    asked = await office.ask("run_1")
    with scope:
        await office.notifier(office.webhook(receiver.port), reach=end).run()
    assert reach[-1] == "notice.recorded"
    assert await office.told() == [asked]


async def test_one_process_tells_at_a_time_and_another_goes_on_when_its_claim_lapses(
    office: Office, receiver: Receiver
) -> None:
    one = office.notifier(office.webhook(receiver.port), worker="w1")
    two = office.notifier(office.webhook(receiver.port), worker="w2")
    await office.ask("run_1")
    assert (await one.look(), await two.look()) == (1, 0)
    await office.ask("run_1", 2)
    assert await two.look() == 0, "w1 holds the claim"
    office.clock.advance(31)
    assert await two.look() == 1
    await office.ask("run_1", 3)
    assert await one.look() == 0 and await two.look() == 1
    await two.close()
    await office.ask("run_1", 4)
    office.clock.advance(11)
    assert await one.look() == 1, "what was given back need not lapse"
    assert len(receiver.posted) == len(receiver.acted) == 4
    assert await office.store.rows("run", {"run_id": NOTICES}) == [], "it is no run"
    assert await differences(office.store) == []


async def test_who_lost_the_claim_while_sending_records_nothing_over_the_new_one(
    office: Office, receiver: Receiver
) -> None:
    passed: list[str] = []
    one = office.notifier(office.webhook(receiver.port), worker="w1", reach=passed.append)
    await office.ask("run_1")
    await one.look()
    await office.ask("run_1", 2)
    line = one._lines[0]
    send = line._send

    async def is_overtaken(notice: object, stands_for: object) -> None:
        office.clock.advance(31)
        await office.store.append(Append(NOTICES, "default", [], claim=Claim("w2", 30)))
        await send(notice, stands_for)  # type: ignore[arg-type]

    line._send = is_overtaken  # type: ignore[method-assign]
    await one.look()
    line._send = send  # type: ignore[method-assign]
    assert passed == ["notice.before", "notice.sent", "notice.recorded", "notice.before", "notice.sent"]
    assert len(await office.told()) == 1
    office.clock.advance(60)
    assert await one.look() == 1
    assert len(receiver.posted) == 3 and len(receiver.acted) == 2


async def test_more_than_twenty_requests_of_a_run_are_told_as_one(office: Office, receiver: Receiver) -> None:
    """T26: a flood is one message, also where the requests came after it or the process is another."""
    hook = office.webhook(receiver.port)
    notifier = office.notifier(hook)
    for number in range(21):
        await office.ask("run_1", number)
    await office.ask("run_2")
    assert await notifier.look() == 2
    [many] = [posted for posted in receiver.posted if posted.about["kind"] == "approvals.waiting"]
    assert (many.about["count"], many.about["run"]) == (21, "run_1")
    assert many.about["command"] == "interlock inbox --run run_1"
    for number in range(21, 31):
        await office.ask("run_1", number)
    assert await notifier.look() == 0
    await notifier.close()
    assert await office.notifier(hook, worker="w2").look() == 0
    for number in range(21):
        await office.reject("run_1", number)
    assert await office.notifier(hook, worker="w2").look() == 10, "those that it did not stand for"
    assert len(await office.told()) == 32


async def test_a_request_that_is_about_to_expire_is_told_once_more(office: Office, receiver: Receiver) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    await office.ask("run_1", expires_s=400)
    await notifier.look()
    office.clock.advance(299)
    assert await notifier.look() == 0
    await office.ask("run_2", expires_s=400)
    office.clock.advance(1)
    assert await notifier.look() == 2
    assert await notifier.look() == 0
    assert [posted.about["kind"] for posted in receiver.posted] == [
        "approval.requested", "approval.expires", "approval.requested",
    ]  # fmt: skip


async def test_a_channel_for_reminders_alone_is_told_in_the_last_quarter(office: Office, receiver: Receiver) -> None:
    only = Audience(kinds=frozenset({"approval.expires"}))
    notifier = office.notifier(office.webhook(receiver.port, audience=only))
    await office.ask("run_1", expires_s=400)
    assert await notifier.look() == 0
    office.clock.advance(301)
    assert (await notifier.look(), await notifier.look()) == (1, 0)
    assert receiver.posted[0].about["kind"] == "approval.expires"


async def test_a_request_that_is_first_told_late_is_not_told_again_at_once(office: Office, receiver: Receiver) -> None:
    notifier = office.notifier(office.webhook(receiver.port))
    await office.ask("run_1", expires_s=400)
    office.clock.advance(350)
    assert await notifier.look() == 1
    office.clock.advance(10)
    assert await notifier.look() == 0


async def test_a_new_channel_is_told_of_what_still_waits(office: Office, receiver: Receiver) -> None:
    await office.ask("run_1")
    await office.notifier(office.webhook(receiver.port)).look()
    both = office.notifier(office.webhook(receiver.port), office.webhook(receiver.port, "new"))
    assert await both.look() == 1


async def test_a_call_that_could_not_be_undone_is_told_unless_it_was_later(office: Office, receiver: Receiver) -> None:
    notifier = office.notifier(office.webhook(receiver.port))

    def undone(call_id: str, outcome: str, attempt: int = 1) -> Fact:
        return Fact(Kind.CALL_COMPENSATED, {}, call_id, 1, attempt, outcome=outcome)

    await office.write("run_1", *read_call("call_a"), undone("call_a", "failed"))
    await office.write("run_2", *read_call("call_b"), undone("call_b", "failed"), undone("call_b", "done", 2))
    assert await notifier.look() == 1
    assert [posted.about["kind"] for posted in receiver.posted] == ["call.not_undone"]
    assert receiver.posted[0].about["command"] == "interlock saga show run_1"


async def test_a_dead_letter_that_was_proposed_again_is_no_news_and_looked_at_once(
    office: Office, receiver: Receiver
) -> None:
    retried = Fact(Kind.OPERATOR, {"act": "retry", "by": "opa", "reason": "up", "run_id": "run_2"}, "call_a", 1, 1)
    await office.write("run_1", proposed("call_a"), *given_up("call_a"), retried)
    await office.write("run_3", proposed("call_c"), *given_up("call_c", "unknown")[1:])
    notifier = office.notifier(office.webhook(receiver.port))
    assert await notifier.look() == 0
    assert await notifier._lines[0]._due(await notifier._outbox.waiting()) == []


async def test_a_call_that_is_settled_or_whose_row_is_gone_is_no_news(office: Office) -> None:
    outbox = Outbox(office.store, office.clock)
    for kind in (NoticeKind.UNKNOWN, NoticeKind.DEAD, NoticeKind.NOT_UNDONE, NoticeKind.REQUESTED):
        gone = Notice(kind=kind, ref="call_x", run_id="run_x", at_us=office.clock.wall_us())
        assert await outbox.still(gone) is None


async def test_a_dead_letter_of_last_week_is_nobodys_news(office: Office, receiver: Receiver) -> None:
    await office.write("run_1", proposed("call_b"), *given_up("call_b"))
    office.clock.advance(8 * 86_400)
    assert await office.notifier(office.webhook(receiver.port)).look() == 0


async def test_more_than_is_sent_at_once_is_sent_without_a_pause(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier_module, "AT_ONCE", 3)
    for number in range(7):
        await office.ask("run_1", number)
    line = office.notifier(office.webhook(receiver.port))._lines[0]
    assert [await line.attend() for _ in range(4)] == [True, True, False, False]
    assert len(receiver.acted) == 7


async def test_a_defect_of_a_channel_is_told_and_stops_no_other(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        name, audience = "broken", Audience()

        async def send(self, *_: object) -> object:
            raise ZeroDivisionError

        async def close(self) -> None: ...

    await office.ask("run_1")
    notifier = office.notifier(Broken(), office.webhook(receiver.port))  # type: ignore[arg-type]
    assert await notifier.look() == 1
    assert "channel broken failed: a defect of Interlock" in caplog.text


async def test_a_ledger_that_cannot_be_read_is_told_once(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    notifier = office.notifier(office.webhook(receiver.port))
    await office.store.close()

    async def broken(*_: object) -> object:
        raise StoreUnavailable("gone")

    office.store.rows = broken  # type: ignore[method-assign, assignment]
    for _ in range(3):
        await notifier.look()
    assert caplog.text.count("channel hook: gone") == 1


async def test_an_alert_is_told_once_and_told_again_when_it_is_over(office: Office, receiver: Receiver) -> None:
    """D7: through the same outbox, so it survives a restart and is one for all workers."""
    book, about = AlertBook(office.store), About("default", "errors", "mail")
    await book.raise_(about, "20 of 20 calls of mail failed", {"failed": 20})
    assert await office.notifier(office.webhook(receiver.port)).look() == 1
    assert await office.notifier(office.webhook(receiver.port)).look() == 0, "another process, after a restart"
    alert = (await book.now()).standing[about]
    await book.resolve(alert)
    assert await office.notifier(office.webhook(receiver.port)).look() == 1
    raised, over = receiver.posted
    assert (raised.about["kind"], over.about["kind"]) == ("alert.raised", "alert.resolved")
    assert raised.about["alert_id"] == over.about["alert_id"] == alert.alert_id
    assert raised.about["says"] == "20 of 20 calls of mail failed"
    assert raised.id != over.id


async def test_that_an_alert_is_over_is_told_to_whom_it_was_told_alone(office: Office, receiver: Receiver) -> None:
    book, about = AlertBook(office.store), About("default", "errors", "mail")
    await book.raise_(about, "it fails", {})
    await book.resolve((await book.now()).standing[about])
    assert await office.notifier(office.webhook(receiver.port)).look() == 0, "over before it could be told: no news"


async def test_an_alert_is_told_to_its_own_tenant_alone_t35(office: Office, receiver: Receiver) -> None:
    book = AlertBook(office.store)
    await book.raise_(About("other", "errors", "mail"), "it fails", {})
    mine = Audience(tenants=frozenset({"default"}))
    assert await office.notifier(office.webhook(receiver.port, audience=mine)).look() == 0
    theirs = Audience(tenants=frozenset({"other"}))
    assert await office.notifier(office.webhook(receiver.port, audience=theirs)).look() == 1


async def test_a_request_with_a_link_opens_where_the_settings_say(office: Office, receiver: Receiver) -> None:
    asked = await office.ask("run_1")
    await office.notifier(office.webhook(receiver.port, link=LINK)).look()
    assert receiver.posted[0].about["link"] == f"https://console.example/approvals/{asked}"


def test_the_kinds_of_the_settings_are_those_that_there_are() -> None:
    from interlock.notices.notice import CHOSEN
    from interlock.notify_settings import EVERY_KIND

    assert EVERY_KIND == CHOSEN == tuple(NoticeKind(kind) for kind in EVERY_KIND)


async def test_a_notice_that_its_channel_fails_over_keeps_no_other_from_going(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """It is put off like any other, and what the error says is not repeated: it may quote the address."""
    hook = office.webhook(receiver.port)
    poison = await office.ask("run_1")
    others = [await office.ask("run_2"), await office.ask("run_3")]
    tried = []

    class Fails:
        name, audience = hook.name, hook.audience

        async def send(self, notice: Notice, at_us: int) -> Sent:
            if notice.ref != poison:
                return await hook.send(notice, at_us)
            tried.append(at_us)
            secret = "s3cr3t"
            raise ValueError(secret)

        async def close(self) -> None: ...

    notifier = office.notifier(Fails())
    for _ in range(8):
        await notifier.look()
        office.clock.advance(1)
    assert sorted(await office.told()) == sorted(others)
    assert 1 < len(tried) < 5
    assert "s3cr3t" not in caplog.text and "ValueError" in caplog.text
