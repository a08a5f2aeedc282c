"""A process that makes every call of a deployment, and writes down what it is told: `python -m proof.canaries.caller`.

Its log goes to its standard error; what a model is told, what is heard of progress and what is raised goes to files.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

import anyio

from interlock import Interlock, Principal, World, load_settings, open_plane
from interlock.core.secret import reference_of
from interlock.errors import InterlockError
from proof.canaries.forms import FORMS, said

WAYS = ("result", "error", "raised", "aside")
SOURCES = ("own", "far__echo", "shop__echo")
ANA = Principal("ana", roles=frozenset({"support"}))


async def no_pause(seconds: float) -> None:
    """Try again at once."""


async def call_all(plane: Interlock, canaries: int, told: TextIO, raised: TextIO) -> None:
    """Every source, form and way with every canary; what fails to resolve; and what leaks on purpose."""
    async with anyio.create_task_group() as tasks:
        for source in SOURCES:  # beside each other, and the calls of one source one after the other
            tasks.start_soon(_all_of, plane, source, canaries, told, raised)
    for number in range(canaries):  # a run of its own for each: what waits in one run is limited
        async with plane.run(ANA, words="repeat") as run:
            for form in ("exact", "split"):
                await _held(run, {"key": _key(number), "form": form}, told)
    async with plane.run(ANA, words="repeat") as run:
        await _leak(run, told, raised)
    with anyio.move_on_after(0.0):
        async with plane.run(ANA) as run:
            await run.call("own", {"key": _key(0), "form": "exact", "way": "result"})
    for bad in ("env://CANARY_SHORT", "file:///nowhere", "vault://kv/none#key"):
        try:
            await plane.plane.executor.keeper.secret(reference_of(bad))
        except InterlockError:
            traceback.print_exc(file=raised)
    print(repr(plane.plane), repr(plane.plane.executor), repr(plane.plane.executor.keeper), file=raised)


def _key(number: int) -> dict[str, str]:
    return {"$secret": f"env://CANARY_{number}"}


async def _all_of(plane: Interlock, source: str, canaries: int, told: TextIO, raised: TextIO) -> None:
    for number in range(canaries):
        async with plane.run(ANA, words="repeat") as run:
            with plane.plane.executor.listeners.to_run(run.run_id, lambda _, said: print(said, file=told)):
                for form in FORMS:
                    for way in WAYS:
                        outcome = await run.call(source, {"key": _key(number), "form": form, "way": way})
                        print(json.dumps(outcome.as_json(), ensure_ascii=False), outcome, file=told)
                        print(repr(outcome), file=raised)
                        if outcome.kind == "refused":
                            raise SystemExit(f"{source} {way}: {outcome}")


async def _leak(run: Any, told: TextIO, raised: TextIO) -> None:
    """The negative control: a secret that nothing here knows to be one, in every form, to every place."""
    for form in FORMS:
        outcome = await run.call("leak", {"form": form})
        print(json.dumps(outcome.as_json(), ensure_ascii=False), file=told)
        print(repr(outcome), file=raised)
        await _held(run, {"key": " ".join(said(form, os.environ["LEAKED"])), "form": form}, told)


async def _held(run: Any, arguments: dict[str, Any], told: TextIO) -> None:
    outcome = await run.call("held", arguments)
    if outcome.kind != "held":
        raise SystemExit(f"held: {outcome}")
    print(outcome.as_json(), file=told)


async def main(folder: Path, canaries: int) -> None:
    """Call, and keep what stands in the process and its files before it ends."""
    settings = await anyio.to_thread.run_sync(load_settings, folder / "interlock.toml")
    with (folder / "told.txt").open("w") as told, (folder / "raised.txt").open("w") as raised:
        async with open_plane(settings, world=World(pause=no_pause)) as plane:
            await call_all(plane, canaries, told, raised)
            reads: Any = plane.plane.executor.reads
            kept = [entry.text for entry in reads._cache._kept.values()]
            (folder / "cache.txt").write_bytes(b"\n".join(kept) + repr(vars(reads)).encode())
            errors = b"\n".join(server.errors for server in plane.fleet.servers.values())
            (folder / "server_errors.txt").write_bytes(errors)
            shutil.copytree(folder / ".interlock", folder / "files_while_open")


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
