"""What to do about a failure: the line names the origin of what led to it, and what to type; never a key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit._runtime.advice import advice, attach
from agentkit.config import BackendSettings, backend_settings
from agentkit.errors import (
    AgentKitError,
    ConnectError,
    ContextOverflow,
    ProtocolError,
    ProviderError,
    RateLimited,
    TimeoutError,  # noqa: A004 - also the builtin
)
from agentkit.provider import Fault, ResponseHead
from agentkit.providers import get_provider

KEY = "sk-very-secret-0123456789"
PAGE = b"<!doctype html>\n<html><title>Open WebUI</title></html>"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTKIT_CONFIG", "/none/config.toml")
    monkeypatch.setenv("VLLM_BASE_URL", "http://gpu:8000")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def answered(settings: BackendSettings, status: int, body: Any, kind: str) -> ProviderError:
    """The error that an answer is, as the provider of these settings reads it."""
    provider = get_provider(settings.backend, base_url=settings.base_url.value, api_key=settings.api_key.value)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = ResponseHead(status, {"content-type": kind})
    if status != 200:
        return provider.decode_error(head, raw)
    decoder = provider.decoder(head, max_line=1 << 20)
    last = [*decoder.feed(raw), *decoder.close()][-1]
    assert isinstance(last, Fault)
    return last.error


def said(backend: str, status: int, body: Any, *, base_url: str | None = None) -> str:
    settings = backend_settings(backend, base_url=base_url)
    kind = "text/html" if body == PAGE else "application/json"
    url = get_provider(backend, base_url=settings.base_url.value).base_url
    return advice(answered(settings, status, body, kind), settings, url)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}},
        {"error": {"message": "model 'x' not found", "code": None}},
        {"error": {"message": "no", "code": "model_not_found"}},
        {"message": "Unknown model: x"},
    ],
)
def test_no_such_model(body: Any) -> None:
    for status in (400, 404):
        assert said("vllm", status, body) == "agentkit models vllm lists the models that there are"


def test_no_such_path() -> None:
    lacking = {"detail": "Not Found"}
    assert said("vllm", 404, lacking, base_url="http://gpu:8000/api") == (
        "http://gpu:8000/api (from argument base_url) knows no such path. "
        "Does the API begin at http://gpu:8000/api/v1? Write that"
    )
    told = said("vllm", 404, lacking)
    assert told.startswith("http://gpu:8000/v1 (from environment VLLM_BASE_URL) knows no such path. agentkit models vl")
    for call in ("/v1/chat/completions", "/v1/completions/"):
        told = said("openai", 405, lacking, base_url=f"http://me:hidden@gw{call}")
        assert told.endswith("Write it without the call: http://me:***@gw/v1")
        assert "hidden" not in told
    for name, path in (("gradient", "/api"), ("gravixlayer", "/v1/inference")):
        assert f"http://gw/x{path}? Write that" in said(name, 404, lacking, base_url="http://gw/x")
        told = said(name, 404, lacking, base_url=f"http://gw{path}")
        assert told.endswith(f"agentkit models {name} --base-url http://gw{path} asks it what it is")
    unknown = {"error": "Unexpected endpoint or method. (POST /chat/completions)"}
    assert "Does the API begin at http://h:1234/api/v1?" in said("lmstudio", 200, unknown, base_url="http://h:1234/api")


def test_a_page_of_html() -> None:
    told = said("openai", 200, PAGE, base_url="http://localhost:3000")
    assert told == (
        "http://localhost:3000 (from argument base_url) is a web site and not the API, or a proxy asks to log in. "
        "Does the API begin at http://localhost:3000/v1? Write that"
    )
    assert "a proxy asks to log in" in said("openai", 403, PAGE)
    assert "something in front of http://gpu:8000/v1 (from environment VLLM_BASE_URL)" in said("vllm", 502, PAGE)


def test_keys() -> None:
    assert said("gravixlayer", 401, {}) == "No key was sent. Try: export GRAVIXLAYER_API_KEY=..."
    assert said("openai", 401, {"error": {"message": f"wrong: {KEY}"}}) == (
        "The key (set, ends in '89') came from environment OPENAI_API_KEY. Put a valid one there"
    )
    told = said("openai", 403, {}, base_url="http://other/v1")
    assert "environment OPENAI_API_KEY, and went to http://other/v1 (from argument base_url)" in told
    used_up = {"error": {"message": "no more", "type": "insufficient_quota"}}
    assert said("openai", 429, used_up) == (
        "The key (set, ends in '89') came from environment OPENAI_API_KEY. "
        "See to the account behind it, or put another one there"
    )
    assert not said("vllm", 429, used_up)


def test_a_server_of_another_kind() -> None:
    assert said("vllm", 200, {"hello": 1}) == (
        "Is http://gpu:8000/v1 (from environment VLLM_BASE_URL) a server of this kind? agentkit models vllm asks it"
    )
    for body in ([1, 2], "words", None, b""):
        assert said("vllm", 200, body).startswith("Is http://gpu:8000/v1 (from environment VLLM_BASE_URL) a server")
    settings = backend_settings("gpt-oss", base_url="http://gw/v1/chat/completions")
    odd = ProtocolError("http://gw/v1/chat/completions is no server of an OpenAI-like dialect: why")
    assert advice(odd, settings, "http://gw/v1/chat/completions") == (
        "http://gw/v1/chat/completions (from argument base_url) is one call of an API. "
        "Write it without the call: http://gw/v1"
    )
    mute = ProtocolError("gpu:22 does not speak HTTP")
    assert "agentkit models vllm asks it" in advice(mute, backend_settings("vllm"), "http://gpu:22/v1")
    assert said("openai", 301, b"") == (
        "https://api.openai.com/v1: write the address that it leads to, often https:// for http://"
    )


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (
            ConnectError("cannot connect to gpu:8000: Connection refused"),
            "Is the server running there? http://gpu:8000",
        ),
        (TimeoutError("no connection to gpu:8000 within 3 s", phase="connect"), "Is the server running there?"),
        (ConnectError("no connection to gpu:8000: AGENTKIT_OFFLINE allows loopback"), "Unset AGENTKIT_OFFLINE"),
        (ConnectError("the certificate of gpu:8000 cannot be trusted: why; SSL_CERT_FILE names own ones"), ""),
        (ConnectError("cannot connect to 127.0.0.1:9: Connection refused"), "a proxy of the environment"),
        (ConnectError("the proxy does not lead to gpu:8000: 403"), "a proxy of the environment"),
        (TimeoutError("gpu:8000 sent nothing for 3 s", phase="idle"), ""),
        (RateLimited("no", status=429), ""),
        (ContextOverflow("no", status=400), ""),
        (KeyboardInterrupt(), ""),
    ],
)
def test_the_network(error: BaseException, hint: str) -> None:
    told = advice(error, backend_settings("vllm"), "http://gpu:8000/v1")
    assert told.startswith(hint) if not hint.startswith("a proxy") else hint in told
    assert bool(told) is bool(hint)


@pytest.mark.parametrize(
    ("host", "known"),
    [("m\u00fcnchen.example", "xn--mnchen-3ya.example"), ("\u00fc" * 80, "\u00fc" * 80)],
)
def test_a_host_in_other_letters(host: str, known: str) -> None:
    error = ConnectError(f"cannot connect to {known}:80: Name or service not known")
    told = advice(error, backend_settings("vllm", base_url=f"http://{host}/v1"), f"http://{host}/v1")
    assert told == f"Is the server running there? http://{host}/v1 (from argument base_url)"


def test_the_usual_address() -> None:
    refused = ConnectError("cannot connect to localhost:8080: Connection refused")
    assert advice(refused, backend_settings("llamacpp"), "http://localhost:8080/v1") == (
        "Is the server running? agentkit doctor looks for servers; LLAMACPP_BASE_URL names another address"
    )


def test_an_answer_that_is_cut_needs_no_advice_on_its_address() -> None:
    settings = backend_settings("vllm")
    cut = answered(settings, 200, b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', "text/event-stream")
    assert not advice(cut, settings, "http://gpu:8000/v1")


def test_the_hint_stays_with_the_error() -> None:
    error, settings = ConnectError("cannot connect to gpu:8000"), backend_settings("vllm")
    for _ in range(2):
        attach(error, settings, "http://gpu:8000/v1")
    assert error.hint == "Is the server running there? http://gpu:8000/v1 (from environment VLLM_BASE_URL)"
    assert error.__notes__ == [error.hint]
    for other in (AgentKitError("no"), ValueError("no")):
        attach(other, settings, "http://gpu:8000/v1")
        assert not hasattr(other, "__notes__")
