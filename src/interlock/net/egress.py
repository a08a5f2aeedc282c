"""The one client for everything that Interlock itself sends over HTTP.

TLS always, but to this machine; no redirects, no cookies, no proxy from the environment; bounds on time and answer. It
speaks to the transport below httpx2's client: the client would write every URL to the log, and one may be a secret.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

import anyio

from interlock.errors import MissingExtra
from interlock.net.sent import Sent, Verdict

try:
    import httpx2
except ImportError:
    raise MissingExtra("webhooks need the extra 'notify'", remedy="Run `pip install 'interlock[notify]'`.") from None

ANSWER_MAX: Final = 64 << 10
"""Bytes of an answer that are read; whatever else there is, the connection ends."""

_LATER: Final = frozenset({408, 429})


class Egress:
    """An HTTP client. Makes its TLS context once, which reads files: make it in a thread.

    Args:
        timeout_s: Seconds that one request may take, from dialling to the end of the answer.
        proxy: URL of a proxy; none where empty, whatever the environment says.
        tls: Whom to trust; what the machine trusts where None.
    """

    def __init__(self, *, timeout_s: float = 10.0, proxy: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._timeout_s = timeout_s
        self._transport = httpx2.AsyncHTTPTransport(
            verify=tls or httpx2.create_ssl_context(trust_env=False),
            trust_env=False,
            proxy=httpx2.Proxy(proxy) if proxy else None,
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=30),
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
        """Send a body. Never raises for what a network or a far end does."""
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)
        try:
            request = httpx2.Request(
                "POST", url, content=body, extensions={"timeout": timeout},
                headers={**headers, "accept-encoding": "identity", "user-agent": "interlock"},
            )  # fmt: skip
            with anyio.fail_after(self._timeout_s):
                response = await self._transport.handle_async_request(request)
                try:
                    await _drained(response)
                finally:
                    with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                        await response.aclose()
        except TimeoutError:
            return Sent(Verdict.LATER, "no answer in time")
        except (httpx2.TransportError, httpx2.InvalidURL, ValueError) as error:  # also a host that no name can be
            return Sent(Verdict.LATER, f"no answer: {type(error).__name__}")
        return _judged(response)

    async def close(self) -> None:
        """End the connections that are open."""
        await self._transport.aclose()


async def _drained(response: httpx2.Response) -> None:
    """Read an answer up to the bound, so that its connection can be used again; what it says is of no account."""
    read = 0
    async for chunk in response.aiter_raw():
        read += len(chunk)
        if read > ANSWER_MAX:
            return


def _judged(response: httpx2.Response) -> Sent:
    status = response.status_code
    why = f"answered {status}"
    if 200 <= status < 300:
        return Sent(Verdict.ACCEPTED, why)
    if status in _LATER or status >= 500:
        asked = response.headers.get("retry-after", "")
        return Sent(Verdict.LATER, why, float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0.0)
    return Sent(Verdict.REFUSED, f"{why}; redirects are not followed" if 300 <= status < 400 else why)
