"""A server that answers at an address: streamable HTTP, bounded while it streams, and honest about what was sent.

The SDK speaks the protocol; what stands here lies below its HTTP client. It makes of every failure of the network an
answer to the one request that met it, because the SDK would end the whole connection, and notes for each request
whether anything had left.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx2
from mcp.client.streamable_http import streamable_http_client

from interlock.core.scrub import Scrub
from interlock.errors import NotSent
from interlock.net.egress import Guarded
from interlock.net.reach import PUBLIC, Reach
from interlock.net.target import target_of
from interlock.sources.mcp_direct import Direct
from interlock.sources.mcp_link import TRIP, Link, Trip

STREAM_FRAMES: Final = 4
"""How many times the bound of one message all events of one answer may have together."""

_TIMEOUT: Final = httpx2.Timeout(connect=10, read=None, write=30, pool=10)
"""A call's own deadline ends its reading."""

_NOTHING_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)

_ACCEPTED: Final = "application/json, text/event-stream"
_AGREED: Final = ("mcp-session-id", "mcp-protocol-version")
"""What the SDK's requests bear once it has shaken hands."""

_REPLACED: Final = -32099
"""Code of our own answers in the place of the network's failures. What it means is taken from the trip alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server answers. Makes its TLS context when it is made, which reads files: make it in a thread.

    Attributes:
        url: The endpoint.
        reach: What may be connected to beside public addresses.
        headers: What every request bears.
        frame_max: Bytes of one message from it.
        tls: Whom to trust; what the machine trusts where it is left out.
        secrets: Values among the headers that no answer repeats.
        bearer: Gives a token for each request, and another one for a token that was refused; None where there is none.
    """

    url: str
    reach: Reach = PUBLIC
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    frame_max: int = 4 << 20
    tls: ssl.SSLContext = field(default_factory=lambda: httpx2.create_ssl_context(trust_env=False), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    bearer: Callable[[str], Awaitable[str]] | None = field(default=None, repr=False)


@asynccontextmanager
async def http_link(address: Address) -> AsyncIterator[Link]:
    """A way to a server at an address. Nothing is dialled before something is sent."""
    bounded = Bounded(address)
    async with (
        httpx2.AsyncClient(
            transport=bounded, headers=bounded.headers, timeout=_TIMEOUT, follow_redirects=False, trust_env=False
        ) as client,
        streamable_http_client(address.url, http_client=client, max_sse_event_size=address.frame_max) as streams,
    ):
        direct = Direct(streams[0], streams[1], bounded.post)
        link = Link(received=streams[0], sending=streams[1], dispatcher=direct)
        bounded.link = link
        yield link


class Bounded(httpx2.AsyncBaseTransport):
    """The HTTP transport: no proxy of the environment, no redirect, no compression, no more bytes than agreed.

    Attributes:
        link: Whose it is.
        headers: What every request bears.
    """

    def __init__(self, address: Address) -> None:
        self.link: Link | None = None
        self.headers = {**address.headers, "accept-encoding": "identity", "user-agent": "interlock"}
        self._url = httpx2.URL(address.url)
        self._agreed: dict[str, str] = {}
        self._frame_max = address.frame_max
        self._address = address
        self._origin = target_of(address.url).origin
        self._transport = Guarded(address.reach, tls=address.tls)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. A failure of the network is an answer, and noted on the request's trip."""
        trip = TRIP.get() or Trip()
        if trip.answer is not None and request.method == "POST":
            answer, trip.answer = trip.answer, None
            return answer
        self._agreed = {name: request.headers[name] for name in _AGREED if name in request.headers}
        try:
            response, secrets = await self._sent(request)
        except NotSent as error:
            trip.not_sent = True
            return _instead(error.args[0])
        except _NOTHING_SENT as error:
            trip.not_sent = True
            return _instead(f"could not be reached: {type(error).__name__}")
        except httpx2.TransportError as error:
            trip.lost = f"gave no answer: {type(error).__name__}"
            return _instead(trip.lost)
        return await self._checked(request, response, trip, secrets)

    async def post(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        """Send one message as the SDK would, in the session that it opened; see `handle_async_request`."""
        said = {**self.headers, "accept": _ACCEPTED, "content-type": "application/json", **self._agreed, **headers}
        request = httpx2.Request(
            "POST", self._url, headers=said, content=body, extensions={"timeout": _TIMEOUT.as_dict()}
        )
        return await self.handle_async_request(request)

    async def _sent(self, request: httpx2.Request) -> tuple[httpx2.Response, tuple[str, ...]]:
        """The answer to a request with its token, and what the answer may not repeat.

        A token that is refused is renewed once: what was refused was not taken.
        """
        bearer, secrets = self._address.bearer, self._address.secrets
        if bearer is None or target_of(str(request.url)).origin != self._origin:
            return await self._transport.handle_async_request(request), secrets
        token = await bearer("")
        request.headers["authorization"] = f"Bearer {token}"
        response = await self._transport.handle_async_request(request)
        secrets += (token,)
        if response.status_code == 401:
            await response.aclose()
            token = await bearer(token)
            request.headers["authorization"] = f"Bearer {token}"
            response = await self._transport.handle_async_request(request)
            secrets += (token,)
        return response, secrets

    async def _checked(
        self, request: httpx2.Request, response: httpx2.Response, trip: Trip, secrets: tuple[str, ...]
    ) -> httpx2.Response:
        trip.status = status = response.status_code
        asked = response.headers.get("retry-after", "")
        trip.retry_after_s = float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0.0
        if 300 <= status < 400:
            await response.aclose()
            return _instead(f"answered {status}; redirects are not followed")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            trip.lost = "answered with compressed data, which was not asked for"
            return _instead(trip.lost)
        if status == 404 and "mcp-session-id" in request.headers:
            trip.not_sent = True  # the session is over at their end: the request was not taken
            if self.link is not None:
                self.link.end("ended the session")
        many = STREAM_FRAMES if response.headers.get("content-type", "").startswith("text/event-stream") else 1
        most = None if request.method == "GET" else many * self._frame_max
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Counted(response.stream, most, trip, Scrub(secrets))
        return response

    async def aclose(self) -> None:
        """End the connections that are open."""
        await self._transport.aclose()


class _Counted(httpx2.AsyncByteStream):
    """The bytes of an answer without secrets, up to the bound; a failure in their midst is answered to the caller."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int | None, trip: Trip, scrub: Scrub) -> None:
        self._stream, self._most, self._trip, self._scrub = stream, most, trip, scrub

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        try:
            async for chunk in self._stream:
                read += len(chunk)
                if self._most is not None and read > self._most:
                    self._trip.lost = f"answered with more than {self._most} bytes"
                    raise httpx2.StreamError(self._trip.lost)
                if clean := self._scrub.more(chunk):
                    yield clean
            if clean := self._scrub.end():
                yield clean
        except httpx2.TransportError as error:
            self._trip.lost = f"broke off its answer: {type(error).__name__}"
            raise httpx2.StreamError(self._trip.lost) from None

    async def aclose(self) -> None:
        await self._stream.aclose()


def _instead(why: str) -> httpx2.Response:
    """An answer in the place of one that did not come, in the protocol's form."""
    error = {"code": _REPLACED, "message": why}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    return httpx2.Response(502, headers={"content-type": "application/json"}, content=body)
