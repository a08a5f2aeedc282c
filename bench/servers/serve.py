"""Serves an ASGI application on loopback as every process of the suite does: httptools, and idle clients kept."""

from __future__ import annotations

import gc
import sys
from typing import Any

import uvicorn

from bench.offline import close_the_network


def serve(app: Any) -> None:
    """Serve it on the port that the command names, until the process is ended."""
    close_the_network(loopback=True)
    gc.freeze()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        log_level="error",
        access_log=False,
        timeout_keep_alive=3600,  # five seconds by default: a row that waits for its turn would lose its connections
    )
