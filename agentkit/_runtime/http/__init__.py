"""The transports that a conversation uses, over kept connections, in both colours; shared by the whole process.

May hold the choice of trust settings, the one place that imports httpx, and the shared instances. How requests travel
is in `blocking` and `aio`, what goes over the wire in `direct` and `wire`; ways through a proxy are those of httpcore,
the layer that httpx installs and wraps. Nothing outside this folder imports either.
"""

from __future__ import annotations

import atexit
import functools
import os
import ssl

from agentkit._runtime.http.aio import AsyncHTTP
from agentkit._runtime.http.blocking import BlockingHTTP
from agentkit._runtime.http.clients import AsyncClientTransport, ClientTransport

__all__ = [
    "AsyncClientTransport",
    "AsyncHTTPTransport",
    "ClientTransport",
    "HTTPTransport",
    "shared_async_transport",
    "shared_transport",
    "trust",
]


def trust() -> ssl.SSLContext:
    """The certificates to trust, chosen as httpx does: SSL_CERT_FILE, SSL_CERT_DIR, else those of certifi."""
    return _trust(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=4)
def _trust(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    import httpx  # a quarter of a second, so only where TLS is really spoken

    return httpx.create_ssl_context()


class HTTPTransport(BlockingHTTP):
    """Sends requests for blocking drivers, from any thread."""

    def __init__(self) -> None:
        super().__init__(trust)


@functools.cache
def shared_transport() -> HTTPTransport:
    """The one that all blocking conversations share: trust settings and connections are expensive."""
    transport = HTTPTransport()
    atexit.register(transport.close)
    return transport


class AsyncHTTPTransport(AsyncHTTP):
    """Sends requests for async drivers, in any loop of asyncio or trio, one after the other or at the same time."""

    def __init__(self) -> None:
        super().__init__(trust)


@functools.cache
def shared_async_transport() -> AsyncHTTPTransport:
    """The one that all async conversations share."""
    return AsyncHTTPTransport()
