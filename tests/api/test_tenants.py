"""T35: nothing of one tenant is reached from another by any route, and what is not theirs is as if it never was."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock import Principal
from interlock.keys import READ, TOOLS
from interlock.keys import WORDS as WORDS_SCOPE
from tests.api.stand import ANA, Api, opened

WORDS = "words-of-the-first-tenant"
NOTE = "note-of-the-first-tenant"

BODIES: dict[str, Any] = {
    "/runs": {"parent": "{run_id}"},
    "/runs/{run_id}/calls": {"tool": "look_up", "arguments": {"n": 1}},
    "/runs/{run_id}/calls/dry-run": {"tool": "look_up", "arguments": {"n": 1}},
    "/runs/{run_id}/batches": {"calls": [{"tool": "look_up", "arguments": {"n": 1}}]},
    "/runs/{run_id}/cancel": {"reason": "theirs"},
    "/runs/{run_id}/resume": {},
    "/runs/{run_id}/say": {"words": "theirs"},
    "/calls/{call_id}/settle": {"outcome": "done", "note": "theirs"},
    "/calls/{call_id}/retry": {"reason": "theirs"},
    "/approvals/{approval_id}/decision": {"decision": "approve", "digest": "{digest}", "nonce": "{nonce}"},
    "/approvals/{approval_id}/withdraw": {"reason": "theirs"},
    "/ledger/export": {"runs": ["{run_id}"]},
    "/ledger/redact": {"run_id": "{run_id}", "reason": "theirs", "sure": True},
    "/evals": {"suite": "theirs", "cases": [{"name": "one", "run": "{run_id}"}, {"name": "two", "words": WORDS}]},
    "/policy/backtest": {"text": "permit (principal, action, resource);"},
    "/stops": {"scope": "principal", "target": "{principal_id}", "reason": "theirs"},
}
"""What is sent to each route, so that only whose the thing is can stand in the way."""

MADE_UP = {
    "run_id": "run_0123456789abcdef0123456789abcdef", "call_id": "call_0123456789abcdef0123456789abcdef",
    "approval_id": "appr_0123456789abcdef0123456789abcdef", "grant_id": "grant_0123456789abcdef0123456789abcdef",
    "eval_id": "eval_0123456789abcdef0123456789abcdef",
    "digest": "0" * 64, "nonce": "0" * 32, "principal_id": "nobody", "subject": "nobody", "tool": "nowhere",
}  # fmt: skip


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with opened(tmp_path) as found:
        yield found


async def furnished(api: Api) -> dict[str, str]:
    """The first tenant has one of each thing; what they are called."""
    run_id = await api.run("host", words=WORDS)
    await api.post("host", f"/runs/{run_id}/calls", {"tool": "note", "arguments": {"n": 1, "note": NOTE}})
    held = (await api.call(run_id, "refund", "host")).body
    request = (await api.get("bob", f"/approvals/{held['approval_id']}")).body
    terms = {"tool": "refund", "where": {"/n": {"equals": 1}}, "uses": 1, "lasts_s": 60, "reason": NOTE}
    grant = (await api.post("bob", "/grants", terms)).body
    await api.post("opa", "/stops", {"scope": "principal", "target": "somebody", "reason": NOTE})
    held_against = {"suite": NOTE, "cases": [{"name": NOTE, "run": run_id}], "record": True}
    kept = (await api.post("opa", "/evals", held_against)).body["kept"]
    return {
        "eval_id": kept["eval_id"],
        "run_id": run_id, "call_id": held["call_id"], "approval_id": held["approval_id"], "grant_id": grant["grant_id"],
        "digest": request["digest"], "nonce": request["nonce"], "principal_id": "host", "subject": "host",
        "tool": "refund",
    }  # fmt: skip


def routes(api: Api) -> list[tuple[str, str]]:
    """Every route of the API that ends by itself."""
    return [
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in sorted(api.document["paths"].items())
        for method, operation in sorted(methods.items())
        if path.startswith("/api/v1/") and "text/event-stream" not in str(operation["responses"]["200"])
    ]  # fmt: skip


def filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def test_nothing_of_a_tenant_is_reached_from_another_by_any_route(tmp_path: Path) -> None:
    """T35: the same answer as for a thing that never was, and nothing of the tenant in it or changed by it."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(opened(tmp_path)) as api:
        theirs = portal.call(furnished, api)
        found = routes(api)

        @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
        @given(route=st.sampled_from(found), who=st.sampled_from(["eve", "eve-agent"]), data=st.data())
        def nothing(route: tuple[str, str], who: str, data: st.DataObject) -> None:
            operation = api.document["paths"][f"/api/v1{route[1]}"][route[0].lower()]
            filters = [each["name"] for each in operation.get("parameters", ()) if each["name"] in MADE_UP]
            filters = [name for name in filters if f"{{{name}}}" not in route[1]]
            asked = data.draw(st.lists(st.sampled_from(filters), unique=True) if filters else st.just([]), "filters")
            portal.call(same_as_nothing, api, who, route, asked, theirs)

        nothing()
        assert {"/runs/{run_id}/calls", "/approvals/{approval_id}/decision", "/grants/{grant_id}"} <= {
            template for _, template in found
        }


async def same_as_nothing(
    api: Api, who: str, route: tuple[str, str], filters: list[str], theirs: dict[str, str]
) -> None:  # fmt: skip
    """Ask for what is the first tenant's and for what never was: the answers must differ in nothing but the names."""
    method, template = route
    operation = api.document["paths"][f"/api/v1{template}"][method.lower()]
    query = [f"{name}={{{name}}}" for name in filters]
    query += ["reason=theirs"] if method == "DELETE" else []
    query += ["scope=principal", "target={principal_id}"] if template == "/stops" and method == "DELETE" else []
    path = f"{template}?{'&'.join(query)}" if query else template
    said = BODIES.get(template, {} if "requestBody" in operation else None) if method == "POST" else None
    before = await own_events(api)
    answers = []
    for values in (theirs, MADE_UP):
        body = None if said is None else json.loads(filled(json.dumps(said), values))
        found = await api.ask(who, method, filled(path, values), body)
        if template == "/evals" and method == "POST":
            found.body.get("outcome", {}).pop("suite_digest", None)  # of what was sent, names and all
        text = json.dumps(found.body)
        assert WORDS not in text and NOTE not in text
        for name, value in values.items():
            text = text.replace(value, f"<{name}>")
        answers.append((found.status, json.dumps(found.body), text))
    if template != "/stops":  # it names a principal of one's own tenant, there or not
        assert answers[0][:2] == answers[1][:2] or answers[0][::2] == answers[1][::2]
    assert await own_events(api) == before


@pytest.mark.anyio
async def test_what_is_listed_of_another_tenant_is_what_is_there(api: Api) -> None:
    theirs = await furnished(api)
    own = await api.run("eve-agent", words="hers")
    for path in ("/runs", "/calls", "/approvals", "/grants", "/inbox", "/evals"):
        told = json.dumps((await api.get("eve", path)).body)
        assert not [value for value in theirs.values() if len(value) > 20 and value in told], path
    assert [item["run_id"] for item in (await api.get("eve", "/runs")).body["items"]] == [own]
    seen = json.dumps(
        [(await api.get("vera", path)).body for path in ("/runs", "/calls", "/approvals", "/grants", "/evals")]
    )
    assert all(theirs[name] in seen for name in ("run_id", "call_id", "approval_id", "grant_id", "eval_id"))
    assert own not in seen


@pytest.mark.anyio
async def test_somebody_of_the_same_name_in_another_tenant_is_somebody_else(api: Api) -> None:
    theirs = await furnished(api)
    twin = await api.key(Principal("host", "other", frozenset({"support"}), "service"), {TOOLS, WORDS_SCOPE})
    before = await own_events(api)
    run, appr = f"/runs/{theirs['run_id']}", f"/approvals/{theirs['approval_id']}"
    for path in (run, f"{run}/calls/{theirs['call_id']}", appr):
        assert (await api.get("host", path)).status == 200
        assert (await api.get(twin, path)).status == 404, path
    for path, body in ((f"{run}/cancel", {"reason": "x"}), (f"{run}/resume", {}), (f"{appr}/withdraw", {}),
                       (f"{run}/calls", {"tool": "look_up", "arguments": {"n": 1}})):  # fmt: skip
        assert (await api.post(twin, path, body)).status == 404, path
    assert (await api.post(twin, f"{run}/finish")).status == 404
    for path in ("/runs", "/calls", "/approvals"):
        assert (await api.get(twin, path)).body["items"] == [], path
    assert await own_events(api) == before


@pytest.mark.anyio
async def test_a_key_to_read_shows_whoever_has_no_role_to_see_nothing_not_even_their_own(api: Api) -> None:
    run_id = await api.run("ana")
    reader = await api.key(ANA, {READ})
    for path in ("/runs", "/calls", "/approvals", f"/runs/{run_id}"):
        assert (await api.get(reader, path)).code == "auth.role", path


async def own_events(api: Api) -> int:
    """How many facts the ledger has of the first tenant."""
    return sum(event.tenant == "default" for _, event in await api.plane.store.follow(0, 100_000))
