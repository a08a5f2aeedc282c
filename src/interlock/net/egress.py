"""The one client for everything that Interlock itself sends over HTTP.

It reads the URL, resolves the name, refuses addresses that are not public unless the operator allowed them, and
connects to just what it checked; TLS holds for the name. No proxy from the environment, no cookies, no redirect that
was not asked for, bounds on time, size and packing. It stands below httpx2's client, which would write every URL to the
log (one may be a secret) and write paths anew that were checked.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urljoin

import anyio

from interlock.errors import MissingExtra, NotSent, ToolError
from interlock.net.answer import Answer, body_of, headers_of
from interlock.net.dial import Dialler, Resolve, resolve
from interlock.net.reach import PUBLIC, Reach
from interlock.net.sent import Sent, Verdict
from interlock.net.target import Target, target_of

try:
    import httpcore2
    import httpx2
except ImportError:
    raise MissingExtra("webhooks need the extra 'notify'", remedy="Run `pip install 'interlock[notify]'`.") from None

ANSWER_MAX: Final = 64 << 10
"""Bytes of an answer to a post that are read; whatever else there is, the connection ends."""

CONNECT_S: Final = 5.0
"""Seconds until a connection must stand, TLS included."""

CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that never go to another origin."""

_LATER: Final = frozenset({408, 429})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request.

    Attributes:
        method: In capitals.
        url: Where; see `target_of`.
        headers: What it bears, by name in lower case.
        body: What it carries.
        secret_headers: Names among the headers that never go to another origin, beside `CREDENTIALS`.
        answer_max: Bytes of the answer that are read.
        redirects: Redirects that a GET or HEAD follows. Each is checked like the first, and none leaves TLS.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    secret_headers: frozenset[str] = frozenset()
    answer_max: int = 4 << 20
    redirects: int = 0


class Egress:
    """An HTTP client. Makes its TLS context once, which reads files: make it in a thread.

    Args:
        reach: Where it may connect to beside public addresses.
        timeout_s: Seconds that one request may take, from dialling to the end of the answer.
        proxy: URL of a proxy; none where empty, whatever the environment says. Then it is the proxy that resolves
            names, and `reach` is about the proxy alone.
        tls: Whom to trust; what the machine trusts where None.
        keep: Connections that stay open for the next request; with 0 nothing needs to be closed.
        resolve: Names to addresses.
    """

    def __init__(
        self, reach: Reach = PUBLIC, *, timeout_s: float = 10.0, proxy: str = "", tls: ssl.SSLContext | None = None,
        keep: int = 8, resolve: Resolve = resolve,
    ) -> None:  # fmt: skip
        self._timeout_s = timeout_s
        self._pool = _pool(Dialler(reach, resolve), proxy, tls or trusted(), keep)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
        """Send a body, to an end whose answer means received, later or never. Never raises for what a network does."""
        headers = {**headers, "accept-encoding": "identity"}
        ask = Ask(method="POST", url=url, headers=headers, body=body, answer_max=ANSWER_MAX)
        try:
            return _judged(await self.send(ask))
        except TimeoutError:
            return Sent(Verdict.LATER, "no answer in time")
        except NotSent as error:
            late = isinstance(error.__cause__, TimeoutError | httpcore2.TimeoutException)
            return Sent(Verdict.LATER, "no answer in time" if late else f"no answer: {error.code}")
        except ToolError as error:
            return Sent(Verdict.LATER, f"no answer: {error.code}")

    async def send(self, ask: Ask) -> Answer:
        """Send a request and read its answer.

        Raises:
            NotSent: Not one byte of a request left: the address is refused, or nobody is there.
            TimeoutError: It may have arrived; no answer in time.
            ToolError: It may have arrived; the connection broke, or the answer cannot be read.
        """
        left = ask.redirects if ask.method in ("GET", "HEAD") else 0
        while True:
            target = target_of(ask.url)
            answer = await self._once(target, ask)
            if not left or answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            left -= 1
            ask = _onward(ask, target, answer.headers["location"])

    async def close(self) -> None:
        """End the connections that are open."""
        await self._pool.aclose()

    async def _once(self, target: Target, ask: Ask) -> Answer:
        begun = False

        async def trace(event: str, said: dict[str, Any]) -> None:
            nonlocal begun
            begun = begun or event.endswith("send_request_headers.started")

        try:
            with anyio.fail_after(self._timeout_s):
                return await self._exchange(_request(target, ask, self._timeout_s, trace), ask.answer_max)
        except ToolError:
            raise
        except (TimeoutError, httpcore2.TimeoutException) as error:
            if not begun:
                raise NotSent("no connection in time", code="egress.unreachable") from error
            raise TimeoutError("no answer in time") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError, OSError) as error:
            if not begun:
                raise NotSent(f"no connection: {type(error).__name__}", code="egress.unreachable") from error
            raise ToolError(f"the answer was lost: {type(error).__name__}", code="egress.lost") from None

    async def _exchange(self, request: httpcore2.Request, most: int) -> Answer:
        response = await self._pool.handle_async_request(request)
        try:
            headers = headers_of(response.headers)
            assert isinstance(response.stream, AsyncIterable), "a pool of connections answers in a stream"
            body, cut = await body_of(response.stream, headers.get("content-encoding", "").strip().lower(), most)
            return Answer(response.status, headers, body, cut)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await response.aclose()


def trusted() -> ssl.SSLContext:
    """Whom the machine trusts, whatever the environment says. Reads files."""
    return httpx2.create_ssl_context(trust_env=False)


class Guarded(httpx2.AsyncHTTPTransport):
    """The same for a library that brings a client of httpx2: its connections are resolved, checked and pinned alike.

    Redirects are that client's to refuse, and how much is read of a stream its owner's.
    """

    def __init__(self, reach: Reach = PUBLIC, *, tls: ssl.SSLContext | None = None, resolve: Resolve = resolve) -> None:
        trust = tls or trusted()
        super().__init__(verify=trust, trust_env=False)
        self._pool = _pool(Dialler(reach, resolve), "", trust, 64, most=64)


def _pool(
    dialler: Dialler, proxy: str, trust: ssl.SSLContext, keep: int, most: int = 32
) -> httpcore2.AsyncConnectionPool:  # fmt: skip
    if not proxy:
        return httpcore2.AsyncConnectionPool(
            trust, max_connections=most, max_keepalive_connections=keep, keepalive_expiry=30, network_backend=dialler
        )
    by = target_of(proxy)
    url = httpcore2.URL(scheme=by.scheme, host=by.host, port=by.port, target="/")
    return httpcore2.AsyncHTTPProxy(
        url, ssl_context=trust, proxy_ssl_context=trust if by.scheme == "https" else None,
        max_connections=most, max_keepalive_connections=keep, keepalive_expiry=30, network_backend=dialler,
    )  # fmt: skip


def _request(target: Target, ask: Ask, timeout_s: float, trace: Any) -> httpcore2.Request:
    """The request as it goes out.

    Raises:
        NotSent: A header would be more than one.
    """
    headers = {"accept-encoding": "gzip, deflate", "user-agent": "interlock"}
    headers |= {name.lower(): value for name, value in ask.headers.items()}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not value.isascii() or any((c < " " and c != "\t") or c > "~" for c in value):
            raise NotSent("a header that cannot be sent", code="egress.header")
    shown = f"[{target.host}]" if ":" in target.host else target.host
    usual = 443 if target.scheme == "https" else 80
    headers["host"] = shown if target.port == usual else f"{shown}:{target.port}"
    if ask.body or ask.method in ("POST", "PUT", "PATCH"):
        headers["content-length"] = str(len(ask.body))
    timeouts = dict.fromkeys(("read", "write", "pool"), timeout_s) | {"connect": min(CONNECT_S, timeout_s)}
    url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    return httpcore2.Request(
        ask.method, url, headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        content=ask.body, extensions={"timeout": timeouts, "trace": trace},
    )  # fmt: skip


def _onward(ask: Ask, target: Target, location: str) -> Ask:
    """The request that follows a redirect: without credentials where it leads to another origin.

    Raises:
        NotSent: It leads out of TLS, or nowhere.
    """
    shown = f"[{target.host}]" if ":" in target.host else target.host
    try:
        url = urljoin(f"{target.scheme}://{shown}:{target.port}{target.path}", location)
    except ValueError:
        raise NotSent("a redirect that leads nowhere", code="egress.redirect") from None
    onward = target_of(url.partition("#")[0])
    if target.scheme == "https" and onward.scheme != "https":
        raise NotSent("a redirect out of TLS", code="egress.redirect")
    dropped = CREDENTIALS | ask.secret_headers if onward.origin != target.origin else frozenset()
    headers = {name: value for name, value in ask.headers.items() if name.lower() not in dropped}
    return replace(ask, url=url.partition("#")[0], headers=headers)


def _judged(answer: Answer) -> Sent:
    status = answer.status
    why = f"answered {status}"
    if 200 <= status < 300:
        return Sent(Verdict.ACCEPTED, why)
    if status in _LATER or status >= 500:
        return Sent(Verdict.LATER, why, seconds_of(answer) or 0.0)
    return Sent(Verdict.REFUSED, f"{why}; redirects are not followed" if 300 <= status < 400 else why)


def seconds_of(answer: Answer) -> float | None:
    """How many seconds the far end wants to be left alone; None where it does not say, or says a date."""
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else None
