"""A process that goes on with the agent's runs: `python -m examples.customer_support.worker --settings FILE`.

`interlock work` does that for calls; of an agent it would know neither model nor instructions, which are code. So a
deployment with agents has a few lines of its own: open the plane with them, and leave the rest to its engine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

import anyio

import interlock
from examples.customer_support.desk import desk


async def work(settings: interlock.Settings) -> None:
    """Do what is due, until SIGTERM."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with interlock.open_plane(settings, agents=[desk()]) as plane:
            print(json.dumps({"worker": plane.worker, "pid": os.getpid()}), flush=True)
            async for _ in signals:
                return


def main() -> int:
    """The exit code: 0 where it was asked to end."""
    parser = argparse.ArgumentParser(prog="python -m examples.customer_support.worker")
    parser.add_argument("--settings", type=Path, required=True)
    anyio.run(work, interlock.load_settings(parser.parse_args().settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
