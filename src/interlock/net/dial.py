"""Connections to checked addresses: what is resolved is checked, and what was checked is what is dialled."""

from __future__ import annotations

import ipaddress
import select
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import anyio

from interlock.errors import MissingExtra, NotSent
from interlock.net.reach import Address, Reach

try:
    import httpcore2
except ImportError:
    raise MissingExtra("requests need the extra 'notify'", remedy="Run `pip install 'interlock[notify]'`.") from None

ADDRESSES_MAX: Final = 4
"""Addresses of one host that are tried."""

WAITING_MAX: Final = 64 << 10
"""Bytes that wait for more."""

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Names to addresses, in the order in which they are to be tried."""


async def resolve(host: str, port: int) -> list[str]:
    """What the machine's resolver says.

    Raises:
        OSError: It knows no such name.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Together(httpcore2.AsyncNetworkStream):
    """A connection on which what is written leaves once an answer is waited for: a request's head and body in one go.

    Two packets cost both ends twice as much as one. More than 64 KiB do not wait.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._waiting = bytearray()
        self._write_s: float | None = None
        self._socket: Any = None
        self._poll = select.poll()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Send what waits, and read."""
        await self._send()
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keep it for the next reading."""
        self._waiting += buffer
        self._write_s = timeout
        if len(self._waiting) > WAITING_MAX:
            await self._send()

    async def aclose(self) -> None:
        """End it; what waits never leaves."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """The same within TLS."""
        await self._send()
        return Together(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What the connection below says of itself.

        A pool asks of each idle connection, for each request, whether the other side has ended it: the socket is looked
        up once, which takes ten times what asking it does.
        """
        if info != "is_readable":
            return self._stream.get_extra_info(info)
        if self._socket is None:
            self._socket = self._stream.get_extra_info("socket")
            if self._socket is None or self._socket.fileno() < 0:
                return True
            self._poll.register(self._socket.fileno(), select.POLLIN)
        return self._socket.fileno() < 0 or bool(self._poll.poll(0))

    async def _send(self) -> None:
        if self._waiting:
            whole, self._waiting = bytes(self._waiting), bytearray()
            await self._stream.write(whole, self._write_s)


class Dialler(httpcore2.AsyncNetworkBackend):
    """Connects to a host if every address that it has may be reached, and to one of just these.

    The name is resolved once for a connection and never asked again: who changes it in between changes nothing. TLS
    is made for the name, above this.
    """

    def __init__(self, reach: Reach, resolve: Resolve = resolve) -> None:
        self._reach = reach
        self._resolve = resolve
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:  # fmt: skip
        """Connect.

        Raises:
            NotSent: An address may not be reached, or there is none.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: Nobody is there.
        """
        failed: Exception = httpcore2.ConnectError("no address")
        with anyio.move_on_after(timeout):
            for address in (await self._checked(host, port))[:ADDRESSES_MAX]:
                try:
                    made = await self._network.connect_tcp(str(address), port, None, local_address, socket_options)
                    return Together(made)
                except httpcore2.ConnectError as error:
                    failed = error
            raise failed
        raise httpcore2.ConnectTimeout("no connection in time")

    async def sleep(self, seconds: float) -> None:
        """Wait; for tries that this pool never makes."""
        await anyio.sleep(seconds)

    async def _checked(self, host: str, port: int) -> list[Address]:
        """The addresses of a host; refused where one of them may not be reached."""
        try:
            found = [ipaddress.ip_address(host)]
        except ValueError:
            try:
                found = [ipaddress.ip_address(each) for each in await self._resolve(host, port)]
            except (OSError, UnicodeError, ValueError):  # a ValueError: an address with a zone, which is link-local
                raise NotSent(f"no address is known for {host!r}", code="egress.unreachable") from None
        for address in found:
            if why := self._reach.objection(host, address):
                raise NotSent(
                    f"{host!r} leads to an address that is {why}", code="egress.forbidden",
                    remedy="Where that is meant, the operator allows the host or the network.",
                )  # fmt: skip
        return found
