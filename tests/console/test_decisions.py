"""Decisions that are posted by hand: what the server itself sees to, whatever a browser does."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from interlock.core.event import Kind
from tests.console.posting import Answered, fields_of, get, post
from tests.console.stand import ADA, EVE, VERA, Stand, stand
from tests.planes import ANA, BOB, CAY, OPA, Far


def decided(at: Stand, run_id: str) -> list[dict[str, Any]]:
    """The bodies of what was decided in a run."""
    return [event.fact.body for event in at.do(at.plane.store.read, run_id) if event.fact.kind is Kind.APPROVAL_DECIDED]


def said(at: Stand, approval_id: str, *more: tuple[str, str], person: Any = BOB, form: str = "approve") -> Answered:
    """A decision of somebody who was shown the page."""
    path = f"/approvals/{approval_id}"
    return post(at, person, path, [*fields_of(get(at, person, path).text, form), *more])


def test_t24_whoever_asked_does_not_decide_and_is_told_why(console: Stand) -> None:
    """T24: requester == approver is refused on the page, and by the server where it is posted all the same."""
    run_id, held = console.call(ADA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    page = get(console, ADA, path)
    assert "You cannot decide about this" in page.text and "on whose behalf" in page.text
    assert fields_of(page.text) and 'id="do-approve"' not in page.text
    bound = [pair for pair in fields_of(get(console, BOB, path).text) if pair[0] != "shown"]
    own = [pair for pair in fields_of(page.text) if pair[0] == "shown"]
    told = post(console, ADA, path, [*bound, *own])
    assert told.status == 403 and "approval.own_call" in told.text
    assert not decided(console, run_id) and not console.far.ran


def test_t24_another_tenants_approver_finds_nothing(console: Stand) -> None:
    run_id, held = console.call(ANA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    assert get(console, EVE, path).status == 404
    fields = fields_of(get(console, BOB, path).text)
    assert post(console, EVE, path, fields).status == 404
    assert post(console, EVE, f"{path}/withdraw", [("reason", "x")]).status == 404
    assert not decided(console, run_id)


def test_whoever_may_only_look_decides_nothing(console: Stand) -> None:
    run_id, held = console.call(ANA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    assert "You cannot decide about this" in get(console, VERA, path).text
    for person in (VERA, OPA):
        assert post(console, person, path, fields_of(get(console, BOB, path).text)).status == 403
    assert not decided(console, run_id)


@pytest.mark.parametrize("field", ["digest", "nonce", "approval_id", "shown", "decision"])
def test_a_form_of_another_request_or_of_nobody_decides_nothing(console: Stand, field: str) -> None:
    run_id, held = console.call(ANA, "refund", n=1)
    _, other = console.call(ANA, "refund", n=2)
    path = f"/approvals/{held.approval_id}"
    right = fields_of(get(console, BOB, path).text)
    theirs = dict(fields_of(get(console, BOB, f"/approvals/{other.approval_id}").text))
    for wrong in (theirs[field] if field != "decision" else "release", "", "x", "1.é"):
        told = post(console, BOB, path, [(name, wrong if name == field else text) for name, text in right])
        assert told.status == 400, (field, wrong)
    assert not decided(console, run_id) and not console.far.ran


def test_a_mark_of_another_persons_page_is_nobodys(console: Stand) -> None:
    run_id, held = console.call(ANA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    told = post(console, CAY, path, fields_of(get(console, BOB, path).text))
    assert told.status == 400 and "console.shown" in told.text and not decided(console, run_id)


def test_nobody_says_that_a_page_was_shown_before_it_was(console: Stand) -> None:
    """T26: how long somebody looked is counted from the moment that the mark was made at."""
    run_id, held = console.call(ANA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    fields = dict(fields_of(get(console, BOB, path).text))
    at, _, sealed = fields["shown"].partition(".")
    told = post(console, BOB, path, [*(fields | {"shown": f"{int(at) - 60_000_000}.{sealed}"}).items()])
    assert told.status == 400 and "console.shown" in told.text and not decided(console, run_id)


def test_t25_a_form_of_another_site_decides_nothing(console: Stand) -> None:
    """T25: no token, another's token, no origin, another origin, a request across sites; and no address decides."""
    run_id, held = console.call(ANA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    page = get(console, BOB, path)
    fields = fields_of(page.text)
    for headers in ({"origin": None}, {"origin": "https://evil.example"}, {"origin": "null"},
                    {"sec-fetch-site": "cross-site"}):  # fmt: skip
        assert post(console, BOB, path, fields, headers).status == 403, headers
    assert post(console, BOB, path, [*fields, ("csrf", "token-of-cay")]).status == 403
    assert post(console, BOB, path, fields, {"content-type": "text/plain"}).status == 415
    assert get(console, BOB, f"{path}?{urlencode(fields)}").status == 200
    assert not decided(console, run_id)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


def test_what_is_decided_is_decided_once(console: Stand) -> None:
    run_id, held = console.call(ANA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    fields = fields_of(get(console, BOB, path).text)
    assert post(console, BOB, path, fields).status == 303
    again = post(console, BOB, path, fields)
    assert again.status == 409 and "Decided a moment before by bob" in again.text
    assert len(decided(console, run_id)) == 1


def test_how_long_somebody_looked_is_measured_here_too(console: Stand) -> None:
    run_id, held = console.call(ANA, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    fields = [pair for pair in fields_of(get(console, BOB, path).text) if pair[0] != "viewed_ms"]
    console.clock.ahead_s += 5
    assert post(console, BOB, path, [*fields, ("viewed_ms", "99999999")]).status == 303
    [body] = decided(console, run_id)
    assert 5_000 <= body["viewed_ms"] < 60_000


def test_t26_something_privileged_is_looked_at_first(console: Stand) -> None:
    """T26: not in less than two seconds."""
    run_id, held = console.call(ANA, "delete_tenant", n=1)
    path = f"/approvals/{held.approval_id}"
    fields = [pair for pair in fields_of(get(console, BOB, path).text) if pair[0] != "viewed_ms"]
    hasty = post(console, BOB, path, fields)
    assert hasty.status == 409 and "console.view" in hasty.text and not decided(console, run_id)
    assert dict(fields)["shown"] in hasty.text, "the time goes on from when it was first shown"
    console.clock.ahead_s += 2
    assert post(console, BOB, path, [*fields, ("viewed_ms", "150")]).status == 409
    assert post(console, BOB, path, fields).status == 303
    [body] = decided(console, run_id)
    assert "hasty" not in body


def test_something_privileged_is_rejected_at_once(console: Stand) -> None:
    run_id, held = console.call(ANA, "delete_tenant", n=1)
    assert said(console, held.approval_id, ("words", "no"), form="reject").status == 303
    [body] = decided(console, run_id)
    assert body["decision"] == "reject" and body["hasty"]


def test_something_privileged_needs_somebody_who_showed_who_they_are_a_short_while_ago(console: Stand) -> None:
    run_id, held = console.call(ANA, "delete_tenant", n=1)
    path = f"/approvals/{held.approval_id}"
    fields = [pair for pair in fields_of(get(console, BOB, path).text) if pair[0] != "viewed_ms"]
    console.clock.ahead_s += 3
    console.site.admission.since_us["bob"] = console.site.now_us - 16 * 60_000_000  # type: ignore[attr-defined]
    told = post(console, BOB, path, fields)
    assert told.status == 403 and "console.sign_in_again" in told.text and not decided(console, run_id)
    assert 'id="again"' in get(console, BOB, path).text


def test_something_privileged_is_not_approved_before_every_long_value_was_read(tmp_path: Path) -> None:
    def tools(far: Far) -> list[Any]:
        return [far.tool("delete_tenant", "privileged")]

    with stand(tmp_path, tools) as at:
        run_id, held = at.call(ANA, "delete_tenant", n=1, note="x" * 5000)
        path = f"/approvals/{held.approval_id}"
        page = get(at, BOB, path).text
        assert "5,002 characters" in page and "x" * 5000 in page
        fields = [pair for pair in fields_of(page) if pair[0] != "viewed_ms"]
        at.clock.ahead_s += 3
        unread = post(at, BOB, path, fields)
        assert unread.status == 409 and "console.unread" in unread.text and not decided(at, run_id)
        [fold] = [line.partition('value="')[2].partition('"')[0] for line in page.splitlines() if 'name="read"' in line]
        assert post(at, BOB, path, [*fields, ("read", fold)]).status == 303


def test_whoever_it_is_for_takes_it_back(console: Stand) -> None:
    _, held = console.call(BOB, "refund", n=1)
    path = f"/approvals/{held.approval_id}"
    assert post(console, VERA, f"{path}/withdraw", [("reason", "x")]).status == 403
    assert post(console, BOB, f"{path}/withdraw", [("reason", "no longer wanted")]).status == 303
    assert "withdrawn" in get(console, VERA, path).text


def test_what_differs_from_the_last_approved_one_is_shown(console: Stand) -> None:
    _, first = console.call(ANA, "refund", n=1, note="late")
    assert said(console, first.approval_id).status == 303
    _, second = console.call(ANA, "refund", n=7)
    page = get(console, BOB, f"/approvals/{second.approval_id}").text
    compared = page.partition("Compared with the last one")[2].partition("</section>")[0]
    assert "changed" in compared and "/n" in compared and "removed" in compared and "/note" in compared
    assert f"/approvals/{first.approval_id}" in compared


def test_the_page_that_asks_to_sign_in_again_asks_an_issuer_to_ask_again_too(console: Stand) -> None:
    _, held = console.call(ANA, "delete_tenant", n=1)
    console.site.admission.since_us["bob"] = console.site.now_us - 16 * 60_000_000  # type: ignore[attr-defined]
    page = get(console, BOB, f"/approvals/{held.approval_id}").text
    assert f'href="/sign-in?anew=1&amp;next=/approvals/{held.approval_id}"' in page
