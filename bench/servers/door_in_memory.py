"""The gateway over a ledger in memory, which the command has no setting for; else as the command starts it.

`python -m bench.servers.door_in_memory PORT SETTINGS`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from bench.offline import close_the_network
from interlock import World, open_plane
from interlock.cli.heap import patient, settled
from interlock.gateway.admission import KeyAdmission, local_key
from interlock.gateway.door import open_door
from interlock.gateway.http import HttpDoor, bind, serve_door
from interlock.key_ring import KeyRing
from interlock.settings import load_settings


async def main() -> None:
    settings, world = load_settings(Path(sys.argv[2])).model_copy(update={"ledger": None}), World()
    async with open_plane(settings, world=world) as plane, open_door(settings, plane, world) as door:
        admission = KeyAdmission(KeyRing(settings.folder / "keys.json", world.clock), local_key(settings.gateway))
        http = HttpDoor(door, admission, settings.gateway.path)
        settled()
        await serve_door(http, http.application, bind("127.0.0.1", int(sys.argv[1])), anyio.Event(), 0)


if __name__ == "__main__":
    close_the_network(loopback=True)
    patient()
    anyio.run(main)
