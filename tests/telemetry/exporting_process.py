"""A process that makes runs and exports them, until it is killed: `python -m tests.telemetry.exporting_process`."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from interlock import Settings, World, open_plane
from interlock.telemetry.exporting import exporting
from tests.planes import ANA, Far


async def main(folder: Path, url: str) -> None:
    """Say after each run that it was made."""
    otlp = {"endpoint": url, "every_s": 0.01}
    settings = Settings(folder=folder, ledger=folder / "ledger.db", telemetry={"otlp": otlp})  # type: ignore[arg-type]
    async with (
        open_plane(settings, tools=[Far().tool("get")], engine=False) as plane,
        exporting(settings, plane, World()),
    ):
        while True:
            async with plane.run(ANA) as run:
                await run.call("get", {"n": 1})
            sys.stdout.write(run.run_id + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
