"""What stems from tools and callers is shown, and is never markup, a link, a header or a line end."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.net.smtp import MailServer
from interlock.notices.mail import Mail, message_of
from interlock.notices.notice import Audience, Notice, NoticeKind
from interlock.notices.webhook import body_of, key_of, secret_of, signed
from interlock.notices.wording import inert, worded
from tests.net.receivers import KEY, Posted
from tests.net.receivers import trust as certified
from tests.notices.office import LINK

HOSTILE = [
    "<https://evil.example|Approve here>", "<!channel> now", "<@U123>", "*bold* _it_ ~no~ `code`", "a & b",
    "\r\nBcc: all@example.com", "x\r\n\r\nbody", "a\nb", "\u202egnp.exe", "zero\u200bwidth", "\x1b[31mred\x00",
    "https://evil.example/accept", "www.evil.example", "evil.com", "javascript:alert(1)", "\u043eld.com", "{run_id}",
    "[label](https://evil.example)", "=?utf-8?q?=0D=0ABcc:?=", "\u2028\u2029", "é" * 500, "\ud800",
]  # fmt: skip
UNTIL_US = 2_000_000_000_000_000
ANY = st.sampled_from(HOSTILE) | st.text(max_size=300)


def notice(text: str = "refund", kind: NoticeKind = NoticeKind.REQUESTED, **given: object) -> Notice:
    said = {
        "tool": text,
        "effect": "irreversible",
        "subject": text,
        "groups": (text,),
        "says": text,
        "expires_us": 2_000_000_000_000_000,
    }
    return Notice(kind=kind, ref="appr_1", run_id="run_1", at_us=1_767_225_600_000_000, **(said | given))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Mail:
    trust = certified(tmp_path_factory.mktemp("trust")).client
    server = MailServer(host="h", port=25, tls="tls", context=trust, user="u", password="pw")
    return Mail(name="ops", audience=Audience(), server=server, sender="interlock@example.com",
                to=["a@example.com", "b@example.com"], link="")  # fmt: skip


@given(ANY, st.sampled_from(NoticeKind))
def test_no_text_is_markup_or_a_link_in_a_body(text: str, kind: NoticeKind) -> None:
    """T44 and approvals 6: nothing of a tool is a title with markup, a link or a button."""
    asked = notice(text, kind)
    document = json.loads(body_of(asked, "ntc_1", worded(asked, LINK)))
    shown = [document["text"]]
    for block in document["blocks"]:
        for element in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
            if element is None:
                continue
            assert block["type"] in ("header", "section", "context")
            if element["type"] == "mrkdwn":
                assert element["text"] == "<https://console.example/approvals/appr_1|Open the request>"
            else:
                assert element["type"] == "plain_text" and element["emoji"] is False
                assert 0 < len(element["text"]) <= 2000
                shown.append(element["text"])
    for said in shown:
        assert "<" not in said and ">" not in said
        said = said.replace("https://console.example/approvals/appr_1", "")
        assert "://" not in said and said.isprintable()
    assert document["interlock"]["tool"] == asked.tool, "programs get it as the ledger has it"


@given(ANY, st.sampled_from(NoticeKind))
def test_no_text_is_a_header_or_a_line_of_its_own_in_mail(mail: Mail, text: str, kind: NoticeKind) -> None:
    plain = message_of(notice(kind=kind), mail, 1_767_225_600_000_000)
    hostile = message_of(notice(text, kind), mail, 1_767_225_600_000_000)
    read = message_from_bytes(hostile.as_bytes(), policy=SMTP)
    assert read.keys() == plain.keys()
    assert read["To"] == "a@example.com, b@example.com"
    lines = read.get_content().splitlines()  # type: ignore[attr-defined]
    assert len(lines) <= len(plain.get_content().splitlines()) + 1
    assert not any("://" in line or not line.isprintable() for line in lines)
    assert not any(line.startswith(("Bcc", "body")) for line in lines)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("refund_order", "refund_order"), ("crm.update", "crm[.]update"), ("v1.2", "v1.2"),
        ("http://evil.example", "http[:]//evil[.]example"), ("a\r\nb", "a\\r\\nb"), ("\u202eabc", "\\u202eabc"),
        ("=?utf-8?q?=0D?=", "=[?]utf-8?q?=0D?="), ("x" * 200, "x" * 119 + "…"),
    ],
)  # fmt: skip
def test_a_text_is_made_inert(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_a_notice_says_what_a_person_needs_and_no_argument() -> None:
    said = worded(notice("refund", groups=("leads", "cfo"), quorum=2, tenant="acme"), "")
    assert said.title == "Approval needed: refund (irreversible)"
    assert dict(said.facts) == {
        "tool": "refund", "effect": "irreversible", "on behalf of": "refund", "may decide": "2 of leads, cfo",
        "until": "2033-05-18T03:33:20.000Z", "run": "run_1", "tenant": "acme",
    }  # fmt: skip
    assert said.command == "interlock approvals show appr_1" and said.link == ""


def test_a_mail_is_known_by_its_id_and_answered_by_no_machine(mail: Mail) -> None:
    first, again = (message_of(notice(), mail, at_us) for at_us in (1_767_225_600_000_000, 1_767_225_700_000_000))
    assert first["Message-ID"] == again["Message-ID"] == f"<{notice().id_for('ops')}@example.com>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Subject"] == "[Interlock] Approval needed: refund (irreversible)"
    assert first.get_content_type() == "text/plain" and not first.is_multipart()
    assert "Open it with: interlock approvals show appr_1" in first.get_content()


def test_an_id_is_of_what_it_is_about_and_of_the_channel() -> None:
    ids = {notice(kind=kind).id_for(channel) for kind in NoticeKind for channel in ("a", "b")}
    assert notice("other", expires_us=1).id_for("a") in ids, "neither the time nor what it says makes it another"
    assert len(ids) == 2 * len(NoticeKind)
    assert all("." not in each and each.startswith("ntc_") and len(each) == 36 for each in ids)


def test_a_signature_is_that_of_the_published_example() -> None:
    """Standard Webhooks 1.0: the example of its reference libraries."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, key)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("part", ["body", "id", "timestamp", "key"])
def test_a_signature_holds_for_nothing_that_was_changed(part: str) -> None:
    headers, body, key = signed("ntc_1", 1, b"{}", KEY), b"{}", KEY
    if part == "body":
        body = b"{} "
    elif part == "key":
        key = KEY[::-1]
    else:
        headers[f"webhook-{part}"] = "2"
    assert not Posted("/", headers, body).is_signed(key)
    assert Posted("/", signed("ntc_1", 1, b"{}", KEY), b"{}").is_signed(KEY)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_ö", secret_of(KEY)[6:], secret_of(bytes(65))])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    from interlock.errors import BadInput

    with pytest.raises(BadInput) as refused:
        key_of(secret)
    assert refused.value.code == "notify.secret"
    assert key_of(secret_of(KEY) + "\n") == KEY
