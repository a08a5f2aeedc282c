"""A process of its own that tells people until nothing is left, and can be killed at a crash point: run as a script.

sender.py LEDGER PORT [POINT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from interlock import Settings, World, open_plane
from interlock.testing import CrashAt
from interlock.upkeep import notifying
from tests.net.receivers import SECRET


def settings(ledger: Path, port: int) -> Settings:
    """A deployment with one receiver."""
    secret = ledger.parent / "hook.key"
    if not secret.exists():
        secret.write_text(SECRET)
        secret.chmod(0o600)
    hook = {"name": "hook", "url": f"http://127.0.0.1:{port}/", "secret_file": "hook.key"}
    return Settings(ledger=ledger, folder=ledger.parent, lease_s=1, notify={"webhooks": [hook]})  # type: ignore[arg-type]


async def main(ledger: Path, port: int, point: str | None) -> None:
    """Send what waits, once; wait for the claim where another process had it."""
    world = World(reach=CrashAt(point)) if point else World()
    made = settings(ledger, port)
    async with (
        open_plane(made, world=world, engine=False) as plane,
        notifying(made, plane.store, plane.claim, world) as notifier,
    ):
        assert notifier is not None
        with anyio.fail_after(30):
            while not await plane.store.rows("notice"):
                await notifier.look()
                await anyio.sleep(0.05)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
