"""While a call is under way: how far it is, that its client no longer wants it, and that the tools are others now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.shared.subscriptions import ToolsListChanged

from interlock.core.tool import CallContext
from interlock.gateway.changes import TOOLS, Changes
from interlock.registry.registry import Registry
from interlock.sources.news import News
from tests.gateway.served import NEW, OLD, Served, served
from tests.planes import Far

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("mode", [OLD, NEW])


async def until(true: Callable[[], Any]) -> None:
    with anyio.fail_after(30):
        while not true():
            await anyio.sleep(0.01)


@both
async def test_how_far_a_call_is_reaches_its_client_and_no_ledger(tmp_path: Path, mode: str) -> None:
    async def counting(arguments: dict[str, Any], context: CallContext) -> object:
        for done in (1, 1, 2):
            context.progress(done, 2, f"{done} of 2")
            await anyio.sleep(0.06)
        return arguments["n"]

    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append((done, total, message))

    async with served(tmp_path, [Far().tool("get", does=counting)]) as gateway, gateway.client(mode=mode) as client:
        assert not (await client.call_tool("get", {"n": 1}, progress_callback=hear)).is_error
        await until(lambda: len(heard) == 2)
        assert heard == [(1, 2, "1 of 2"), (2, 2, "2 of 2")]
        assert not (await client.call_tool("get", {"n": 2})).is_error, "and who wants to hear nothing hears nothing"
        assert len(heard) == 2


@both
async def test_what_a_client_is_told_meanwhile_and_of_the_result_went_through_the_screens(
    tmp_path: Path, mode: str
) -> None:
    """B16: no way round, and a result says in its `_meta` what was found; plain text beside it is as it came."""
    key = "ghp_q7Zt2mXw9KpL4vRb8NcY1sHdq7Zt2mXw9KpL"
    heard: list[str | None] = []

    async def leaking(arguments: dict[str, Any], context: CallContext) -> object:
        context.progress(1, 2, f"with {key}")
        await anyio.sleep(0.06)
        return f"![x](https://e.example) {key}"

    async def hear(done: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with served(tmp_path, [Far().tool("get", does=leaking)]) as gateway, gateway.client(mode=mode) as client:
        result = await client.call_tool("get", {"n": 1}, progress_callback=hear)
        await until(lambda: heard)
        assert heard == ["with [redacted: secrets.github]"]
        assert result.content[0].text == "[x](https://e.example) [redacted: secrets.github]"  # type: ignore[union-attr]
        assert result.meta is not None
        assert result.meta["interlock/screened"] == [
            {"what": "content.image", "at": "", "count": 1, "act": "redact"},
            {"what": "secrets.github", "at": "", "count": 1, "act": "redact"},
        ]


@both
@pytest.mark.parametrize(("effect", "became"), [("read", "failed"), ("irreversible", "unknown")])
async def test_a_call_that_its_client_cancels_is_cancelled_and_the_ledger_says_what_is_known(
    tmp_path: Path, mode: str, effect: str, became: str
) -> None:
    running = anyio.Event()

    async def endless(arguments: dict[str, Any], _: object) -> object:
        running.set()
        await anyio.sleep_forever()
        return None

    async with (
        served(tmp_path, [Far().tool("go", effect, does=endless)]) as gateway,
        gateway.client(mode=mode) as client,
    ):
        gateway.obey("permit (principal, action, resource);")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "go", {"n": 1})
            await running.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(30):
            while not (calls := [call for call in await gateway.calls() if call["outcome"]]):
                await anyio.sleep(0.01)
        assert [(call["outcome"], call["code"]) for call in calls] == [(became, "call.cancelled")]


def another(gateway: Served, *tools: Any) -> None:
    gateway.plane.plane.registry = Registry(tools)


async def test_clients_of_the_older_revisions_are_told_once_that_the_tools_are_others(tmp_path: Path) -> None:
    told: list[str] = []

    async def listen(message: Any) -> None:
        told.append(type(message).__name__)

    far = Far()
    async with served(tmp_path, [far.tool("get")]) as gateway, gateway.client(mode=OLD, message_handler=listen):
        await until(lambda: gateway.http.protocol.changes.count)
        for _ in range(20):
            another(gateway, far.tool("get"), far.tool("put"))
        await until(lambda: told)
        assert told == ["ToolListChangedNotification"]


async def test_clients_of_the_revision_of_2026_are_told_where_they_asked_for_it(tmp_path: Path) -> None:
    far = Far()
    async with (
        served(tmp_path, [far.tool("get")]) as gateway,
        gateway.client() as client,
        client.listen(tools_list_changed=True) as events,
    ):
        another(gateway, far.tool("get"), far.tool("put"))
        with anyio.fail_after(30):
            assert await anext(aiter(events)) == ToolsListChanged()


async def test_a_client_that_does_not_listen_keeps_nobody_from_being_told() -> None:
    """T37: each has a bound of its own, and who is past it is told no more."""
    changes = Changes(News(), lambda session, uri: False, tell_s=0.05)
    told: list[str] = []

    class Deaf:
        async def send_tool_list_changed(self) -> None:
            await anyio.sleep_forever()

    class Gone:
        async def send_tool_list_changed(self) -> None:
            raise anyio.BrokenResourceError

    class Alert:
        async def send_tool_list_changed(self) -> None:
            told.append("alert")

    for name, connection in (("a", Deaf()), ("b", Gone()), ("c", Alert())):
        changes.add(name, connection)
    changes.note(TOOLS)
    with anyio.fail_after(30):
        await changes.tell()
    assert (told, changes.count) == (["alert"], 1)
