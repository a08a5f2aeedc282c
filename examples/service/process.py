"""A service as a process.

When it is ready it prints one JSON line: `port`, `token` (for /v1), `admin_token` (for /admin), `pid`, and what the
service adds. It ends with status 0 when its standard input closes or its parent is gone, with 2 if it cannot begin.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from examples.service.endpoint import Endpoint
from examples.service.server import ServiceServer, Tokens
from examples.service.store import Books, FileRefused, Store

PARENT_CHECK_S = 0.5

Beside = Callable[[Store], Mapping[str, object]]
"""Starts what else the service listens on; gives what the ready line says of it."""


def serve(module: str, books: Books, public: Sequence[Endpoint], beside: Beside | None = None) -> int:
    """Serve until the parent goes; the process's exit status.

    Args:
        module: The service's, as it is started.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--db", type=Path, required=True, help="SQLite file; made and filled where there is none")
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free one")
    options = parser.parse_args()
    parent = os.getppid()
    tokens = Tokens(caller=secrets.token_urlsafe(24), admin=secrets.token_urlsafe(24))
    try:
        store = Store(options.db, books, lambda: datetime.now(UTC))
        server = ServiceServer(options.port, store, tokens, public)
        more = beside(store) if beside is not None else {}
    except (FileRefused, OSError, OverflowError) as error:
        print(error, file=sys.stderr)
        return 2

    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    ready = {"port": server.server_port, "token": tokens.caller, "admin_token": tokens.admin, "pid": os.getpid()}
    print(json.dumps(ready | dict(more)), flush=True)
    _wait_for_the_end(parent)
    server.shutdown()
    server.server_close()
    store.close()
    return 0


def _wait_for_the_end(parent: int) -> None:
    """Return when standard input is at its end, the process `parent` is gone, or Ctrl-C was pressed."""
    closed = threading.Event()

    def read_to_the_end() -> None:
        # os.read, not sys.stdin: a thread within a buffered reader stops the interpreter from ending.
        while os.read(0, 4096):
            pass
        closed.set()

    threading.Thread(target=read_to_the_end, daemon=True).start()
    try:
        while not closed.wait(PARENT_CHECK_S) and os.getppid() == parent:
            pass
    except KeyboardInterrupt:
        pass
