"""TLS, proxies, and the switch that forbids the network."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_ways import COLOURS, KEY, Way, run
from raw_server import CHUNKED, Peer, RawServer, answers, chunk, plain

from agentkit._runtime.http import HTTPTransport, proxies, trust
from agentkit._runtime.http.proxies import Environment, Proxy, check_online
from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import AgentKitError, ConnectError, ConnectionLost, NotConfigured, TimeoutError  # noqa: A004
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest

colours = pytest.mark.parametrize("colour", COLOURS)
Serve = Callable[..., RawServer]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("AGENTKIT_OFFLINE", raising=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[RawServer] = []

    def start(script: Callable[[Peer], object], tls: ssl.SSLContext | None = None) -> RawServer:
        servers.append(RawServer(script, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def certificate() -> Path:
    """A self-signed certificate for 127.0.0.1 and www.test, good for a hundred years, with its key in the same file."""
    return Path(__file__).parent / "self_signed.pem"


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def failure(colour: str, url: str, timeouts: Timeouts | None = None) -> AgentKitError:
    async def scenario(way: Way) -> None:
        await way.fetch(url, timeouts)

    with pytest.raises(AgentKitError) as caught:
        run(colour, scenario)
    assert KEY not in str(caught.value)
    return caught.value


def fetch(colour: str, url: str, times: int = 1) -> list[bytes]:
    async def scenario(way: Way) -> list[bytes]:
        return [await way.fetch(url) for _ in range(times)]

    return run(colour, scenario)


@colours
def test_a_certificate_of_nobody_is_refused(colour: str, serve: Serve, tls: ssl.SSLContext) -> None:
    server = serve(answers(plain(b"secret")), tls)
    error = failure(colour, server.url)
    assert isinstance(error, ConnectError)
    assert f"certificate of 127.0.0.1:{server.port} cannot be trusted: self-signed certificate" in str(error)
    assert not server.requests


@colours
def test_a_certificate_that_the_environment_names(
    colour: str, serve: Serve, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = serve(answers(plain(b"ok")), tls)
    assert fetch(colour, server.url, 3) == [b"ok"] * 3
    assert server.connections == 1
    wrong = failure(colour, server.url.replace("127.0.0.1", "localhost"))
    assert "cannot be trusted" in str(wrong)


@colours
def test_certificates_that_are_not_there(colour: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(NotConfigured, match="SSL_CERT_FILE or SSL_CERT_DIR cannot be used: No such file"):
        raise failure(colour, "https://127.0.0.1:1/")


@colours
def test_a_server_that_does_not_speak_tls(colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.send(b"220 hello\r\n") and peer.wait_for_end(0.5))
    error = failure(colour, server.url.replace("http:", "https:"))
    assert isinstance(error, ConnectError)
    closing = serve(lambda peer: peer.sock.recv(10))
    assert isinstance(failure(colour, closing.url.replace("http:", "https:")), ConnectError)


@colours
def test_a_handshake_that_never_ends(colour: str, serve: Serve) -> None:
    server = serve(lambda peer: peer.sock.recv(10) and peer.wait_for_end(2))
    error = failure(colour, server.url.replace("http:", "https:"), Timeouts(connect=0.2))
    assert isinstance(error, TimeoutError)
    assert error.phase == "connect"


@colours
def test_a_tls_connection_that_breaks(
    colour: str, serve: Serve, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = serve(lambda peer: peer.request() and peer.send(plain(b"x" * 9).replace(b"9", b"99")), tls)
    assert isinstance(failure(colour, server.url), ConnectionLost)


def test_stop_over_tls(serve: Serve, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = serve(lambda peer: peer.request() and peer.send(CHUNKED + chunk(b"a")) and peer.wait_for_end(), tls)
    signal = StopSignal()
    answer = HTTPTransport().open(HTTPRequest(method="POST", url=server.url), Timeouts(), signal)
    assert answer.read(5.0) == b"a"
    threading.Timer(0.1, signal.set).start()
    start = time.monotonic()
    with pytest.raises(Stopped):
        answer.read(5.0)
    assert time.monotonic() - start < 1


def relay(peer: Peer, port: int) -> None:
    """A proxy: whatever the host asked for, it is the server at `port`."""
    head = peer._server.requests[-1]
    with socket.create_connection(("127.0.0.1", port)) as out:
        if not head.startswith(b"CONNECT"):
            out.sendall(head)
        threading.Thread(target=_pump, args=(out, peer.sock), daemon=True).start()
        _pump(peer.sock, out)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@colours
def test_a_forward_proxy(colour: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(answers(plain(b"through")))
    proxy = serve(lambda peer: peer.request() and relay(peer, server.port))
    monkeypatch.setenv("http_proxy", f"me:p%40ss@127.0.0.1:{proxy.port}")
    assert fetch(colour, "http://www.test/path", 2) == [b"through"] * 2
    assert proxy.requests[0].startswith(b"POST http://www.test:80/path HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in proxy.requests[0]
    assert proxy.connections == 1


@colours
def test_a_tunnel(
    colour: str,
    serve: Serve,
    tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = serve(answers(plain(b"through")), tls)

    def script(peer: Peer) -> None:
        if peer.request() and peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n"):
            relay(peer, server.port)

    proxy = serve(script)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    assert fetch(colour, "https://www.test/path", 2) == [b"through"] * 2
    assert [line for seen in proxy.requests for line in seen.split(b"\r\n") if KEY.encode() in line] == []
    assert server.connections == 1
    assert "cannot be trusted" in str(failure(colour, "https://other.test/"))


@colours
def test_a_proxy_that_refuses_or_is_silent(colour: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = serve(answers(plain(b"", status=b"407 Proxy Authentication Required")))
    monkeypatch.setenv("all_proxy", f"http://me:{KEY}@127.0.0.1:{refusing.port}")
    error = failure(colour, "https://www.test/")
    assert isinstance(error, ConnectError)
    assert "the proxy does not lead to www.test:443: 407" in str(error)
    silent = serve(lambda peer: peer.wait_for_end())
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{silent.port}")
    late = failure(colour, "https://www.test/", Timeouts(connect=0.2))
    assert isinstance(late, TimeoutError)
    assert late.phase == "connect"
    rude = serve(lambda peer: peer.request())
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{rude.port}")
    assert isinstance(failure(colour, "https://www.test/"), ConnectError)
    closed = serve(answers(b""))
    closed.close()
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{closed.port}")
    assert f"cannot connect to 127.0.0.1:{closed.port}" in str(failure(colour, "http://www.test/"))


def test_tls_inside_tls_is_refused_for_blocking(
    serve: Serve, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    proxy = serve(lambda peer: peer.request() and peer.send(b"HTTP/1.1 200 Go\r\n\r\n") and peer.wait_for_end(), tls)
    monkeypatch.setenv("https_proxy", f"https://127.0.0.1:{proxy.port}")
    assert "use an http:// proxy" in str(failure("blocking", "https://www.test/"))


@colours
def test_loopback_needs_no_proxy(colour: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(answers(plain(b"direct")))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetch(colour, server.url) == [b"direct"]


@colours
def test_a_socks_proxy_needs_its_package(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("all_proxy", f"socks5://me:{KEY}@127.0.0.1:1")
    error = failure(colour, "http://www.test/")
    assert isinstance(error, NotConfigured)
    assert "socksio" in str(error)


def test_socks_factories_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies.importlib.util, "find_spec", lambda _: True)
    monkeypatch.setattr(proxies.httpcore, "SOCKSProxy", dict)
    monkeypatch.setattr(proxies.httpcore, "AsyncSOCKSProxy", dict)
    proxy = Proxy.of(f"socks5://me:{KEY}@127.0.0.1")
    backend: Any = None
    for make in (proxies.factory, proxies.async_factory):
        settings: Any = make(proxy, backend, None)
        assert settings["proxy_auth"] == ("me", KEY)
        assert settings["proxy_url"].scheme == b"socks5"
    assert KEY not in repr(proxy)


@pytest.mark.parametrize(
    ("rules", "host", "direct"),
    [
        ("", "www.test", False),
        ("*", "www.test", True),
        ("www.test", "www.test", True),
        ("test", "www.test", True),
        (".test, other", "www.test", True),
        ("*.test", "www.test", True),
        ("w.test", "www.test", False),
        ("www.test:443", "www.test", True),
        ("www.test:80", "www.test", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8,nonsense/x", "www.test", False),
    ],
)
def test_exceptions_from_the_proxy(rules: str, host: str, direct: bool) -> None:
    environment = Environment({"https": "http://proxy.test:3128", "no": rules})
    assert (environment.proxy_for("https", host, 443) is None) is direct
    assert environment.proxy_for("http", host, 80) is None


@pytest.mark.parametrize("url", ["ftp://proxy.test", "http://proxy.test:x", "http://"])
def test_proxies_that_make_no_sense(url: str) -> None:
    with pytest.raises(NotConfigured):
        Proxy.of(url)


@colours
def test_offline(colour: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(answers(plain(b"here")))
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    error = failure(colour, "http://www.test/")
    assert isinstance(error, ConnectError)
    assert "AGENTKIT_OFFLINE" in str(error)
    assert not server.requests
    assert fetch(colour, server.url) == [b"here"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.9.9.9", "::1"])
def test_what_loopback_is(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    check_online(host, host)
    with pytest.raises(ConnectError):
        check_online("127.0.0.1.example", "x")


def test_loopback_loads_no_httpx(serve: Serve) -> None:
    server = serve(answers(plain(b"ok")))
    code = f"""
import sys
from agentkit._runtime.http import HTTPTransport
from agentkit._runtime.transport import StopSignal
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest
from agentkit.provider import HTTPRequest
answer = HTTPTransport().open(HTTPRequest(method="POST", url={server.url!r}), Timeouts(), StopSignal())
assert answer.read(5.0) == b"ok" and not answer.read(5.0)
assert "httpx" not in sys.modules and "urllib.request" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=30)


def test_trust_is_made_once() -> None:
    assert trust() is trust()
    assert trust().verify_mode is ssl.CERT_REQUIRED
    assert trust().check_hostname
