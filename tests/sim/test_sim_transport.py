"""The transports that lead to a simulator in the same process."""

from __future__ import annotations

import threading
import time
from typing import Any

import anyio
import pytest
from sim_client import body

from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import ConnectionLost, TimeoutError  # noqa: A004
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest
from agentkit.sim import AsyncSimTransport, SimTransport, Simulator

URL = "http://simulator.invalid/v1/chat/completions?x=1"


def request(text: str, **fields: Any) -> HTTPRequest:
    headers = (("Content-Type", "application/json"),)
    return HTTPRequest(method="POST", url=URL, headers=headers, body=body(text, stream=True, **fields))


class Blocking:
    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def fetch(
        self, text: str, timeouts: Timeouts | None = None, idle: float | None = None, most: int = 10_000
    ) -> tuple[int, list[bytes]]:
        answer = SimTransport(self.simulator).open(request(text), timeouts or Timeouts(), StopSignal())
        pieces: list[bytes] = []
        try:
            while len(pieces) < most and (data := answer.read(idle)):
                pieces.append(data)
            if len(pieces) < most:
                assert answer.read(idle) == b""
        finally:
            answer.close()
        return answer.head.status, pieces


class Async:
    def __init__(self, simulator: Simulator, backend: str) -> None:
        self.simulator = simulator
        self.backend = backend

    def fetch(
        self, text: str, timeouts: Timeouts | None = None, idle: float | None = None, most: int = 10_000
    ) -> tuple[int, list[bytes]]:
        async def go() -> tuple[int, list[bytes]]:
            answer = await AsyncSimTransport(self.simulator).open(request(text), timeouts or Timeouts())
            pieces: list[bytes] = []
            try:
                while len(pieces) < most and (data := await answer.read(idle)):
                    pieces.append(data)
            finally:
                await answer.close()
            return answer.head.status, pieces

        return anyio.run(go, backend=self.backend)


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def client(request: pytest.FixtureRequest) -> Blocking | Async:
    simulator = Simulator()
    return Blocking(simulator) if request.param == "blocking" else Async(simulator, request.param)


def test_a_stream(client: Blocking | Async) -> None:
    status, pieces = client.fetch("write 30 words")
    assert status == 200
    assert len(pieces) == 33
    assert pieces[-1] == b"data: [DONE]\n\n"
    assert client.simulator.requests[0].path == "/v1/chat/completions"
    assert client.simulator.streaming == 0


def test_pauses_are_waited_for(client: Blocking | Async) -> None:
    client.simulator.configure(pace=0.005)
    begun = time.monotonic()
    client.fetch("say one two three four, please")
    assert time.monotonic() - begun >= 0.02


def test_a_drop_is_a_lost_connection(client: Blocking | Async) -> None:
    with pytest.raises(ConnectionLost, match="simulator"):
        client.fetch("drop after 3 words")
    with pytest.raises(ConnectionLost):
        client.fetch("drop the connection")
    assert client.simulator.streaming == 0


@pytest.mark.parametrize(
    ("text", "timeouts", "idle", "phase"),
    [
        ("wait 2 seconds", Timeouts(first_byte=0.02), None, "first_byte"),
        ("stall 2 seconds after 3 words", Timeouts(), 0.02, "idle"),
        ("wait 2 seconds", Timeouts(total=0.02), None, "total"),
        ("stall 2 seconds after 3 words", Timeouts(total=0.02), 1.0, "total"),
        ("stall 0.01 seconds after 3 words. stall 5 seconds after 3 words", Timeouts(), 0.02, "idle"),
    ],
)
def test_limits_in_seconds(
    client: Blocking | Async, text: str, timeouts: Timeouts, idle: float | None, phase: str
) -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        client.fetch(text, timeouts, idle)
    assert caught.value.phase == phase
    assert "0.02 s" in str(caught.value)
    assert time.monotonic() - begun < 1.5


def test_short_pauses_pass(client: Blocking | Async) -> None:
    text = "write 20 words. stall 0.01 seconds after 3 words. stall 0.01 seconds after 5 words. wait 0.01 seconds"
    status, _ = client.fetch(text, Timeouts(first_byte=1, total=5), 1.0)
    assert status == 200


def test_an_answer_can_be_left(client: Blocking | Async) -> None:
    client.fetch("write 90 words", most=5)
    assert client.simulator.streaming == 0


def test_errors_are_answers(client: Blocking | Async) -> None:
    status, pieces = client.fetch("fail with 503")
    assert status == 503
    assert b"server_error" in pieces[0]


def test_a_blocking_wait_can_be_stopped() -> None:
    signal = StopSignal()
    timer = threading.Timer(0.05, signal.set)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        SimTransport(Simulator()).open(request("wait 5 seconds"), Timeouts(), signal)
    assert time.monotonic() - begun < 2
    timer.join()
    with pytest.raises(Stopped):
        SimTransport(Simulator()).open(request("say hi"), Timeouts(), signal)


def test_a_blocking_read_can_be_stopped() -> None:
    signal = StopSignal()
    simulator = Simulator()
    answer = SimTransport(simulator).open(request("write 20 words"), Timeouts(), signal)
    answer.read(None)
    signal.set()
    with pytest.raises(Stopped):
        answer.read(None)
    answer.close()
    assert simulator.streaming == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_async_wait_can_be_cancelled(backend: str) -> None:
    simulator = Simulator()

    async def go() -> None:
        with anyio.move_on_after(0.02) as scope:
            await AsyncSimTransport(simulator).open(request("wait 5 seconds"), Timeouts())
        assert scope.cancelled_caught
        answer = await AsyncSimTransport(simulator).open(request("write 20 words"), Timeouts())
        answer.abandon()

    anyio.run(go, backend=backend)
    assert simulator.streaming == 0
