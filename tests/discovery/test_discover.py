"""Looking for servers on this machine: what is found, what is asked, and which key goes where."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias

import anyio
import pytest
from played import Played
from server_answers import GPT, LACKING, NOT_FOUND, SERVERS, listed, model, said

from agentkit import discovery
from agentkit.discovery import Found, adiscover, discover, models_of, probe
from agentkit.errors import ConnectError, ProtocolError, TimeoutError, Unsupported  # noqa: A004 - also the builtin

Play: TypeAlias = Callable[..., Played]
PATIENT = 30.0
KEY = "sk-very-secret-0123456789"


@pytest.fixture
def free() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_is_found_by_its_answers(name: str, play: Play) -> None:
    answers, missing, backend, version, windows, _ = SERVERS[name]
    server = play(answers, missing)
    (found,) = discover(ports=[server.port], patience=PATIENT)
    assert (found.backend, found.version, found.windows) == (backend, version, windows)
    assert (found.base_url, found.origin) == (f"http://localhost:{server.port}/v1", f"port {server.port}")
    assert found.answered
    assert found.evidence
    assert len(server.asked) == len(set(server.asked))
    assert set(server.keys) == {None}


def test_many_at_once_and_in_the_order_of_the_ports(play: Play, free: int) -> None:
    names = ["sglang", "vllm", "ollama", "mlx", "llamacpp", "lmstudio", "parallax", "transformers", "llama-cpp-python"]
    servers = [play(*SERVERS[name][:2]) for name in names]
    found = discover(ports=[free, *(server.port for server in servers)], patience=PATIENT)
    assert [each.backend for each in found] == [SERVERS[name][2] for name in names]
    assert found[1].models == (GPT,)


def test_what_is_no_model_server_is_not_found(play: Play, free: int) -> None:
    page = play({}, said(b"<!doctype html><title>Notebook</title>", headers={"Content-Type": "text/html"}))
    assert discover(ports=[page.port, free], patience=PATIENT) == ()
    assert page.asked == ["/v1/models"]


def test_what_speaks_no_http_is_not_found() -> None:
    with _Sends(b"SSH-2.0-OpenSSH_9.6\r\n") as port:
        assert discover(ports=[port], patience=PATIENT) == ()
        with pytest.raises(ProtocolError):
            probe(f"http://127.0.0.1:{port}/v1", patience=PATIENT)


def test_what_never_answers_is_given_up() -> None:
    with _Sends(b"") as port:
        assert discover(ports=[port], patience=0.2) == ()
        with pytest.raises(TimeoutError):
            probe(f"http://127.0.0.1:{port}/v1", patience=0.2)


def test_a_later_question_may_stay_without_an_answer() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
    _, _, body = listed(model("m", owned_by="vllm", max_model_len=4096))
    with _Sends(head + b"Content-Length: %d\r\n\r\n" % len(body) + body, b"nonsense") as port:
        verdict = probe(f"http://127.0.0.1:{port}/v1", patience=PATIENT)
    assert (verdict.backend, verdict.version, verdict.windows) == ("vllm", None, {"m": 4096})


def test_a_large_answer_is_read_in_part(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_MOST_BYTES", 1000)
    server = play({"/v1/models": listed(*(model(f"m{n}") for n in range(9000)))}, NOT_FOUND)
    assert probe(server.url, patience=PATIENT).backend is None


def test_nobody_there(free: int) -> None:
    assert discover(ports=[free]) == ()
    assert discover(ports=[]) == ()
    with pytest.raises(ConnectError):
        probe(f"http://127.0.0.1:{free}/v1")


def test_an_address_of_the_settings_is_asked_with_its_key(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = (play(*SERVERS["vllm"][:2]) for _ in range(2))
    monkeypatch.setenv("VLLM_BASE_URL", own.url)
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}-openai")
    first, second, third = discover(ports=[own.port, other.port], patience=PATIENT)
    assert (first.base_url, first.origin) == (own.url, "environment VLLM_BASE_URL")
    assert set(own.keys) == {f"Bearer {KEY}"}
    assert len(own.asked) == len(set(own.asked))
    assert set(other.keys) == {None}
    assert second.origin == f"port {other.port}"
    assert third == Found(
        backend="openai",
        base_url="https://api.openai.com/v1",
        evidence="environment OPENAI_API_KEY",
        answered=False,
        origin="environment OPENAI_API_KEY",
    )
    assert KEY not in repr((first, second, third))


def test_an_address_elsewhere_is_named_but_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    monkeypatch.setenv("VLLM_BASE_URL", "http://gpu.example:8000/v1")
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    monkeypatch.setenv("PIXIGPT_BASE_URL", "nonsense")
    (found,) = discover(ports=[])
    assert (found.backend, found.base_url, found.answered) == ("vllm", "http://gpu.example:8000/v1", False)


def test_loopback_is_asked_also_offline(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_OFFLINE", "1")
    server = play(*SERVERS["sglang"][:2])
    assert [found.backend for found in discover(ports=[server.port], patience=PATIENT)] == ["sglang"]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_without_blocking_a_loop(loop: str, play: Play) -> None:
    server = play(*SERVERS["vllm"][:2])
    found = anyio.run(lambda: adiscover(ports=[server.port], patience=PATIENT), backend=loop)
    assert [each.backend for each in found] == ["vllm"]


# The models of one backend


def test_the_models_of_a_server(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    server = play(*SERVERS["ollama"][:2])
    found = models_of("ollama", base_url=server.url)
    assert (found.backend, found.models) == ("ollama", ("gpt-oss:20b", "qwen3:latest"))
    monkeypatch.setenv("VLLM_BASE_URL", server.url)
    found = models_of("vllm")
    assert (found.backend, found.origin) == ("ollama", "environment VLLM_BASE_URL")


def test_the_models_of_a_service(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    server = play({"/v1/inference/models": listed(model("llama", owned_by="meta"))}, LACKING)
    monkeypatch.setenv("GRAVIXLAYER_API_KEY", KEY)
    found = models_of("gravixlayer", base_url=f"http://127.0.0.1:{server.port}")
    assert (found.backend, found.models, server.asked) == ("gravixlayer", ("llama",), ["/v1/inference/models"])
    assert server.keys == [f"Bearer {KEY}"]


def test_the_models_of_gradient(play: Play) -> None:
    server = play({"/api/model_info": said({"data": {"availableModels": ["GPT OSS 120B", "Qwen3 235B"]}})}, NOT_FOUND)
    found = models_of("gradient", base_url=f"http://127.0.0.1:{server.port}/api")
    assert found.models == ("GPT-OSS-120B", "Qwen3-235B")
    with pytest.raises(Unsupported, match="HTTP 404"):
        models_of("gradient", base_url=f"http://127.0.0.1:{server.port}/other")


def test_no_list_of_models(play: Play) -> None:
    server = play({}, NOT_FOUND)
    with pytest.raises(Unsupported, match="has no list of models"):
        models_of("pixigpt", base_url=server.url)
    with pytest.raises(Unsupported, match="has no list of models"):
        models_of("vllm", base_url=server.url)


class _Sends:
    """A port that sends these bytes to one visitor after the other, whatever each says; nothing to the rest."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._open: list[socket.socket] = []

    def _serve(self) -> None:
        for _ in range(20):
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(visitor)
            piece = self._pieces.pop(0) if len(self._pieces) > 1 else self._pieces[0]
            if piece:
                visitor.recv(65536)
                visitor.sendall(piece)
                visitor.shutdown(socket.SHUT_WR)

    def __enter__(self) -> int:
        self._thread.start()
        port: int = self._socket.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)
        for visitor in self._open:
            visitor.close()
