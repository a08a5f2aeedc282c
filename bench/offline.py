"""Keeps a worker off the network, and says so when something tried.

The peers' telemetry is switched off by `OPT_OUTS`; this is the check that it is. It covers whatever dials
through Python's socket module.
"""

from __future__ import annotations

import socket
from typing import Any

LOOPBACK = "127.0.0.1"

OPT_OUTS = {
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_LOG_LEVEL": "ERROR",
    "FASTMCP_SHOW_SERVER_BANNER": "false",
    "OTEL_SDK_DISABLED": "true",
    "DO_NOT_TRACK": "1",
}

DIALS: list[str] = []
"""What somebody tried to reach. A worker with an entry here has failed."""


def close_the_network(*, loopback: bool = False) -> None:
    """From now on every dial and every name look-up in this process is noted and refused.

    Args:
        loopback: Let it dial this machine by its address.
    """
    connect, lookup = socket.socket.connect, socket.getaddrinfo

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not (loopback and address[0] == LOOPBACK):
            _refuse(address)
        connect(self, address)

    def guarded_lookup(host: Any, *more: Any, **named: Any) -> list[Any]:
        if not (loopback and host in (LOOPBACK, LOOPBACK.encode())):
            _refuse(host)
        return lookup(host, *more, **named)

    socket.socket.connect = socket.socket.connect_ex = guarded  # type: ignore[assignment,method-assign]
    socket.getaddrinfo = guarded_lookup


def _refuse(address: object) -> None:
    DIALS.append(repr(address))
    raise OSError(f"the benchmark is offline; refused {address!r}")
