"""A process of its own that has a plane with a server, says the server's process, and waits: `owner.py KIND`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio

from interlock import Settings, open_plane
from tests.planes import ANA


async def main() -> None:
    far = Path(__file__).with_name("far_server.py")
    server = {"name": "far", "command": [sys.executable, str(far)], "trust": True, "effects": {"echo": "read"}}
    made = Settings(ledger=None, folder=far.parent, mode="evaluate_only", servers=[server])  # type: ignore[arg-type]
    async with open_plane(made) as plane, plane.run(ANA, words="w") as run:
        outcome = await run.call("far__echo", {})
        sys.stdout.write(f"{json.loads(outcome.value['content'][0]['text'])['pid']}\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
