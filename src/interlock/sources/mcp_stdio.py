"""A server that runs here as a process: JSON-RPC on its standard streams, bounded, and ended with us.

The official SDK's own transport keeps a line of any length, leaves the server alive when we are killed, and shares our
standard error; this one speaks to the same session of the SDK.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from interlock.core.canonical import canonical
from interlock.sources.mcp_link import Link

WARDEN: Final = Path(__file__).with_name("warden.py")

STDERR_KEPT: Final = 64 << 10
"""Bytes of a server's standard error that are kept: the last ones."""

JUNK_MAX: Final = 100
"""Lines that are no message which one process may write before it is given up on."""

_WRITE_S: Final = 10.0
"""Seconds within which a server must take what it is sent."""

_LEAVE_S: Final = 2.0
"""Seconds that a server has to end by itself once its input is closed."""

_GONE = (anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is started.

    Attributes:
        argv: The program and its arguments, as they stand.
        env: Every variable that it gets.
        cwd: Where it starts; here where None.
        frame_max: Bytes of one message from it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path | None = None
    frame_max: int = 4 << 20


@asynccontextmanager
async def stdio_link(command: Command) -> AsyncIterator[Link]:
    """A running server. When the block is left it is ended, with everything that it started.

    Raises:
        OSError: Nothing could be started.
    """
    reading, lifeline = os.pipe()
    try:
        process = await anyio.open_process(
            [sys.executable, "-I", "-S", str(WARDEN), str(reading), "--", *command.argv],
            env=dict(command.env), cwd=command.cwd, start_new_session=True, pass_fds=[reading],
        )  # fmt: skip
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(reading)
    arriving, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    sending, leaving = anyio.create_memory_object_stream[SessionMessage](0)
    link = Link(received=received, sending=sending)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, process, arriving, link, command.frame_max)
        tasks.start_soon(_write, process, leaving, link)
        tasks.start_soon(_keep_errors, process, link)
        try:
            yield link
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process, lifeline)
            tasks.cancel_scope.cancel()
            for stream in (arriving, received, sending, leaving):
                stream.close()


async def _read(
    process: Process, arriving: MemoryObjectSendStream[SessionMessage | Exception], link: Link, frame_max: int
) -> None:
    """Hand on one message for each line, until the output ends or is no protocol any more."""
    assert process.stdout is not None
    line = bytearray()
    before = b""
    junk = 0
    async with arriving:
        with suppress(*_GONE):
            async for chunk in process.stdout:
                *ends, rest = chunk.split(b"\n")
                for end in ends:
                    line += end
                    if len(line) > frame_max:
                        break
                    whole = bytes(line)
                    line.clear()
                    if whole == before and b'list_changed"' in whole:
                        continue  # a storm of notices says it once (T37)
                    before = whole
                    if whole.strip() and not await _hand_on(whole, arriving):
                        junk += 1
                else:
                    line += rest
                if len(line) > frame_max:
                    link.end(f"sent a message of more than {frame_max} bytes")
                    break
                if junk > JUNK_MAX:
                    link.end(f"wrote {junk} lines to its output that are no message")
                    break
        link.end("closed its output")


async def _hand_on(line: bytes, arriving: MemoryObjectSendStream[SessionMessage | Exception]) -> bool:
    """Whether the line was a message."""
    try:
        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return False
    await arriving.send(SessionMessage(message))
    return True


async def _write(process: Process, leaving: MemoryObjectReceiveStream[SessionMessage], link: Link) -> None:
    """Write each message in one canonical line: the arguments of a call leave as the bytes that were checked (T42)."""
    assert process.stdin is not None
    try:
        async with leaving:
            async for sent in leaving:
                line = canonical(sent.message.model_dump(by_alias=True, exclude_unset=True)) + b"\n"
                with anyio.fail_after(_WRITE_S):
                    await process.stdin.send(line)
    except TimeoutError:
        link.end("does not read its input")
    except _GONE:
        link.end("closed its input")


async def _keep_errors(process: Process, link: Link) -> None:
    assert process.stderr is not None
    with suppress(*_GONE):
        async for chunk in process.stderr:
            if link.told:
                continue
            link.errors += chunk
            del link.errors[:-STDERR_KEPT]


async def _end(process: Process, lifeline: int) -> None:
    """Close its input, give it a moment, then let go of the lifeline; what is left after that is killed."""
    assert process.stdin is not None
    with suppress(*_GONE):
        await process.stdin.aclose()
    if not await _ended(process, _LEAVE_S):
        os.close(lifeline)
        if not await _ended(process, _LEAVE_S):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await _ended(process, _LEAVE_S)
    else:
        os.close(lifeline)
    with anyio.move_on_after(_LEAVE_S), suppress(*_GONE):
        await process.aclose()


async def _ended(process: Process, seconds: float) -> bool:
    """Whether it ends within the time. By its code: waiting would also wait for pipes that others hold."""
    with anyio.move_on_after(seconds):
        while process.returncode is None:
            await anyio.sleep(0.01)
    return process.returncode is not None
