"""A loopback proxy that misbehaves at a byte that you choose.

It stands between a tool and its far end and does to a connection what networks do: cuts it, holds it up, lets it
drip, delivers it twice, resets it, ends one half of it, refuses it. Faults are armed by verbs, one connection
each, and happen at byte offsets: the same test meets the same fault every time.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

from interlock.core.clock import SystemClock

Direction = Literal["request", "response"]
"""Towards the far end, or back from it."""

_CHUNK: Final = 65_536
_EVER: Final = 1 << 62
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing sends a reset and no end."""

_CLOCK = SystemClock()


class Passed(NamedTuple):
    """Bytes of one connection that were passed on; what a fault kept back is not among them."""

    request: int
    response: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """What happens to one connection.

    Attributes:
        verb: `pass`, `cut`, `stall`, `drip`, `dup`, `reset` or `half_close`.
        direction: The way of the bytes that are counted.
        count: Bytes that pass before it happens.
        pause_s: Seconds before each byte.
    """

    verb: str = "pass"
    direction: Direction = "request"
    count: int = _EVER
    pause_s: float = 0.0


class FaultProxy:
    """Listens on a port of its own and passes everything on to a far end, but for the faults. A context manager.

    Each verb arms one fault for the next connection that has none yet (`times` connections where you say so): what
    is armed first meets the connection that comes first, and connections without a fault pass. `refuse` alone holds
    until `accept`. A fault at byte 0 comes with the first byte of either way, and never before the caller can know
    that it is connected. Its work is done in threads, so that sync and async tests use it alike.

    Args:
        far_port: Port of the far end on 127.0.0.1.
        deadline_s: Seconds after which any connection is ended, whatever holds it up.

    Attributes:
        port: Where it listens; the same for as long as it is open.
    """

    def __init__(self, far_port: int, *, deadline_s: float = 10.0) -> None:
        self.port = 0
        self._far_port = far_port
        self._deadline_s = deadline_s
        self._armed: deque[_Fault] = deque()
        self._connections: list[_Connection] = []
        self._listener: socket.socket
        self._acceptor: threading.Thread | None = None
        self._wake: tuple[socket.socket, socket.socket]
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Listen."""
        self._wake = socket.socketpair()
        self._bind()
        self.accept()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """End every connection and stop listening."""
        self._stop_accepting()
        self._listener.close()
        for connection in self._connections:
            connection.end()
        for connection in self._connections:
            connection.join(self._deadline_s)
        for end in self._wake:
            end.close()

    @property
    def passed(self) -> list[Passed]:
        """What passed on each connection so far, in the order in which they were accepted."""
        return [Passed(connection.passed["request"], connection.passed["response"]) for connection in self._connections]

    def cut_after(self, count: int, direction: Direction = "request", *, times: int = 1) -> None:
        """Pass `count` bytes on that way, then end the connection in both ways; of the other way nothing more passes.

        Cut after the whole request, the far end has it and the caller never hears what became of it.
        """
        self._arm(_Fault(verb="cut", direction=direction, count=count), times)

    def stall(self, count: int = 0, direction: Direction = "request", *, times: int = 1) -> None:
        """Pass `count` bytes on that way and hold the rest until `release`; the connection stays open.

        At once and on the way of the request it is a black hole; on the way of the response, an effect without answer.
        """
        self._arm(_Fault(verb="stall", direction=direction, count=count), times)

    def drip(self, bytes_per_second: float, direction: Direction = "response", *, times: int = 1) -> None:
        """Pass one byte at a time that way."""
        assert bytes_per_second > 0, "what never passes is a stall"
        self._arm(_Fault(verb="drip", direction=direction, pause_s=1 / bytes_per_second), times)

    def dup(self, direction: Direction = "response", *, times: int = 1) -> None:
        """Deliver it twice.

        The response a second time behind the first, once the far end has ended it; the request a second time on a
        connection of its own, once the first is over. What is answered to that one nobody hears.
        """
        self._arm(_Fault(verb="dup", direction=direction), times)

    def reset(self, count: int = 0, direction: Direction = "request", *, times: int = 1) -> None:
        """Pass `count` bytes on that way, then reset the connection (SO_LINGER 0) towards both ends."""
        self._arm(_Fault(verb="reset", direction=direction, count=count), times)

    def half_close(self, count: int = 0, direction: Direction = "response", *, times: int = 1) -> None:
        """Pass `count` bytes on that way and end that way alone; the other one stays open."""
        self._arm(_Fault(verb="half_close", direction=direction, count=count), times)

    def refuse(self) -> None:
        """Refuse connections, as a closed port does, until `accept`. Those that there are go on."""
        self._stop_accepting()
        self._listener.close()
        self._bind()

    def accept(self) -> None:
        """Accept connections again."""
        if self._acceptor is None:
            self._listener.listen(128)
            self._acceptor = threading.Thread(target=self._serve, name="fault-proxy", daemon=True)
            self._acceptor.start()

    def release(self) -> None:
        """Let go of what is held on the connections that there are: what was late arrives now."""
        for connection in self._connections:
            connection.released.set()

    def quiet(self, timeout_s: float = 5.0) -> bool:
        """Wait until every connection that met a fault is over at both ends; whether it came to that in time.

        Then the far end is through with what reached it, unless it was reset: such a one may be at it still, and
        nobody hears of its end. Connections without a fault may stay open, as pooled ones do.
        """
        until_s = _CLOCK.mono_s() + timeout_s
        faulty = [connection for connection in self._connections if connection.faulty]
        for connection in faulty:
            connection.join(max(0.0, until_s - _CLOCK.mono_s()))
        return not any(connection.is_alive() for connection in faulty)

    def _arm(self, fault: _Fault, times: int) -> None:
        assert fault.count >= 0, "a fault comes after some bytes, or none"
        with self._lock:
            self._armed.extend([fault] * times)

    def _bind(self) -> None:
        """Own the port without listening: whoever connects is refused."""
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]

    def _stop_accepting(self) -> None:
        # A listener is closed only once nobody waits on it: while a thread does, the port goes on accepting.
        if self._acceptor is not None:
            self._wake[1].send(b".")
            self._acceptor.join(self._deadline_s)
            self._acceptor = None

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake[0], selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._wake[0] in ready:
                    self._wake[0].recv(1)
                    return
                near, _ = self._listener.accept()
                with self._lock:
                    fault = self._armed.popleft() if self._armed else _Fault()
                connection = _Connection(near, self._far_port, fault, self._deadline_s)
                self._connections.append(connection)
                connection.start()


class _Connection(threading.Thread):
    """One connection: this thread passes the request on, a second one the response.

    Attributes:
        faulty: Something happens to it.
        passed: Bytes that were passed on, by direction.
        released: Nothing is held any more.
    """

    def __init__(self, near: socket.socket, far_port: int, fault: _Fault, deadline_s: float) -> None:
        super().__init__(name="fault-proxy-connection", daemon=True)
        self.faulty = fault.verb != "pass"
        self.passed = {"request": 0, "response": 0}
        self.released = threading.Event()
        self._near = near
        self._far_port = far_port
        self._fault = fault
        self._until_s = _CLOCK.mono_s() + deadline_s
        self._ended = threading.Event()
        self._deaf = False  # what still comes is thrown away
        self._kept = bytearray()  # what must be delivered again
        self._sockets = [near]

    def run(self) -> None:
        """Pass both ways on until they end."""
        try:
            far = self._dial()
        except OSError:
            _reset_when_closed(self._near)
            self._near.close()
            return
        if self.faulty:
            self._wait_for_a_byte(far)
        answering = threading.Thread(target=self._pump, args=("response", far, self._near), daemon=True)
        answering.start()
        self._pump("request", self._near, far)
        answering.join()
        for end in self._sockets:
            end.close()
        if self._fault.verb == "dup" and self._fault.direction == "request":
            self._deliver_again()

    def end(self) -> None:
        """End it at once, whatever it waits for."""
        self._ended.set()
        self.released.set()
        for end in self._sockets:
            _shut(end, socket.SHUT_RDWR)

    def _dial(self) -> socket.socket:
        far = socket.create_connection(("127.0.0.1", self._far_port), timeout=self._left_s())
        self._sockets.append(far)
        for end in self._sockets:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return far

    def _wait_for_a_byte(self, far: socket.socket) -> None:
        """Wait until somebody has said something: a reset that overtakes the connection itself breaks none."""
        with selectors.DefaultSelector() as selector:
            for end in (self._near, far):
                selector.register(end, selectors.EVENT_READ)
            selector.select(self._left_s())

    def _left_s(self) -> float:
        return max(0.001, self._until_s - _CLOCK.mono_s())

    def _pump(self, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        """Pass one way on until it ends; the fault of this way happens here."""
        fault = self._fault if self._fault.direction == direction else _Fault()
        try:
            if self._pass(direction, fault, source, sink):
                self._happen(fault, sink)
                if fault.verb == "stall" and not self._ended.is_set():
                    self._pass(direction, replace(fault, verb="pass", count=_EVER), source, sink)
            while source.recv(_CHUNK):  # to its end: a socket closed with bytes unread resets, which is another fault
                source.settimeout(self._left_s())
        except OSError:
            self.end()  # one of the ends broke, or its time is up: so is the other's

    def _pass(self, direction: Direction, fault: _Fault, source: socket.socket, sink: socket.socket) -> bool:
        """Pass on until the fault is due, and whether it is; else until the source ended, and then end the sink."""
        left = fault.count
        while left:
            source.settimeout(self._left_s())
            data = source.recv(min(_CHUNK, left))
            if not data:
                if fault.verb == "dup" and direction == "response":
                    self._send(direction, sink, bytes(self._kept), fault)
                if not self._deaf:
                    _shut(sink, socket.SHUT_WR)
                return False
            left -= len(data)
            if fault.verb == "dup":
                self._kept += data
            if fault.verb in ("cut", "reset") and not left:
                self._deaf = True  # before the last byte leaves: its answer may be quicker than we are
            if not self._deaf or fault.verb in ("cut", "reset"):
                self._send(direction, sink, data, fault)
        return True

    def _send(self, direction: Direction, sink: socket.socket, data: bytes, fault: _Fault) -> None:
        sink.settimeout(self._left_s())
        if not fault.pause_s:
            self.passed[direction] += len(data)
            sink.sendall(data)
            return
        for at in range(len(data)):
            if self._ended.wait(min(fault.pause_s, self._left_s())) or self._until_s <= _CLOCK.mono_s():
                raise TimeoutError
            self.passed[direction] += 1
            sink.sendall(data[at : at + 1])

    def _happen(self, fault: _Fault, sink: socket.socket) -> None:
        self._deaf = self._deaf or fault.verb in ("cut", "reset")
        if fault.verb == "stall":
            if not self.released.wait(self._left_s()):
                raise TimeoutError
        elif fault.verb == "half_close":
            _shut(sink, socket.SHUT_WR)
        elif fault.verb == "cut":
            for end in self._sockets:
                _shut(end, socket.SHUT_WR)
        else:
            assert fault.verb == "reset", fault.verb
            for end in self._sockets:
                _reset_when_closed(end)

    def _deliver_again(self) -> None:
        """The request a second time, as somebody on the way does who lost the first answer."""
        with (
            suppress(OSError),  # then it arrives once only: the far end is gone
            socket.create_connection(("127.0.0.1", self._far_port), timeout=self._left_s()) as far,
        ):
            far.sendall(self._kept)
            far.shutdown(socket.SHUT_WR)
            while far.recv(_CHUNK):
                pass


def _shut(end: socket.socket, how: int) -> None:
    with suppress(OSError):  # it has ended already
        end.shutdown(how)


def _reset_when_closed(end: socket.socket) -> None:
    """Let whoever reads there end, and the connection with a reset once nobody does.

    Not closed here: another thread may be about to wait on a descriptor that would be somebody else's by then.
    """
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    _shut(end, socket.SHUT_RD)
