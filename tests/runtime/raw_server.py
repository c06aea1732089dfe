"""A loopback server that sends exactly the bytes its script says, for tests of the transports."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def plain(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, number: int, server: RawServer) -> None:
        self.sock = sock
        self.number = number
        self._server = server
        self._buffer = b""

    def request(self) -> bytes | None:
        """One whole request; None where the client has gone."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, _ = self._buffer.partition(b"\r\n\r\n")
        sizes = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        size = sizes[0] if sizes else 0
        while len(self._buffer) < len(head) + 4 + size:
            if not self._more():
                return None
        end = len(head) + 4 + size
        found, self._buffer = self._buffer[:end], self._buffer[end:]
        self._server.requests.append(found)
        return found

    def _more(self) -> bool:
        try:
            data = self.sock.recv(1 << 16)
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def send(self, *pieces: bytes, pause: float = 0.0) -> bool:
        """Send piece by piece; False once the client has gone."""
        for piece in pieces:
            try:
                self.sock.sendall(piece)
            except OSError:
                return False
            if pause and self._server.over.wait(pause):
                return False
        return True

    def drip(self, data: bytes, pause: float) -> bool:
        return self.send(*(data[at : at + 1] for at in range(len(data))), pause=pause)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_end(self, seconds: float = 5.0) -> bool:
        """True once the client has closed the connection."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(1 << 16):
                pass
            return True
        except TimeoutError:
            return False
        except OSError:
            return True


class RawServer:
    """Runs `script` in a thread for each connection, until closed."""

    def __init__(self, script: Callable[[Peer], object], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.peers: list[Peer] = []
        self.over = threading.Event()
        self._script = script
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1/chat"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def connections(self) -> int:
        return len(self.peers)

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(sock, len(self.peers), self)
            self.peers.append(peer)
            thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, peer: Peer) -> None:
        try:
            if self._tls is not None:
                peer.sock = self._tls.wrap_socket(peer.sock, server_side=True)
            self._script(peer)
        except OSError:
            pass
        finally:
            peer.sock.close()

    def close(self) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(peer.sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


def answers(*replies: bytes | Iterable[bytes]) -> Callable[[Peer], None]:
    """A script that gives these replies in turn to the requests of each connection, the last one again and again."""

    def script(peer: Peer) -> None:
        turn = 0
        while peer.request() is not None:
            reply = replies[min(turn, len(replies) - 1)]
            turn += 1
            pieces = (reply,) if isinstance(reply, bytes) else tuple(reply)
            if not peer.send(*pieces, pause=0.0 if len(pieces) == 1 else 0.02):
                return

    return script


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return condition()
