"""Stopping, waiting in line and forking: what threads and processes do to the blocking transport."""

from __future__ import annotations

import os
import signal as signals
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import evolve
from http_ways import HEADERS
from raw_server import CHUNKED, END, Peer, RawServer, answers, chunk, plain, until

from agentkit._runtime.http import HTTPTransport, blocking, shared_transport
from agentkit._runtime.http.deadline import Call
from agentkit._runtime.http.proxies import KEPT_SECONDS
from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import ConnectError, TimeoutError  # noqa: A004
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest

SLOW = Timeouts(connect=20.0, first_byte=20.0)


@contextmanager
def serving(script: Callable[[Peer], object]) -> Iterator[RawServer]:
    server = RawServer(script)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def transport() -> Iterator[HTTPTransport]:
    made = HTTPTransport()
    yield made
    made.close()


def request(url: str) -> HTTPRequest:
    return HTTPRequest(method="POST", url=url, headers=HEADERS, body=b"{}")


def stopped_while(work: Callable[[StopSignal], Any], ready: Callable[[], bool]) -> float:
    """Run `work` in a thread, stop it once it waits; seconds from the stop to its end."""
    signal = StopSignal()
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            work(signal)
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert until(ready)
    time.sleep(0.05)
    start = time.monotonic()
    signal.set()
    thread.join(5)
    assert isinstance(ended[0], Stopped)
    return time.monotonic() - start


def test_stop_while_waiting_for_the_head(transport: HTTPTransport) -> None:
    with serving(lambda peer: peer.request() and peer.wait_for_end()) as server:
        took = stopped_while(lambda s: transport.open(request(server.url), SLOW, s), lambda: bool(server.requests))
        assert took < 0.5


def test_stop_while_reading(transport: HTTPTransport) -> None:
    with serving(lambda peer: peer.request() and peer.send(CHUNKED) and peer.wait_for_end()) as server:
        took = stopped_while(
            lambda s: transport.open(request(server.url), SLOW, s).read(20.0), lambda: bool(server.requests)
        )
        assert took < 0.5


def test_stop_between_reads_even_where_more_has_come(transport: HTTPTransport) -> None:
    with serving(answers([CHUNKED + chunk(b"a"), chunk(b"b") + END])) as server:
        signal = StopSignal()
        answer = transport.open(request(server.url), SLOW, signal)
        assert answer.read(5.0) == b"a"
        time.sleep(0.1)
        signal.set()
        with pytest.raises(Stopped):
            for _ in range(3):
                answer.read(5.0)
        answer.close()
        again = transport.open(request(server.url), SLOW, StopSignal())
        assert again.read(5.0) == b"a"
        again.close()


def test_a_stopped_answer_is_closed_without_lingering(transport: HTTPTransport) -> None:
    with serving(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end()) as server:
        signal = StopSignal()
        answer = transport.open(request(server.url), SLOW, signal)
        assert answer.read(5.0) == b"a"
        signal.set()
        answer.close()
        assert until(lambda: server.peers[0].sock.fileno() < 0)


def test_stop_before_the_start(transport: HTTPTransport) -> None:
    with serving(answers(plain(b"ok"))) as server:
        signal = StopSignal()
        signal.set()
        with pytest.raises(Stopped):
            transport.open(request(server.url), SLOW, signal)
        assert not server.requests


def _full_listener() -> tuple[socket.socket, list[socket.socket]]:
    """A listener whose queue is full: the next connection hangs in connect()."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    clients = []
    for _ in range(8):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        clients.append(client)
    time.sleep(0.05)
    return listener, clients


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the kernel decides what a full queue does")
def test_stop_and_limit_while_connecting(transport: HTTPTransport) -> None:
    listener, clients = _full_listener()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    try:
        with pytest.raises(TimeoutError) as caught:
            transport.open(request(url), Timeouts(connect=0.2), StopSignal())
        assert caught.value.phase == "connect"
        assert stopped_while(lambda s: transport.open(request(url), SLOW, s), lambda: True) < 0.5
    finally:
        for sock in (listener, *clients):
            sock.close()


def test_a_server_that_does_not_read(transport: HTTPTransport) -> None:
    big = HTTPRequest(method="POST", url="", body=bytes(32 << 20))
    with serving(lambda peer: peer._server.over.wait(2)) as server:
        with pytest.raises(TimeoutError) as caught:
            transport.open(evolve(big, url=server.url), Timeouts(first_byte=0.2), StopSignal())
        assert caught.value.phase == "first_byte"
        assert stopped_while(lambda s: transport.open(evolve(big, url=server.url), SLOW, s), lambda: True) < 0.5


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Names of the test zone: an address list, an error, or an event to wait for."""
    zone: dict[str, Any] = {}
    real = socket.getaddrinfo

    def ask(host: Any, *rest: Any, **more: Any) -> Any:
        match zone.get(host):
            case None:
                return real(host, *rest, **more)
            case threading.Event() as hold:
                hold.wait(5)
                raise socket.gaierror(-3, "Temporary failure in name resolution")
            case Exception() as error:
                raise error
            case addresses:
                return [found for address in addresses for found in real(address, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    yield zone
    for hold in zone.values():
        if isinstance(hold, threading.Event):
            hold.set()


def test_stop_and_limit_while_resolving(transport: HTTPTransport, resolver: dict[str, Any]) -> None:
    resolver["slow.test"] = threading.Event()
    with pytest.raises(TimeoutError) as caught:
        transport.open(request("http://slow.test/"), Timeouts(connect=0.1), StopSignal())
    assert caught.value.phase == "connect"
    assert stopped_while(lambda s: transport.open(request("http://slow.test/"), SLOW, s), lambda: True) < 0.5


def test_names_that_lead_nowhere(transport: HTTPTransport, resolver: dict[str, Any]) -> None:
    resolver["gone.test"] = socket.gaierror(-2, "Name or service not known")
    with pytest.raises(ConnectError, match=r"gone\.test:80: Name or service not known"):
        transport.open(request("http://gone.test/"), SLOW, StopSignal())
    resolver["odd.test"] = UnicodeError("label too long")
    with pytest.raises(ConnectError, match="name of the host is not valid"):
        transport.open(request("http://odd.test/"), SLOW, StopSignal())


def test_the_next_address_is_tried(transport: HTTPTransport, resolver: dict[str, Any]) -> None:
    with serving(answers(plain(b"ok"))) as server:
        resolver["two.test"] = ["::1", "127.0.0.1"]
        answer = transport.open(request(f"http://two.test:{server.port}/"), SLOW, StopSignal())
        assert answer.read(5.0) == b"ok"
        answer.close()


def test_waiting_in_line(transport: HTTPTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "MAX_CONNECTIONS", 1)
    transport.close()
    with serving(answers(CHUNKED + chunk(b"a"))) as server:
        first = transport.open(request(server.url), SLOW, StopSignal())
        with pytest.raises(TimeoutError) as caught:
            transport.open(request(server.url), Timeouts(total=0.1), StopSignal())
        assert caught.value.phase == "pool"
        assert stopped_while(lambda s: transport.open(request(server.url), SLOW, s), lambda: True) < 0.5
        threading.Timer(0.1, first.close).start()
        second = transport.open(request(server.url), SLOW, StopSignal())
        assert second.read(5.0) == b"a"
        second.close()
        assert transport._pool.gate.busy == 0


def test_who_gives_up_when_his_turn_has_come_passes_it_on() -> None:
    gate = blocking.Gate(1)
    calls = [Call("x:1", Timeouts(), StopSignal()) for _ in range(3)]
    gate.enter(calls[0])

    def wait() -> None:
        with pytest.raises(Stopped):
            gate.enter(calls[1])

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert until(lambda: len(gate._line) == 1)
    with gate._lock:  # granted and stopped at the same time
        place = gate._line.popleft()
        place.granted = True
        calls[1].stopped = True
    place.event.set()
    waiting.join(5)
    gate.enter(calls[2])
    gate.leave()
    assert gate.busy == 0


def test_two_hundred_threads_on_a_hundred_connections(transport: HTTPTransport) -> None:
    served: list[int] = []
    waiting: list[int] = []
    counting = threading.Lock()

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            with counting:
                waiting.append(1)
                served.append(len(waiting))
            peer.send(CHUNKED + chunk(b"a"), chunk(b"b"), pause=0.05)
            with counting:
                waiting.pop()
            peer.send(END)

    done: list[bytes] = []
    with serving(script) as server:

        def work() -> None:
            answer = transport.open(request(server.url), SLOW, StopSignal())
            done.append(b"".join(iter(lambda: answer.read(5.0), b"")))
            answer.close()

        threads = [threading.Thread(target=work) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert done == [b"ab"] * 200
        assert max(served) <= 100
        assert server.connections < 150
        assert transport._pool.gate.busy == 0


def test_idle_connections_make_room_for_other_servers(
    transport: HTTPTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking, "MAX_CONNECTIONS", 2)
    transport.close()
    with (
        serving(answers(plain(b"1"))) as one,
        serving(answers(plain(b"2"))) as two,
        serving(answers(plain(b"3"))) as three,
    ):
        for server in (one, two, three):
            answer = transport.open(request(server.url), SLOW, StopSignal())
            assert answer.read(5.0)
            assert not answer.read(5.0)
        assert until(lambda: one.peers[0].sock.fileno() < 0)
        assert transport._pool._shelf._count == 2


def test_expired_connections_are_dropped(transport: HTTPTransport) -> None:
    with serving(answers(CHUNKED + chunk(b"a") + END)) as server:
        both = [transport.open(request(server.url), SLOW, StopSignal()) for _ in range(2)]
        assert [answer.read(5.0) + answer.read(5.0) for answer in both] == [b"a", b"a"]
        shelf = transport._pool._shelf
        oldest = next(iter(shelf._idle.values()))[0]
        oldest._idle_since = time.monotonic() - KEPT_SECONDS - 1  # type: ignore[attr-defined]
        third = transport.open(request(server.url), SLOW, StopSignal())
        assert third.read(5.0) + third.read(5.0) == b"a"
        assert shelf._count == 1


def test_stopping_at_any_moment_leaves_nothing_behind(transport: HTTPTransport) -> None:
    """The stop falls at every place in turn: no wrong ending, no lost place, no dirty connection."""
    with serving(answers([CHUNKED + chunk(b"a"), chunk(b"b"), END])) as server:
        endings = set()
        for step in range(40):
            signal = StopSignal()
            timer = threading.Timer(step * 0.0015, signal.set)
            timer.start()
            try:
                answer = transport.open(request(server.url), SLOW, signal)
                try:
                    text = b"".join(iter(lambda: answer.read(5.0), b""))  # noqa: B023
                finally:
                    answer.close()
                assert text == b"ab"
                endings.add("whole")
            except Stopped:
                endings.add("stopped")
            timer.join()
            assert transport._pool.gate.busy == 0
        assert "stopped" in endings
        answer = transport.open(request(server.url), SLOW, StopSignal())
        assert b"".join(iter(lambda: answer.read(5.0), b"")) == b"ab"


def test_a_stop_from_a_signal_handler(transport: HTTPTransport) -> None:
    with serving(lambda peer: peer.request() and peer.wait_for_end()) as server:
        signal = StopSignal()
        before = signals.signal(signals.SIGALRM, lambda *_: signal.set())
        try:
            signals.setitimer(signals.ITIMER_REAL, 0.1)
            with pytest.raises(Stopped):
                transport.open(request(server.url), SLOW, signal)
        finally:
            signals.signal(signals.SIGALRM, before)


def test_an_interrupt_gives_the_place_back(transport: HTTPTransport) -> None:
    with serving(lambda peer: peer.request() and peer.send(CHUNKED) and peer.wait_for_end()) as server:
        before = signals.signal(signals.SIGALRM, signals.default_int_handler)
        try:
            answer = transport.open(request(server.url), SLOW, StopSignal())
            signals.setitimer(signals.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt):
                answer.read(5.0)
        finally:
            signals.signal(signals.SIGALRM, before)
        assert transport._pool.gate.busy == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_uses_its_own_connections(transport: HTTPTransport) -> None:
    def fetch() -> bytes:
        answer = transport.open(request(server.url), SLOW, StopSignal())
        data = answer.read(5.0)
        answer.read(5.0)
        answer.close()
        return data

    with serving(lambda peer: [peer.send(plain(b"%d" % peer.number)) for _ in range(9) if peer.request()]) as server:
        assert fetch() == b"0"
        child = os.fork()
        if child == 0:
            os._exit(0 if fetch() == b"1" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert fetch() == b"0"


def test_one_for_all() -> None:
    assert shared_transport() is shared_transport()
