"""Every route of the console, taken from the application itself: who is let in, who may do what, whose things it shows.

A page that somebody adds is asked all of it without being named here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from anyio import to_thread
from starlette.routing import BaseRoute, Mount, Route

from interlock import Principal
from interlock.api.application import OPEN
from interlock.console.application import console
from interlock.console.sign_in import OPEN as SIGN_IN
from interlock.console.view import View
from interlock.core.principal import FIRST_TENANT
from interlock.keys import CONSOLE
from tests.api.stand import Api, opened

pytestmark = pytest.mark.anyio

NOBODY = Principal("nobody", roles=frozenset({"support"}))
LOOKS = Principal("looks", roles=frozenset({"viewer"}))
OTHER = Principal("other-viewer", "other", frozenset({"viewer"}))
ORIGIN = "http://127.0.0.1:8722"

OF_EVERYBODY = {("GET", "/sign-in"), ("GET", "/sign-in/oidc"), ("GET", "/sign-in/callback"), ("POST", "/sign-in/key"),
                ("POST", "/sign-in/link"), ("POST", "/sign-out")}  # fmt: skip
"""What asks for no role: signing in and out."""

OF_VIEWERS = {"/policies/explain"}
"""Forms that change nothing: whoever may see may send them."""

OF_THE_DEPLOYMENT = {("POST", "/audit/ledger"), ("POST", "/policies"), ("POST", "/tools/drift")}
"""Forms of what all tenants have together: for the people of the first one alone."""

OF_WHOEVER_IT_IS_FOR = {"/approvals/{approval_id}/withdraw", "/grants/{grant_id}/revoke", "/delegations/take-back"}
"""Forms of things that somebody without a role may own: whose they are is asked by the plane."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def routes(api: Api) -> list[tuple[str, str]]:
    """Method and path of every route of the console and of the API, hidden ones among them."""
    app = await to_thread.run_sync(lambda: console(View(api.site)))
    return sorted({*_flat(app.routes), *((method.upper(), path) for path, methods in api.document["paths"].items()
                                        for method in methods)})  # fmt: skip


def _flat(found: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in found:
        if isinstance(route, Mount):
            continue  # of files that everybody may fetch
        assert isinstance(route, Route), f"{route} is of a kind that this test does not know"
        yield from ((method, route.path) for method in route.methods or () if method != "HEAD")


async def session(api: Api, person: Principal) -> dict[str, str]:
    """The cookie of somebody who signed in."""
    key = api.keys[await api.key(person, {CONSOLE})]
    headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    answer = await api.client.post("/sign-in/key", content=urlencode({"key": key}), headers=headers)
    assert answer.status_code == 303, answer.text
    api.client.cookies.clear()
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def asked(
    api: Api, method: str, path: str, cookie: Mapping[str, str], fields: Mapping[str, str] | None = None
) -> httpx2.Response:  # fmt: skip
    """One request; a form has its token."""
    if method == "GET":
        return await api.client.get(path, headers=dict(cookie))
    page = await api.client.get("/no-such-page", headers=dict(cookie))
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    said = urlencode({**(fields or {}), "csrf": token[1] if token else ""})
    headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded", **cookie}
    return await api.client.request(method, path, content=said, headers=headers)


def filled(path: str, values: Mapping[str, str] | None = None) -> str:
    """A path with something in each of its places."""
    known = values or {}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda place: known.get(place[1], "1"), path)


async def test_t20_every_route_answers_401_to_nobody(api: Api) -> None:
    found = await routes(api)
    assert len(found) > 60
    for method, path in found:
        if (method, path) in {*OPEN, *SIGN_IN}:
            continue
        for headers in ({}, {"cookie": "__Host-interlock=ana"}, {"authorization": f"Bearer {api.keys['ana']}"}):
            if "authorization" in headers and path.startswith(("/api/", "/metrics")):
                continue
            api.clock.advance(1.0)  # whoever comes with no key too often is told to wait
            for each in {method, "HEAD"}:
                answer = await api.client.request(each, filled(path), headers={**headers, "origin": ORIGIN})
                assert answer.status_code == 401, f"{each} {path}"


async def test_t20_what_is_open_to_everybody_is_this_and_no_more() -> None:
    assert {*OPEN, *SIGN_IN} == (OF_EVERYBODY - {("POST", "/sign-out")}) | {("GET", "/healthz"), ("GET", "/readyz")}


async def test_t24_a_session_without_a_role_reaches_no_page_and_no_form(api: Api) -> None:
    cookie = await session(api, NOBODY)
    for method, path in await routes(api):
        if (method, path) in OF_EVERYBODY or path.startswith(("/api/", "/metrics")) or (method, path) in OPEN:
            continue
        answer = await asked(api, method, filled(path), cookie)
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
        assert "auth.role" in answer.text, f"{method} {path}"


async def test_t24_whoever_may_only_look_sends_no_form(api: Api) -> None:
    cookie, before = await session(api, LOOKS), await api.plane.store.follow(0, 100_000)
    for method, path in await routes(api):
        if method == "GET" or (method, path) in OF_EVERYBODY or path.startswith("/api/") or path in OF_VIEWERS:
            continue
        answer = await asked(api, method, filled(path), cookie)
        expected = {403, 404} if path in OF_WHOEVER_IT_IS_FOR or path.startswith("/approvals/") else {403}
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code}"
    assert await api.plane.store.follow(0, 100_000) == before


async def test_t25_every_form_of_the_console_wants_the_token_of_its_session(api: Api) -> None:
    cookie = await session(api, LOOKS)
    for method, path in await routes(api):
        if method == "GET" or path.startswith(("/api/", "/sign-in")):
            continue
        headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded", **cookie}
        answer = await api.client.request(method, filled(path), content="a=1", headers=headers)
        assert (answer.status_code, "http.form" in answer.text) == (403, True), f"{method} {path}"


@pytest.mark.parametrize("person", ["eve", "other-viewer"])
async def test_t35_no_page_shows_anything_of_another_tenant(api: Api, person: str) -> None:
    """The pages of everything that the first tenant has, and every page without a place to fill."""
    run_id = await api.run("host", words="words-of-the-first")
    note = {"tool": "note", "arguments": {"n": 1, "note": "note-of-the-first"}}
    await api.post("host", f"/runs/{run_id}/calls", note)
    held = (await api.call(run_id, "refund", "host")).body
    terms = {
        "tool": "refund",
        "where": {"/n": {"equals": 1}},
        "uses": 1,
        "lasts_s": 60,
        "reason": "reason-of-the-first",
    }
    grant = (await api.post("bob", "/grants", terms)).body
    await api.post(
        "opa", "/stops", {"scope": "principal", "target": "target-of-the-first", "reason": "why-of-the-first"}
    )
    held_against = {"suite": "suite-of-the-first", "cases": [{"name": "case-of-the-first", "run": run_id}]}
    kept = (await api.post("opa", "/evals", {**held_against, "record": True})).body["kept"]
    theirs = {"run_id": run_id, "approval_id": held["approval_id"], "call_id": held["call_id"],
              "grant_id": grant["grant_id"], "eval_id": kept["eval_id"], "name": "refund", "seq": "1"}  # fmt: skip
    cookie = await session(api, OTHER) if person != "eve" else await eve(api)
    queries = ("", "?suite=suite-of-the-first", f"?run={run_id}", f"?run_id={run_id}", "?since=1d",
               f"?approval={held['approval_id']}", "?as=json", "?range=90d", "?view=approval&as=csv", "?view=replay",
               "?view=conversation")  # fmt: skip
    marks = [*(each for name, each in theirs.items() if name not in ("name", "seq")), "of-the-first"]
    for method, path in await routes(api):
        if method != "GET" or path.startswith(("/api/", "/metrics", "/sign-in")) or path in ("/live", "/healthz"):
            continue
        for query in queries:
            where = filled(path, theirs) + query
            answer = await asked(api, "GET", where, cookie)
            shown = answer.text
            for mark in marks:
                if mark in where:
                    shown = shown.replace(mark, "")  # what was asked for is said again where it is not there
            told = [mark for mark in marks if mark in shown]
            assert not told, f"{where}: {told}"
            of_a_thing = "{" in path and "{name}" not in path
            assert answer.status_code in ({400, 403, 404} if of_a_thing else {200, 400, 403, 404}), where


async def eve(api: Api) -> dict[str, str]:
    """The session of who may everything in the other tenant."""
    headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    answer = await api.client.post("/sign-in/key", content=urlencode({"key": api.keys["eve"]}), headers=headers)
    api.client.cookies.clear()
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def test_t35_no_form_of_another_tenant_changes_anything_here(api: Api) -> None:
    run_id = await api.run("host", words="words-of-the-first")
    held = (await api.call(run_id, "refund", "host")).body
    request = (await api.get("bob", f"/approvals/{held['approval_id']}")).body
    theirs = {"run_id": run_id, "approval_id": held["approval_id"], "call_id": held["call_id"], "name": "refund"}
    fields = {"decision": "approve", "digest": request["digest"], "nonce": request["nonce"], "reason": "theirs",
              "note": "theirs", "outcome": "done", "sure": "yes", "act": "stop", "scope": "tenant", "step": "give",
              "target": FIRST_TENANT, "approval": held["approval_id"], "approval_id": held["approval_id"],
              "uses": "1", "expires": "1d"}  # fmt: skip
    cookie = await eve(api)

    async def first() -> list[object]:
        return [each for each in await api.plane.store.follow(0, 100_000) if each[1].tenant == FIRST_TENANT]

    before = await first()
    for method, path in await routes(api):
        if method == "GET" or path.startswith(("/api/", "/sign-")):
            continue
        for sure in ("yes", ""):  # what asks again shows something, too
            answer = await asked(api, method, filled(path, theirs), cookie, {**fields, "sure": sure})
            assert "words-of-the-first" not in answer.text, f"{method} {path}"
            if "{" in path and "{name}" not in path:
                assert answer.status_code in (403, 404), f"{method} {path}: {answer.status_code}"
            if (method, path) in OF_THE_DEPLOYMENT:
                assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
    assert await first() == before
