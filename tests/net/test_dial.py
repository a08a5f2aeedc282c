"""A connection that is kept: whether its other end has ended it is asked of the socket, each time."""

from __future__ import annotations

import select
import socket
from collections.abc import AsyncIterator

import anyio.lowlevel
import anyio.to_thread
import httpcore2
import pytest

from interlock.net.dial import Dialler
from interlock.net.reach import reach_of

pytestmark = pytest.mark.anyio

Ends = tuple[httpcore2.AsyncNetworkStream, socket.socket]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """A connection as it is dialled, and its other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialler = Dialler(reach_of(["127.0.0.1"], "here"))
        stream = await dialler.connect_tcp("127.0.0.1", listener.getsockname()[1])
        with listener.accept()[0] as other:
            yield stream, other
        await stream.aclose()
        await anyio.lowlevel.checkpoint()  # in which the loop closes it


async def readable(stream: httpcore2.AsyncNetworkStream) -> None:
    """Wait until something came."""
    assert (await anyio.to_thread.run_sync(select.select, [stream.get_extra_info("socket")], [], [], 10))[0]


async def test_a_kept_connection_says_that_its_other_end_spoke_unasked_or_ended_it(ends: Ends) -> None:
    stream, other = ends
    assert [stream.get_extra_info("is_readable") for _ in range(3)] == [False] * 3
    other.send(b"unasked")
    await readable(stream)
    assert stream.get_extra_info("is_readable")
    assert await stream.read(100) == b"unasked"
    assert not stream.get_extra_info("is_readable")
    other.close()
    await readable(stream)
    assert stream.get_extra_info("is_readable")


@pytest.mark.parametrize("before", [True, False])
async def test_a_connection_that_was_closed_here_counts_as_ended(ends: Ends, before: bool) -> None:
    stream, _ = ends
    if before:
        assert not stream.get_extra_info("is_readable")
    await stream.aclose()
    await anyio.lowlevel.checkpoint()
    assert stream.get_extra_info("is_readable")
