"""A process that makes every call of a deployment, and writes down what it is told: `python -m proof.canaries.caller`.

Its log goes to its standard error; what a model is told, what is heard of progress and what is raised goes to files.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

import anyio

from interlock import Interlock, Principal, World, load_settings, open_plane
from interlock.core.secret import reference_of
from interlock.errors import InterlockError
from proof.canaries.forms import FORMS

WAYS = ("result", "error", "raised", "aside")
SOURCES = ("own", "far__echo", "shop__echo")
ANA = Principal("ana", roles=frozenset({"support"}))


async def no_pause(seconds: float) -> None:
    """Try again at once."""


async def call_all(plane: Interlock, canaries: int, told: TextIO, raised: TextIO) -> None:
    """Every source, form and way with every canary; and for each canary a call that waits for a person."""
    for number in range(canaries):
        key = {"$secret": f"env://CANARY_{number}"}
        async with plane.run(ANA, words="repeat") as run:
            with plane.plane.executor.listeners.to_run(run.run_id, lambda _, said: print(said, file=told)):
                for form in FORMS:
                    for source in SOURCES:
                        for way in WAYS:
                            outcome = await run.call(source, {"key": key, "form": form, "way": way})
                            print(json.dumps(outcome.as_json(), ensure_ascii=False), outcome, file=told)
                            print(repr(outcome), file=raised)
                            if outcome.kind == "refused":
                                raise SystemExit(f"{source} {way}: {outcome}")
                    if form in ("exact", "split"):
                        print((await run.call("held", {"key": key, "form": form})).as_json(), file=told)
        with anyio.move_on_after(0.0):
            async with plane.run(ANA) as run:
                await run.call("own", {"key": key, "form": "exact", "way": "result"})
    for bad in ("env://CANARY_SHORT", "file:///nowhere", "vault://kv/none#key"):
        try:
            await plane.plane.executor.keeper.secret(reference_of(bad))
        except InterlockError:
            traceback.print_exc(file=raised)
    print(repr(plane.plane), repr(plane.plane.executor), repr(plane.plane.executor.keeper), file=raised)


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
