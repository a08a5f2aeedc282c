"""IBM's ContextForge in a virtual environment of its own: started, its server behind registered, its tool offered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import ROOT
from bench.served import Served, answers_get, served

PROGRAM = ".venv-contextforge/bin/mcpgateway"
"""Below the root; it needs Python 3.12 and versions that other peers do not share."""

_SECRET = "the benchmark's own secret, which guards nothing at all"
_ENVIRONMENT = {
    "PYTHONPATH": "",
    "JWT_SECRET_KEY": _SECRET,
    "AUTH_ENCRYPTION_SECRET": _SECRET[::-1],
    "BASIC_AUTH_PASSWORD": "Bench-pass-2026!",
    "PLATFORM_ADMIN_PASSWORD": "Bench-pass-2026!",
    "DEFAULT_USER_PASSWORD": "Bench-pass-2026!",
    "MCPGATEWAY_UI_ENABLED": "false",
    "LOG_LEVEL": "ERROR",
    # it refuses servers on this machine, and more than a hundred calls a minute, unless it is told otherwise
    "SSRF_ALLOW_LOCALHOST": "true",
    "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
    "RATE_LIMITING_ENABLED": "false",
    "TOOL_RATE_LIMIT": "100000000",
    # each call checks the server's address in a thread, and is refused where that takes five seconds
    "GATEWAY_TEST_DNS_TIMEOUT": "30",
}


@asynccontextmanager
async def forged(folder: Path, url: str) -> AsyncIterator[tuple[Served, str, str, dict[str, str]]]:
    """It, before the server at this address: the process, its endpoint's path, the tool's name, a client's headers."""
    environment = _ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{folder}/forge.db"}

    def command(port: int) -> list[str]:
        listen = ["--host", "127.0.0.1", "--port", str(port), "--timeout-keep-alive", "3600"]
        return [str(ROOT / PROGRAM), *listen, "--no-access-log", "--log-level", "error"]

    async with served(command, lambda port: answers_get(port, "/health"), folder, environment) as process:
        headers = {"Authorization": f"Bearer {_token()}"}

        async def told(path: str, body: Any = None) -> Any:
            return await asyncio.to_thread(_told, f"http://127.0.0.1:{process.port}{path}", headers, body)

        await told("/gateways", {"name": "bare", "url": url, "transport": "STREAMABLEHTTP"})
        [tool] = await told("/tools")
        server = await told("/servers", {"server": {"name": "bench", "associated_tools": [tool["id"]]}})
        yield process, f"/servers/{server['id']}/mcp/", tool["name"], headers


def _told(url: str, headers: dict[str, str], body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {**headers, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _token() -> str:
    """An administrator's token for a day, as its `create_jwt_token` makes them."""
    now = int(time.time())
    claims = {
        "sub": "admin@example.com", "iss": "mcpgateway", "aud": "mcpgateway-api", "iat": now, "exp": now + 86_400,
        "jti": "bench", "is_admin": True, "teams": None,
    }  # fmt: skip
    text = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{text}.{_encoded(hmac.digest(_SECRET.encode(), text.encode(), hashlib.sha256))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
