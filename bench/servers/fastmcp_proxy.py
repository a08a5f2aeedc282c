"""FastMCP's proxy: `python -m bench.servers.fastmcp_proxy PORT URL [shared]`.

As its documentation has it, `create_proxy(url)`, which connects for each request; `shared` is its
`FastMCPProxy` with one client that stays connected and serves all of them.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastmcp import Client
from fastmcp.server import create_proxy
from fastmcp.server.providers.proxy import FastMCPProxy

from bench.servers.serve import serve

URL, SHARED = sys.argv[2], "shared" in sys.argv[3:]


def main() -> None:
    if not SHARED:
        return serve(create_proxy(URL, name="proxy").http_app(json_response=True))
    client: Any = Client(URL)
    app = FastMCPProxy(client_factory=lambda: client, name="proxy").http_app(json_response=True)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def connected(served: Any) -> AsyncIterator[Any]:
        async with client, inner(served) as state:
            yield state

    app.router.lifespan_context = connected
    serve(app)


if __name__ == "__main__":
    main()
