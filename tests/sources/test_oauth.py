"""Servers behind that want OAuth: each principal's own token, for that server alone, and nowhere else (T11)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from interlock import Outcome, OutcomeKind, Principal, World, open_plane
from interlock.app import Interlock
from interlock.net.secrets import Box
from interlock.server_tokens import TokenFiles
from interlock.sources.mcp_server import State
from interlock.testing import FrozenClock
from tests.gateway.served import served as gateway_served
from tests.net.far_ends import FarEnd, Reply
from tests.planes import ANA, BOB, CAY
from tests.sources import web
from tests.sources.granting import Wanted, log_in, settings, tokens_of, wanted

pytestmark = pytest.mark.anyio
SERVICE = {"grant": "client_credentials", "client_secret_file": Path("secret")}


async def called(plane: Interlock, who: Principal = ANA, tool: str = "far__one", **arguments: Any) -> Outcome:
    async with plane.run(who, words="w") as run:
        return await run.call(tool, arguments)


def whose(at: Wanted) -> list[str]:
    """Whose tokens came with the calls, in order."""
    return [at.granting.live[token][1] for token in at.app.bearers]


async def test_each_principal_calls_with_their_own_token_and_who_has_none_is_told_to_log_in(tmp_path: Path) -> None:
    async with wanted() as at:
        made = settings(tmp_path, at)
        for who in (ANA, BOB):
            await log_in(made, at, who)
        async with open_plane(made) as plane:
            for who in (ANA, BOB, ANA):
                assert (await called(plane, who)).done
            refused = await called(plane, CAY)
            assert (refused.kind, refused.code) == (OutcomeKind.REFUSED, "validate.login")
            assert "interlock servers login far" in refused.next_step
            assert whose(at) == ["ana", "bob", "ana"]
            offered = {who.id: {tool.name for tool in await plane.tools_for(who)} for who in (ANA, CAY)}
            assert "far__one" in offered["ana"] and "far__one" not in offered["cay"]
            assert await plane.fleet.unseen(CAY) == frozenset(), "no connection is tried for who has not logged in"
        assert {form["resource"] for form in at.granting.forms} == {at.app.url}


async def test_before_anybody_logged_in_a_server_waits_and_others_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.servers.BOOK_S", 0.02)
    async with wanted() as at, web.serving(web.Hostile("plain")) as other:
        made = settings(tmp_path, at)
        beside = made.servers[0].model_copy(update={"name": "beside", "url": f"{other.url}/mcp", "oauth": None})
        async with open_plane(made.model_copy(update={"servers": (*made.servers, beside)})) as plane:
            far = plane.fleet.server("far")
            assert far.state is State.DOWN and "interlock servers login far" in far.why
            assert at.app.every == [] and (await called(plane, tool="beside__one")).done
            await log_in(made, at, ANA)
            with anyio.fail_after(30):
                while not (await called(plane)).done:
                    await anyio.sleep(0.02)
            assert whose(at) == ["ana"]


async def test_tokens_are_sealed_for_one_principal_and_one_server(tmp_path: Path) -> None:
    async with wanted() as at:
        made = settings(tmp_path, at)
        await log_in(made, at, ANA)
        await anyio.to_thread.run_sync(_is_sealed, tmp_path, at)


def _is_sealed(folder: Path, at: Wanted) -> None:
    [file] = (folder / "server-tokens").glob("*.json")
    text = file.read_bytes()
    sealed = base64.b64decode(json.loads(text)["sealed"])
    [token] = at.granting.live
    for kept in (text, sealed):
        assert token.encode() not in kept and b"refresh-ana" not in kept
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    key = (folder / "deployment.key").read_bytes()
    files = TokenFiles(file.parent, Box(key, "interlock/server-token/1", World().entropy))
    mine, server = (ANA.tenant, ANA.id), "far"
    held = files.read(mine, server)
    assert held is not None and held.access == token and token not in repr(held)
    for holder, name in (((BOB.tenant, BOB.id), server), (("other", ANA.id), server), (mine, "near")):
        files.file(holder, name).write_bytes(text)
        files.file(holder, name).chmod(0o600)
        assert files.read(holder, name) is None, "it was sealed for another one"
    other = TokenFiles(file.parent, Box(b"x" * 32, "interlock/server-token/1", World().entropy))
    assert other.read(mine, server) is None, "it was sealed by another deployment"
    file.chmod(0o644)
    assert files.read(mine, server) is None, "others may read it"


async def test_of_many_who_find_a_token_too_old_one_renews_it(tmp_path: Path) -> None:
    """In one process and in another: a refresh token that is used twice would end the login at their end."""
    clock = FrozenClock()
    async with wanted() as at:
        made = settings(tmp_path, at)
        await log_in(made, at, ANA, World(clock=clock))
        here, there = [await tokens_of(made, World(clock=clock)) for _ in range(2)]
        holder = (ANA.tenant, ANA.id)
        before = await here.token(holder)
        for round_ in (1, 2):  # and by the refresh token that the first renewal brought
            clock.advance(3600)
            found: set[str] = set()

            async def ask(tokens: Any, found: set[str] = found) -> None:
                found.add(await tokens.token(holder))

            async with anyio.create_task_group() as tasks:
                for tokens in (here, there) * 8:
                    tasks.start_soon(ask, tokens)
            assert len(found) == 1 and before not in found
            renewed = [form["refresh_token"] for form in at.granting.forms if form["grant_type"] == "refresh_token"]
            assert len(renewed) == len(set(renewed)) == round_
            before = found.pop()


async def test_who_gives_up_waiting_loses_no_renewed_token(tmp_path: Path) -> None:
    clock = FrozenClock()
    async with wanted() as at:
        made = settings(tmp_path, at)
        await log_in(made, at, ANA, World(clock=clock))
        clock.advance(3600)
        tokens, holder = await tokens_of(made, World(clock=clock)), (ANA.tenant, ANA.id)
        await tokens.grantor()
        with anyio.move_on_after(0.5) as scope:
            async with anyio.create_task_group() as tasks:

                async def cancel() -> None:
                    while len(at.granting.forms) < 2:
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()

                tasks.start_soon(cancel)
                await tokens.token(holder)
        assert await tokens.token(holder) in at.granting.live
        assert len(at.granting.forms) == 2


async def test_a_token_that_is_refused_is_renewed_once_and_the_call_made_once(tmp_path: Path) -> None:
    async with wanted() as at:
        made = settings(tmp_path, at)
        await log_in(made, at, ANA)
        async with open_plane(made) as plane:
            assert (await called(plane)).done
            at.granting.live.clear()  # taken back at their end
            assert (await called(plane)).done
            assert len(at.app.inner.calls) == 2
            at.granting.live.clear()
            at.granting._refresh.clear()
            outcome = await called(plane)
            assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, "execute.unavailable")
            assert (await called(plane)).code == "validate.login", "a login that is over is none"
            assert len(at.app.inner.calls) == 2


@pytest.mark.parametrize("form", ["plain", "quoted", "base64", "backwards", "split"])
async def test_a_token_is_in_no_result_no_ledger_and_no_error(tmp_path: Path, form: str) -> None:
    async with wanted(f"echo-{form}") as at:
        made = settings(tmp_path, at)
        await log_in(made, at, ANA)
        at.app.inner = Echo(form)
        async with open_plane(made) as plane:
            outcome = await called(plane)
            assert outcome.done and "[secret]" in json.dumps(outcome.value) and "before" in json.dumps(outcome.value)
            assert outcome.value["content"][0]["text"].endswith("after")
        written = await anyio.to_thread.run_sync(
            lambda: b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
        )
        for token in at.granting.live:
            said = Echo.spelt(token, "plain" if form == "split" else form)
            assert said not in json.dumps(outcome.value) and said.encode() not in written and token not in repr(outcome)


class Echo(web.Hostile):
    """Answers with the token that it was sent."""

    def __init__(self, form: str) -> None:
        super().__init__("echo")
        self.form = form

    @staticmethod
    def spelt(token: str, form: str) -> str:
        match form:
            case "quoted":
                return token.replace("/", "%2F").replace("+", "%2B")
            case "base64":
                return base64.b64encode(token.encode()).decode()
            case "backwards":
                return token[::-1]
        return token

    async def call(self, message: dict[str, Any], send: Any) -> None:
        token = self.headers[-1]["authorization"].removeprefix("Bearer ")
        content = [{"type": "text", "text": f"before {self.spelt(token, self.form)} after"}]
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"content": content}}).encode()
        await web.head(send, 200, {"content-type": "application/json"})
        step = 7 if self.form == "split" else len(body)
        for at in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[at : at + step], "more_body": True})
            await anyio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


async def test_a_token_follows_no_redirect(tmp_path: Path) -> None:
    """T17: where a server sends a request is not where its token goes."""
    with FarEnd(answers=lambda asked: Reply()) as elsewhere:
        async with wanted() as at:
            made = settings(tmp_path, at)
            await log_in(made, at, ANA)
            at.app.inner = Sending(elsewhere.url)
            async with open_plane(made) as plane:
                assert (await called(plane)).kind is OutcomeKind.FAILED
            assert len(at.app.bearers) == 1 and elsewhere.asked == []


class Sending(web.Hostile):
    """Sends each call elsewhere."""

    def __init__(self, to: str) -> None:
        super().__init__("redirect")
        self.to = to

    async def call(self, message: dict[str, Any], send: Any) -> None:
        await web.answer(send, 307, b"", {"location": self.to})


async def test_a_server_that_moved_and_an_issuer_that_changed_get_no_token_of_before(tmp_path: Path) -> None:
    async with wanted() as at:
        made = settings(tmp_path, at)
        await log_in(made, at, ANA)
        said = made.servers[0]
        assert said.oauth is not None
        moved = said.model_copy(update={"url": f"{said.url}/other"})
        other = said.model_copy(update={"oauth": said.oauth.model_copy(update={"issuer": f"{said.oauth.issuer}/x"})})
        for changed, held in ((said, True), (moved, False), (other, False)):
            tokens = await tokens_of(made.model_copy(update={"servers": (changed,)}))
            found = await tokens._held((ANA.tenant, ANA.id))
            assert (found is not None) is held


async def test_a_service_has_one_token_of_its_own_for_everybody(tmp_path: Path) -> None:
    await anyio.Path(tmp_path / "secret").write_text("s3cret/of us")
    await anyio.Path(tmp_path / "secret").chmod(0o600)
    async with wanted() as at:
        made = settings(tmp_path, at, SERVICE | {"scopes": ("a", "b")})
        async with open_plane(made) as plane:
            for who in (ANA, BOB):
                assert (await called(plane, who)).done
        assert whose(at) == ["service", "service"]
        [form] = at.granting.forms
        assert form["scope"] == "a b" and form["resource"] == at.app.url and "client_secret" not in form
        assert base64.b64decode(at.granting.basics[0].removeprefix("Basic ")) == b"us:s3cret%2Fof%20us"
        assert not [file async for file in anyio.Path(tmp_path / "server-tokens").glob("*.json")]


async def test_logging_out_gives_the_tokens_back_and_the_next_call_is_refused(tmp_path: Path) -> None:
    async with wanted() as at:
        made = settings(tmp_path, at)
        for who in (ANA, BOB):
            await log_in(made, at, who)
        async with open_plane(made) as plane:
            assert (await called(plane)).done
            assert await (await tokens_of(made)).forget((ANA.tenant, ANA.id)) is True  # as another process does
            assert (await called(plane)).code == "execute.unavailable", "at once, whoever noticed"
            await plane.fleet.tokens["far"].look()
            assert (await called(plane)).code == "validate.login"
            assert (await called(plane, BOB)).done, "another one's login stands"
        assert [token.partition("-")[0] for token in at.granting.revoked] == ["refresh", "access/ana+2"]
        assert await (await tokens_of(made)).forget((ANA.tenant, ANA.id)) is None


async def test_a_server_behind_never_sees_what_the_client_in_front_showed(tmp_path: Path) -> None:
    """T11: no token is passed on. What it gets is the caller's own token for it, or nothing comes."""
    async with wanted() as at:
        made = settings(tmp_path, at)
        said = made.servers[0].model_dump(exclude_defaults=True) | {"effects": {"one": "read"}}
        said["oauth"]["issuer"] = at.granting.issuer
        await log_in(made.model_copy(update={"ledger": tmp_path / "l.db"}), at, ANA)
        async with gateway_served(tmp_path, (), servers=(said,)) as gateway:
            async with gateway.client("ana") as client:
                assert not (await client.call_tool("far__one", {})).is_error
            async with gateway.client("bob") as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == []
                assert (await client.call_tool("far__one", {})).is_error
        assert whose(at) == ["ana"]
        heard = json.dumps(at.app.every)
        assert all(key not in heard for key in gateway.keys.values())
