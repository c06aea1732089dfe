"""A loopback server without a notion of HTTP: it sends the bytes of a script, and does what the script says to sockets.

A script is a list of plays, one for each request that comes; the last one is played again and again. A play is a tuple
of steps: bytes are sent, a number is a pause in seconds, and a function does what it likes with the line and says
whether the connection goes on.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen

HERE, ELSEWHERE = b"@HERE@", b"@ELSEWHERE@"
"""Placeholders in what is sent: this server's address and another one's."""
KEY_MARK = "sk-fault-key-"
KEY = KEY_MARK.encode() + b"@@@@@@-end"
"""Stands for the API key that the client sends; as long as the key, so that it may be counted in lengths."""

MOST_ROUNDS = 2_000_000


class Line:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, server: FaultServer) -> None:
        self._sock = sock
        self._server = server
        self._buffer = b""

    def request(self) -> bool:
        """Wait for one request; False where the client has gone. What is no HTTP counts as one as it comes."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return False
            if not self._buffer.startswith(b"POST "[: len(self._buffer)]):
                self._buffer = b""
                return True
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        sizes = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        size = sizes[0] if sizes else 0
        while len(rest) < size:
            if not self._more():
                return False
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[size:]
        return True

    def _more(self) -> bool:
        try:
            data = self._sock.recv(1 << 16)
        except OSError:
            return False
        self._buffer += data
        self._server.received += len(data)
        return bool(data)

    def send(self, data: bytes) -> bool:
        """False once the client has gone."""
        for mark, value in self._server.places.items():
            if mark in data:
                data = data.replace(mark, value)
        try:
            self._sock.sendall(data)
        except OSError:
            return False
        return not self._server.over.is_set()

    def pause(self, seconds: float) -> bool:
        return not self._server.over.wait(seconds)

    def reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def until_gone(self) -> None:
        """Stay silent until the client closes the connection."""
        while self._more():
            pass

    def close(self) -> None:
        self._sock.close()

    def shut(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


Step: TypeAlias = "bytes | float | Callable[[Line], bool]"
Play: TypeAlias = "tuple[Step, ...]"


def close(_: Line) -> bool:
    """Close the connection in good order."""
    return False


def reset(line: Line) -> bool:
    """Close the connection with a TCP reset."""
    line.reset()
    return False


def stay(line: Line) -> bool:
    """Say nothing more, and keep the connection open."""
    line.until_gone()
    return False


def forever(piece: bytes, *, pause: float = 0.0) -> Step:
    """Send the same again and again."""

    def step(line: Line) -> bool:
        for _ in range(MOST_ROUNDS):
            if not line.send(piece) or (pause and not line.pause(pause)):
                return False
        return False

    return step


def drip(data: bytes, *, pause: float = 0.0, size: int = 1) -> Step:
    """Send piece by piece."""

    def step(line: Line) -> bool:
        for at in range(0, len(data), size):
            if not line.send(data[at : at + size]) or (pause and not line.pause(pause)):
                return False
        return True

    return step


@frozen
class Script:
    """What the server does: before it reads anything, and at each request."""

    plays: tuple[Play, ...]
    greeting: Play = ()


class FaultServer:
    """Plays a script to every connection, in a thread for each, until it is closed."""

    def __init__(self, script: Script, healthy: Play) -> None:
        self.script = script
        self.healthy = healthy
        self.well = False
        """From now on every request gets a good answer."""
        self.requests = 0
        self.received = 0
        self.connections = 0
        self.over = threading.Event()
        self.places: dict[bytes, bytes] = {}
        self._played = 0
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.places[HERE] = b"127.0.0.1:%d" % self.port
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def recover(self) -> None:
        """Answer well from now on; connections that an earlier play is busy with stay as they are."""
        self.well = True

    def hang_up(self) -> None:
        """Close all connections, as a server does that has kept them long enough."""
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.shut()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(sock, self)
            thread = threading.Thread(target=self._serve, args=(line,), daemon=True)
            with self._lock:
                self.connections += 1
                self._lines.append(line)
                self._threads.append(thread)
            thread.start()

    def _serve(self, line: Line) -> None:
        try:
            if self.well or _perform(self.script.greeting, line):
                while line.request() and _perform(self._next(), line):
                    pass
        finally:
            line.close()

    def _next(self) -> Play:
        with self._lock:
            self.requests += 1
            if self.well:
                return self.healthy
            plays = self.script.plays
            self._played += 1
            return plays[min(self._played, len(plays)) - 1]

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.hang_up()
        for thread in list(self._threads):
            thread.join(5)


def _perform(play: Sequence[Step], line: Line) -> bool:
    for step in play:
        match step:
            case bytes():
                going = line.send(step)
            case float():
                going = line.pause(step)
            case _:
                going = step(line)
        if not going:
            return False
    return True


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
