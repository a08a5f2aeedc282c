"""Abuse of a real gateway: `python -m proof.fuzz`, or `make fuzz`.

Frames that are valid, changed by what they mean, and changed byte by byte (`proof/frames.py`, seeded) go to a gateway's
process over HTTP, and one in ten to another over its standard streams. Exits 0 only if both processes lived, neither
ever had 512 MiB resident, every answer was well-formed or a closed connection, and nothing was executed that no frame
validly asked for. Stops early after `--minutes`, and says how far it came.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from proof.frames import Frame, frames, numbers_in, spoilt_request
from proof.gateway_process import (
    INTERLOCK,
    Answer,
    Deployment,
    Malformed,
    Serving,
    Wire,
    deploy,
    http,
    messages_of,
    peak_kib,
    serving,
)

PEAK_MAX_KIB = 512 << 10
"""What a process may have resident at most."""

LANES = 8
SILENT_S = 20.0
"""Seconds after which an answer that should come has not."""


class Abuse(NamedTuple):
    """What was seen.

    Attributes:
        sent: Frames that were sent.
        statuses: How many answers had each status; 0 for a closed connection.
        wrong: What may not be: an answer that is none, one that did not come, an execution that nobody asked for.
        executed: Calls that were executed.
        peak_kib: The most that each process had resident.
        lived: Whether each process was still there.
    """

    sent: int
    statuses: Counter[int]
    wrong: list[str]
    executed: int
    peak_kib: tuple[int, int]
    lived: bool

    @property
    def held(self) -> bool:
        """Whether all is as it must be."""
        return self.lived and not self.wrong and max(self.peak_kib) < PEAK_MAX_KIB


async def abuse(folder: Path, count: int, seed: int, minutes: float) -> Abuse:
    """Send so many frames, or as many as there is time for."""
    deployment = await anyio.to_thread.run_sync(deploy, folder, ["ana"])
    seen, wrong, asked = Counter[int](), list[str](), set[int]()
    source = islice(frames(seed), count)
    sent = Counter[str]()
    async with serving(deployment) as gateway, await _stdio(deployment) as process:
        sessions = [await _session(gateway, deployment) for _ in range(4)]
        with anyio.move_on_after(minutes * 60):
            async with anyio.create_task_group() as tasks:
                told, lines = anyio.create_memory_object_stream[Frame](64)
                tasks.start_soon(_over_stdio, process, lines, wrong)
                async with anyio.create_task_group() as lanes:
                    lane = _Lane(gateway, deployment.keys["ana"], sessions, seen, wrong, asked)
                    shared = _shared(source, asked, sent)
                    for _ in range(LANES):
                        lanes.start_soon(lane.work, shared, told)
                await told.aclose()
        lived = gateway.process.poll() is None and process.returncode is None
        peaks = (peak_kib(gateway.process.pid), peak_kib(process.pid))
        process.kill()
    executed = await anyio.to_thread.run_sync(deployment.noted)
    wrong += [f"executed {n}, which nobody asked for" for n in executed if n not in asked]
    return Abuse(sent["frames"], seen, wrong, len(executed), peaks, lived)


def _shared(source: Iterator[Frame], asked: set[int], sent: Counter[str]) -> Iterator[Frame]:
    for frame in source:
        sent["frames"] += 1
        asked |= numbers_in(frame.body)
        yield frame


class _Lane:
    """Sends frames over HTTP, one after another, over a connection that it keeps as long as the gateway does."""

    def __init__(
        self, gateway: Serving, key: str, sessions: list[str], seen: Counter[int], wrong: list[str],
        asked: set[int],
    ) -> None:  # fmt: skip
        self._asked = asked
        self._gateway = gateway
        self._key = key
        self._sessions = sessions
        self._seen = seen
        self._wrong = wrong

    async def work(self, source: Iterator[Frame], told: anyio.abc.ObjectSendStream[Frame]) -> None:
        """Take frames until there are no more."""
        wire: Wire | None = None
        for number, frame in enumerate(source):
            if number % 10 == 9:
                await told.send(frame)
                continue
            wire = await self._exchange(wire, frame)
        if wire is not None:
            await wire.stream.aclose()

    async def _exchange(self, wire: Wire | None, frame: Frame) -> Wire | None:
        head = frame.head
        if frame.session and "mcp_session_id" not in head:
            head = {**head, "mcp_session_id": self._sessions[len(frame.body) % len(self._sessions)]}
        raw = http(self._gateway.address, self._key, frame.body, **head)
        if frame.raw is not None:
            raw = spoilt_request(raw, frame.raw)
            self._asked |= numbers_in(raw)
        waits = frame.waits or bool(head.keys() & {"content_length", "transfer_encoding"})
        try:
            if wire is None:
                wire = Wire(await anyio.connect_tcp(*self._gateway.address))
            with anyio.fail_after(0.3 if waits else SILENT_S):
                await wire.stream.send(raw)
                answer = await wire.read()
            self._seen[answer.status] += 1
            self._judge(answer)
            if answer.status and not waits and answer.head.get("connection") != "close":
                return wire
        except TimeoutError:
            if not waits:
                self._wrong.append(f"no answer to {raw[:300]!r} … {frame.body[:200]!r}")
        except anyio.BrokenResourceError:
            self._seen[0] += 1
        except (Malformed, ValueError) as error:
            if not waits:
                self._wrong.append(f"{type(error).__name__}: {error} to {frame.body[:200]!r}")
        except OSError as error:
            self._wrong.append(f"no connection: {error}")
        if wire is not None:
            await anyio.aclose_forcefully(wire.stream)
        return None

    def _judge(self, answer: Answer) -> None:
        said = messages_of(answer)
        if any(not isinstance(one, dict) or one.get("jsonrpc") != "2.0" for one in said):
            self._wrong.append(f"no message: {answer.body[:200]!r}")
        if answer.status >= 500 or b"Traceback" in answer.body:
            self._wrong.append(f"{answer.status}: {answer.body[:200]!r}")


async def _session(gateway: Serving, deployment: Deployment) -> str:
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
    opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with await anyio.connect_tcp(*gateway.address) as stream:
        wire = Wire(stream)
        await stream.send(http(gateway.address, deployment.keys["ana"], json.dumps(opening).encode()))
        session = (await wire.read()).head["mcp-session-id"]
        body = json.dumps(ready).encode()
        await stream.send(http(gateway.address, deployment.keys["ana"], body, mcp_session_id=session))
        assert (await wire.read()).status == 202
    return session


async def _stdio(deployment: Deployment) -> anyio.abc.Process:
    return await anyio.open_process(
        [INTERLOCK, "gateway", "stdio"], cwd=deployment.folder, env=deployment.environment("ana"),
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


async def _over_stdio(
    process: anyio.abc.Process, lines: anyio.abc.ObjectReceiveStream[Frame], wrong: list[str]
) -> None:
    """Write frames as lines, read every line that comes back, and at the end make sure that it still answers."""
    assert process.stdin is not None and process.stdout is not None
    out = BufferedByteReceiveStream(process.stdout)
    done = anyio.Event()

    async def read() -> None:
        while not done.is_set():
            line = await out.receive_until(b"\n", 16 << 20)
            said = json.loads(line)
            if said.get("jsonrpc") != "2.0":
                wrong.append(f"stdio: no message: {line[:200]!r}")
            if said.get("id") == "the last one":
                done.set()

    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
    opening = {"jsonrpc": "2.0", "id": "first", "method": "initialize", "params": client}
    last = {"jsonrpc": "2.0", "id": "the last one", "method": "ping"}
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await process.stdin.send(json.dumps(opening).encode() + b"\n")
            await process.stdin.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
            async with lines:
                async for frame in lines:
                    await process.stdin.send(frame.body + b"\n")
            await process.stdin.send(b"\n" + json.dumps(last).encode() + b"\n")
            with anyio.move_on_after(SILENT_S):
                await done.wait()
            if not done.is_set():
                wrong.append("stdio: no answer at the end")
            tasks.cancel_scope.cancel()
    except* (ValueError, anyio.EndOfStream, anyio.BrokenResourceError) as group:
        wrong.append(f"stdio: {group.exceptions!r}")


def main() -> int:
    """Abuse it, and print what was seen."""
    words = argparse.ArgumentParser(prog="python -m proof.fuzz", description=__doc__)
    words.add_argument("--frames", type=int, default=1_000_000, help="how many")
    words.add_argument("--seed", type=int, default=1, help="of the frames")
    words.add_argument("--minutes", type=float, default=600, help="at most so long")
    said = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlock-fuzz-") as folder:
        found = anyio.run(partial(abuse, Path(folder), said.frames, said.seed, said.minutes))
    print(f"seed {said.seed}: {found.sent:,} of {said.frames:,} frames; {found.executed:,} calls executed")
    print("answers by status: " + ", ".join(f"{status}: {times:,}" for status, times in sorted(found.statuses.items())))
    print("most memory resident: " + ", ".join(f"{kib >> 10} MiB" for kib in found.peak_kib) + " (HTTP, stdio)")
    for line in found.wrong[:20]:
        print(f"WRONG: {line}")
    print(
        "held" if found.held else f"NOT HELD: {len(found.wrong)} wrong, processes {'lived' if found.lived else 'died'}"
    )
    return 0 if found.held else 1


if __name__ == "__main__":
    sys.exit(main())
