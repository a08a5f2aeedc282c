"""The proxy: each verb does at its byte what it says, to both ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from interlock.testing import FaultProxy, Passed
from interlock.testing.proxy import Direction

REQUEST, RESPONSE = b"do it: 12345\n", b"done: yes, once\n"


class FarEnd:
    """Reads a line and answers it, one connection at a time in a thread of its own; keeps what it got and how it ended.

    Attributes:
        got: For each connection, in the order of their ends: the bytes and `end`, `line` or `reset`.
    """

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self._more = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        got, how = b"", "line"
        with connection:
            try:
                while not got.endswith(b"\n"):
                    data = connection.recv(1000)
                    if not data:
                        how = "end"
                        break
                    got += data
                else:
                    connection.sendall(RESPONSE)
            except ConnectionResetError:
                how = "reset"
        with self._more:
            self.got.append((got, how))
            self._more.notify_all()

    def after(self, connections: int) -> list[tuple[bytes, str]]:
        """What it got, once so many connections are over."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.got) >= connections, 5), self.got
            return list(self.got)

    def close(self) -> None:
        if self._thread.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join(5)


@pytest.fixture
def far() -> Iterator[FarEnd]:
    far = FarEnd()
    yield far
    far.close()


@pytest.fixture
def proxy(far: FarEnd) -> Iterator[FaultProxy]:
    with FaultProxy(far.port, deadline_s=5) as proxy:
        yield proxy


def ask(proxy: FaultProxy, *, timeout_s: float = 3.0) -> tuple[bytes, str]:
    """What a caller gets until the connection ends, and how it ends: `end`, `reset` or `silence`."""
    got = b""
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s) as connection:
            connection.sendall(REQUEST)
            while data := connection.recv(1000):
                got += data
            return got, "end"
    except (ConnectionResetError, BrokenPipeError):
        return got, "reset"
    except TimeoutError:
        return got, "silence"


def test_without_a_fault_everything_passes_and_is_counted(proxy: FaultProxy, far: FarEnd) -> None:
    assert ask(proxy) == (RESPONSE, "end")
    assert proxy.passed == [Passed(len(REQUEST), len(RESPONSE))]
    assert far.after(1) == [(REQUEST, "line")]


def test_a_cut_on_the_way_there_passes_exactly_so_many_bytes_and_no_answer(proxy: FaultProxy, far: FarEnd) -> None:
    """Fault K23: at every byte, the last one included, after which the far end has it and nobody hears of it."""
    for count in range(len(REQUEST) + 1):
        proxy.cut_after(count)
        assert ask(proxy) == (b"", "end")
        assert far.after(count + 1)[count] == (REQUEST[:count], "line" if count == len(REQUEST) else "end")
        assert proxy.passed[count] == Passed(count, 0)


def test_a_cut_on_the_way_back_passes_exactly_so_many_bytes(proxy: FaultProxy, far: FarEnd) -> None:
    for count in range(len(RESPONSE)):
        proxy.cut_after(count, "response")
        got, how = ask(proxy)
        assert (got, how) == (RESPONSE[:count], "end")
    assert proxy.passed[3].response == 3


def test_a_cut_behind_the_last_byte_never_comes(proxy: FaultProxy) -> None:
    proxy.cut_after(len(REQUEST) + 1)
    assert ask(proxy) == (RESPONSE, "end")


def test_a_black_hole_takes_everything_and_gives_nothing_until_it_is_released(proxy: FaultProxy, far: FarEnd) -> None:
    """Fault K24; and the request that arrives after its caller has gone."""
    proxy.stall()
    assert ask(proxy, timeout_s=0.1) == (b"", "silence")
    assert far.got == []
    proxy.release()
    assert proxy.quiet()
    assert far.after(1) == [(REQUEST, "line")]


def test_an_answer_that_is_held_arrives_late(proxy: FaultProxy, far: FarEnd) -> None:
    """Fault K25."""
    proxy.stall(4, "response")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=3) as caller:
        caller.sendall(REQUEST)
        assert far.after(1) == [(REQUEST, "line")]
        assert caller.recv(4, socket.MSG_WAITALL) == RESPONSE[:4]
        proxy.release()
        rest = b""
        while data := caller.recv(1000):
            rest += data
        assert rest == RESPONSE[4:]


def test_a_drip_passes_a_byte_at_a_time(proxy: FaultProxy) -> None:
    """Fault K26: each byte comes, and the whole not within a caller's time."""
    proxy.drip(1000)
    assert ask(proxy) == (RESPONSE, "end")
    proxy.drip(0.01)
    assert ask(proxy, timeout_s=0.1) == (b"", "silence")


def test_a_response_is_delivered_twice(proxy: FaultProxy, far: FarEnd) -> None:
    """Fault K25."""
    proxy.dup()
    assert ask(proxy) == (RESPONSE * 2, "end")
    assert far.got == [(REQUEST, "line")]


def test_a_request_is_delivered_twice_and_answered_once(proxy: FaultProxy, far: FarEnd) -> None:
    proxy.dup("request")
    assert ask(proxy) == (RESPONSE, "end")
    assert proxy.quiet()
    assert far.after(2) == [(REQUEST, "line")] * 2


@pytest.mark.parametrize("count", [0, 5])
def test_a_reset_reaches_both_ends(proxy: FaultProxy, far: FarEnd, count: int) -> None:
    proxy.reset(count)
    assert ask(proxy) == (b"", "reset")
    assert far.after(1)[0][1] == "reset"


@pytest.mark.parametrize("direction", ["request", "response"])
def test_no_fault_overtakes_the_connection_itself(proxy: FaultProxy, direction: Direction) -> None:
    """Else a caller may meet it while connecting, and take it, rightly, for nothing sent."""
    proxy.reset(0, direction)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.05) as caller:
        with pytest.raises(TimeoutError):
            caller.recv(1)
        caller.settimeout(3)
        caller.sendall(REQUEST)
        with pytest.raises(ConnectionResetError):
            caller.recv(1000)
    assert proxy.quiet()


def test_a_reset_on_the_way_back_comes_after_the_effect(proxy: FaultProxy, far: FarEnd) -> None:
    proxy.reset(6, "response")
    got, how = ask(proxy)
    assert how == "reset"
    assert RESPONSE[:6].startswith(got), "a reset may overtake what was sent before it"
    assert far.after(1) == [(REQUEST, "line")]


def test_half_of_a_connection_ends_and_the_other_goes_on(proxy: FaultProxy, far: FarEnd) -> None:
    proxy.half_close(5, "response")
    assert ask(proxy) == (RESPONSE[:5], "end")
    proxy.half_close(3, "request")
    assert ask(proxy) == (b"", "end"), "the far end has half a line, and answers nothing"
    assert far.after(2)[1] == (REQUEST[:3], "end")


def test_a_closed_port_refuses_until_it_accepts_again(proxy: FaultProxy) -> None:
    """Fault K22."""
    for _ in range(3):
        proxy.refuse()
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                ask(proxy)
        proxy.accept()
        proxy.accept()
        assert ask(proxy) == (RESPONSE, "end")


def test_a_far_end_that_is_gone_shows_as_a_reset(far: FarEnd) -> None:
    far.close()
    with FaultProxy(far.port) as proxy:
        assert ask(proxy)[1] == "reset"


def test_faults_meet_connections_in_the_order_in_which_they_were_armed(proxy: FaultProxy) -> None:
    proxy.cut_after(0, times=2)
    proxy.dup()
    assert [ask(proxy)[0] for _ in range(4)] == [b"", b"", RESPONSE * 2, RESPONSE]


@pytest.mark.parametrize(
    "arm",
    [FaultProxy.stall, lambda proxy: proxy.stall(0, "response"), lambda proxy: proxy.drip(0.01)],
    ids=["stall", "no answer", "drip"],
)
def test_everything_has_a_deadline(far: FarEnd, arm: Callable[[FaultProxy], None]) -> None:
    """What nobody releases ends by itself, and leaving never waits for it."""
    with FaultProxy(far.port, deadline_s=0.1) as proxy:
        arm(proxy)
        assert ask(proxy)[1] in ("end", "reset")
        assert proxy.quiet()
    with FaultProxy(far.port, deadline_s=3600) as proxy:
        arm(proxy)
        assert ask(proxy, timeout_s=0.05)[1] == "silence"
    assert proxy.quiet(0)
