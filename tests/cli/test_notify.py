"""`interlock notify`: a test through every channel, and what became of notices."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cli.shell import Shell
from tests.net.receivers import Answer, MailReceiver, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def told(shell: Shell, receiver: Receiver) -> Shell:
    """A deployment with a webhook."""
    file = shell.folder / "interlock.toml"
    file.write_text(f'{file.read_text()}\n[[notify.webhooks]]\nname = "hook"\nurl = "{receiver.url}"\n')
    return shell


def test_a_test_goes_through_every_channel_and_shows_what_was_answered(told: Shell, receiver: Receiver) -> None:
    with MailReceiver() as mail:
        file = told.folder / "interlock.toml"
        file.write_text(
            f'{file.read_text()}\n[[notify.mail]]\nname = "ops"\nhost = "127.0.0.1"\nport = {mail.port}\ntls = "none"\n'
            'from = "interlock@example.com"\nto = ["a@example.com"]\n'
        )
        assert told.json("notify", "test", who="olga") == {
            "channels": [
                {"channel": "hook", "answer": "accepted", "why": "answered 200"},
                {"channel": "ops", "answer": "accepted", "why": "answered 250"},
            ]
        }
        assert "A test of Interlock's notices: nobody waits" in mail.mailed[0].message["Subject"]
        assert told.json("notify", "test", "--channel", "ops", who="olga")["channels"][0]["channel"] == "ops"
        assert len(receiver.posted) == 1 and len(mail.mailed) == 2
    [posted] = receiver.posted
    assert posted.about["kind"] == "test"
    assert told.json("runs", "list")["runs"] == [], "nothing of it is recorded"


def test_a_test_that_does_not_get_through_says_so(told: Shell, receiver: Receiver) -> None:
    receiver.answers.append(Answer(403, body=b"wr0ng"))
    ran = told.run("notify", "test", who="olga")
    assert ran.code == 1 and "hook" in ran.out and "refused" in ran.out and "answered 403" in ran.out
    assert "wr0ng" not in ran.out and "s3cr3t" not in ran.out


def test_a_channel_that_there_is_not_is_named_with_those_that_there_are(told: Shell) -> None:
    error = told.json("notify", "test", "--channel", "hok", who="olga", code=2)["error"]
    assert error["code"] == "notify.channel" and "hook" in error["remedy"]


def test_without_a_channel_there_is_nothing_to_test(shell: Shell) -> None:
    ran = shell.run("notify", "test", who="olga")
    assert (ran.out, ran.code) == ("The settings name no channel: add one under [notify].\n", 1)
    assert shell.run("notify", "status", who="olga").out == "The settings name no channel: add one under [notify].\n"


@pytest.mark.parametrize("command", ["test", "status"])
def test_it_needs_an_operator(told: Shell, command: str) -> None:
    assert told.run("notify", command, who="maria").code == 5


def test_a_worker_tells_what_waits_and_status_shows_it(told: Shell, receiver: Receiver) -> None:
    told.held()
    assert told.json("notify", "status", who="olga")["channels"] == [
        {"channel": "hook", "delivered": 0, "failed": 0, "waiting": 1, "newest_us": None}
    ]
    told.run("work", "--once", who="olga")
    [posted] = receiver.posted
    assert posted.about["tool"] == "refund" and "500" not in posted.body.decode()
    after = told.json("notify", "status", who="olga")["channels"][0]
    assert (after["delivered"], after["waiting"]) == (1, 0)
    told.run("work", "--once", who="olga")
    assert len(receiver.posted) == 1
    [row] = told.json("audit", "notice", who="olga")["rows"]
    assert (row["channel"], row["status"], row["about"]) == ("hook", "delivered", posted.about["run"])
    assert told.run("notify", "status", who="olga").out.splitlines()[1].split()[:4] == ["hook", "1", "0", "0"]


def test_status_says_what_was_given_up_on_while_somebody_waits(told: Shell, receiver: Receiver) -> None:
    told.held()
    receiver.answers.append(Answer(410))
    told.run("work", "--once", who="olga")
    ran = told.run("notify", "status", who="olga")
    assert ran.code == 1
    assert "Given up on, and still waiting" in ran.out and "answered 410" in ran.out
    [failed] = told.json("notify", "status", who="olga", code=1)["failed"]
    assert (failed["channel"], failed["kind"]) == ("hook", "approval.requested")
    told.clock.advance(25 * 3600)
    told.run("work", "--once", who="olga")
    assert told.run("notify", "status", who="olga").code == 0, "nobody waits for it any more"


def test_no_secret_of_a_channel_is_in_the_ledger_or_in_what_is_printed(told: Shell, receiver: Receiver) -> None:
    """T32: the address of the hook and its key."""
    told.held()
    ran = [
        told.run(*line.split(), who="olga") for line in ("work --once", "notify status", "notify test", "ledger verify")
    ]
    key = (told.folder / ".interlock" / "webhook-hook.key").read_text().strip()
    for file in (told.folder / ".interlock").iterdir():
        if file.name != "webhook-hook.key":
            assert b"s3cr3t" not in file.read_bytes() and key.encode() not in file.read_bytes(), file.name
    assert receiver.posted and "s3cr3t" not in json.dumps([each.out + each.err for each in ran])
    assert ran[-1].code == 0
