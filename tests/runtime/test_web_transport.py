"""`Web` over agentkit's own transport: to the address that was found good, with the name of the host, and bounded."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from raw_server import CHUNKED, Peer, RawServer, answers, chunk, plain

from agentkit.errors import ConnectError, InvalidInput
from agentkit.toolbox import Web

Serve = Callable[..., RawServer]
TEXT = b"content-type: text/plain"


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


def web(most_bytes: int = 1000) -> Web:
    """The name means loopback, which is allowed for once."""
    return Web(
        allow=["www.test", "*.sub.test"],
        resolve=lambda host, port: ["127.0.0.1"],
        private=True,
        most_bytes=most_bytes,
    )


def test_a_page_comes_from_the_address_under_the_name_of_the_host(serve: Serve) -> None:
    server = serve(answers(plain(b"hello", TEXT)))
    assert web().fetch_page(f"http://WWW.test.:{server.port}/a%20b?c=d#e") == "hello"
    lines = server.requests[0].decode().splitlines()
    assert lines[0] == "GET /a%20b?c=d HTTP/1.1"
    assert f"Host: www.test:{server.port}" in lines
    assert "Connection: close" in lines
    assert not any(line.lower().startswith(("authorization", "cookie", "content-length")) for line in lines)


def test_each_page_has_a_connection_of_its_own(serve: Serve) -> None:
    server = serve(answers(plain(b"hello", TEXT)))
    for _ in range(2):
        web().fetch_page(f"http://www.test:{server.port}/")
    assert server.connections == 2


def test_tls_asks_for_the_certificate_of_the_host(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = Path(__file__).parent / "self_signed.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = serve(answers(plain(b"secure", TEXT)), context)
    assert web().fetch_page(f"https://www.test:{server.port}/") == "secure"
    with pytest.raises(ConnectError, match="cannot be trusted"):
        web().fetch_page(f"https://other.sub.test:{server.port}/")


def test_proxies_are_passed_by(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = serve(answers(plain(b"straight", TEXT)))
    assert web().fetch_page(f"http://www.test:{server.port}/") == "straight"


def test_offline_nothing_is_fetched(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    server = serve(answers(plain(b"never", TEXT)))
    with pytest.raises(ConnectError, match="AGENTKIT_OFFLINE allows loopback addresses only"):
        web().fetch_page(f"http://www.test:{server.port}/")
    assert not server.requests


def test_no_more_is_read_than_is_wanted(serve: Serve) -> None:
    """The page has no end."""

    def endless(peer: Peer) -> None:
        peer.request()
        peer.send(CHUNKED.replace(b"text/event-stream", b"text/plain"))
        while peer.send(chunk(b"x" * 4096)):
            pass

    server = serve(endless)
    text = web().fetch_page(f"http://www.test:{server.port}/")
    assert text == "x" * 1000 + "\n[... the rest is left out ...]"


def test_a_redirect_is_judged_and_not_followed_by_the_transport(serve: Serve) -> None:
    aside = serve(answers(plain(b"private", TEXT)))
    server = serve(
        lambda peer: (
            peer.request()
            and peer.send(plain(b"", b"location: http://127.0.0.1:%d/" % aside.port, status=b"302 Found"))
        )
    )
    with pytest.raises(InvalidInput, match=r"the host '127\.0\.0\.1' is not allowed"):
        web().fetch_page(f"http://www.test:{server.port}/")
    assert not aside.requests


def test_this_machine_is_out_of_reach_unless_it_is_allowed(serve: Serve) -> None:
    server = serve(answers(plain(b"private", TEXT)))
    with pytest.raises(InvalidInput, match="in a private network"):
        Web(allow=["localhost"]).fetch_page(f"http://localhost:{server.port}/")
    assert not server.requests


def test_nobody_listens() -> None:
    with pytest.raises(ConnectError, match=r"cannot connect to 127\.0\.0\.1:9: Connection refused"):
        web().fetch_page("http://www.test:9/")
