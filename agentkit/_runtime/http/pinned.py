"""One request to one address: the name goes into the request and into TLS, and is not resolved again.

May hold what is needed for that and no more: nothing is kept, no proxy is asked, and no more is read than is wanted.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from contextlib import closing
from urllib.parse import urlsplit

import httpcore

from agentkit._runtime.http import trust
from agentkit._runtime.http.blocking import BlockingAnswer, BlockingHTTP
from agentkit._runtime.http.network import BlockingBackend
from agentkit._runtime.http.proxies import Factory, Proxy, Routes, Trust, check_online, factory
from agentkit._runtime.transport import StopSignal
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest


class _Backend(BlockingBackend):
    """Connects to one address, whatever host it is asked for."""

    def __init__(self, address: str) -> None:
        self._address = address

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return super().connect_tcp(self._address, port, timeout)


class _Straight(Routes[Factory]):
    """Past all proxies."""

    def _proxy(self, scheme: str, host: str, port: int) -> Proxy | None:
        check_online(host, f"{host}:{port}")
        return None


class _Pinned(BlockingHTTP):
    """Every request goes to one address."""

    def __init__(self, address: str, trust: Trust) -> None:
        self._address = address
        super().__init__(trust)

    def _routes(self) -> Routes[Factory]:
        backend = _Backend(self._address)

        def make(proxy: Proxy | None, trust: ssl.SSLContext | None) -> Factory:
            return factory(None, backend, trust)

        return _Straight(make, self._trust)


def get(
    url: str, host: str, address: str, *, most: int, accept: str, timeouts: Timeouts
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and at most so many bytes of the body of a page of `host`, which is at `address`.

    Raises:
        ConnectError, ConnectionLost, TimeoutError, ProtocolError
    """
    parts = urlsplit(url)
    named = parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}").geturl()
    headers = (("Accept", accept), ("Accept-Encoding", "identity"), ("Connection", "close"))
    request = HTTPRequest(method="GET", url=named, headers=headers)
    with (
        closing(_Pinned(address, trust)) as transport,
        closing(transport.open(request, timeouts, StopSignal())) as answer,
    ):
        return answer.head.status, answer.head.headers, _read(answer, most, timeouts)


def _read(answer: BlockingAnswer, most: int, timeouts: Timeouts) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size < most and (data := answer.read(timeouts.idle)):
        pieces.append(data)
        size += len(data)
    return b"".join(pieces)[:most]
