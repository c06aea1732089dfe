"""What each profile tells of itself: models, window, version, health, tokens, and what it says to an unknown path."""

from __future__ import annotations

from typing import Any

import pytest
from accent_client import OPENAI_LIKE, Answer, chat, send
from sim_client import tool_schema, user

from agentkit.sim import Simulator

WINDOW = 5000


def get(profile: str, path: str) -> Answer:
    return send(Simulator(window=WINDOW), "GET", f"/{profile}{path}")


def dig(value: Any, *steps: str | int) -> Any:
    for step in steps:
        value = value[step]
    return value


OWNERS = {
    "openai": "agentkit-sim",
    "vllm-0.11": "vllm",
    "vllm-0.12": "vllm",
    "vllm-0.33": "vllm",
    "llamacpp-2025": "llamacpp",
    "llamacpp-2026": "llamacpp",
    "ollama": "library",
    "lmstudio": "organization_owner",
    "sglang": "sglang",
    "transformers": ["openai", "gpt-oss-20b"],
    "mlx": None,
    "parallax-2025": "parallax",
    "parallax-2026": "parallax",
}


@pytest.mark.parametrize("profile", OWNERS)
def test_the_list_of_models_tells_the_server(profile: str) -> None:
    entry = get(profile, "/v1/models").value["data"][0]
    assert entry.get("owned_by") == OWNERS[profile]
    tells = profile.startswith(("vllm", "openai", "sglang", "parallax-2026"))
    assert entry.get("max_model_len") == (WINDOW if tells else None)


WINDOWS: list[tuple[str, str, tuple[str | int, ...]]] = [
    ("llamacpp-2026", "/v1/models", ("data", 0, "meta", "n_ctx")),
    ("llamacpp-2026", "/props", ("default_generation_settings", "n_ctx")),
    ("llamacpp-2025", "/props", ("default_generation_settings", "n_ctx")),
    ("llamacpp-2025", "/slots", (0, "n_ctx")),
    ("ollama", "/api/ps", ("models", 0, "context_length")),
    ("lmstudio", "/api/v1/models", ("models", 0, "loaded_instances", 0, "config", "context_length")),
    ("sglang", "/server_info", ("context_length",)),
]


@pytest.mark.parametrize(("profile", "path", "steps"), WINDOWS)
def test_where_the_window_is_told(profile: str, path: str, steps: tuple[str | int, ...]) -> None:
    assert dig(get(profile, path).value, *steps) == WINDOW


TRAINED: list[tuple[str, str, tuple[str | int, ...]]] = [
    ("llamacpp-2025", "/v1/models", ("data", 0, "meta", "n_ctx_train")),
    ("lmstudio", "/api/v0/models", ("data", 0, "max_context_length")),
]


@pytest.mark.parametrize(("profile", "path", "steps"), TRAINED)
def test_the_window_of_the_training_is_another(profile: str, path: str, steps: tuple[str | int, ...]) -> None:
    value = get(profile, path).value
    assert dig(value, *steps) == 131_072
    assert str(WINDOW) not in str(value)


TOLD: list[tuple[str, str, tuple[str | int, ...], Any]] = [
    ("vllm-0.11", "/version", ("version",), "0.11.0"),
    ("vllm-0.33", "/version", ("version",), "0.33.0"),
    ("llamacpp-2026", "/props", ("build_info",), "b1-0c1e570"),
    ("llamacpp-2026", "/v1/models", ("models", 0, "name"), "gpt-oss-20b-mxfp4.gguf"),
    ("llamacpp-2026", "/health", ("status",), "ok"),
    ("ollama", "/api/version", ("version",), "0.15.2"),
    ("ollama", "/api/tags", ("models", 0, "name"), "gpt-oss:20b"),
    ("lmstudio", "/api/v0/models", ("data", 0, "state"), "loaded"),
    ("sglang", "/server_info", ("version",), "0.5.23"),
    ("sglang", "/get_model_info", ("model_path",), "openai/gpt-oss-20b"),
    ("transformers", "/health", ("status",), "ok"),
    ("mlx", "/health", ("status",), "ok"),
    ("parallax-2025", "/cluster/status_json", ("data", "status"), "available"),
    ("parallax-2025", "/model/list", ("data", 0), "openai/gpt-oss-20b"),
    ("ollama", "/v1/models/qwen3", ("id",), "qwen3"),
]


@pytest.mark.parametrize(("profile", "path", "steps", "wanted"), TOLD)
def test_what_else_is_told(profile: str, path: str, steps: tuple[str | int, ...], wanted: Any) -> None:
    assert dig(get(profile, path).value, *steps) == wanted


@pytest.mark.parametrize("profile", ["vllm-0.12", "sglang", "parallax-2026"])
def test_health_without_a_word(profile: str) -> None:
    answer = get(profile, "/health")
    assert (answer.status, answer.data) == (200, b"")


UNKNOWN: dict[str, tuple[int, bytes]] = {
    "openai": (404, b'{"error":{"message":"Unknown request URL'),
    "vllm-0.33": (404, b'{"detail":"Not Found"}'),
    "llamacpp-2026": (404, b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'),
    "ollama": (404, b"404 page not found"),
    "lmstudio": (200, b'{"error":"Unexpected endpoint or method. (GET /nothing)"}'),
    "sglang": (404, b'{"detail":"Not Found"}'),
    "transformers": (404, b'{"detail":"Not Found"}'),
    "mlx": (404, b"Not Found"),
    "parallax-2025": (404, b'{"detail":"Not Found"}'),
    "gravixlayer": (404, b'{"error":{"code":"not_found"'),
}


@pytest.mark.parametrize("profile", UNKNOWN)
def test_an_unknown_path(profile: str) -> None:
    status, begins = UNKNOWN[profile]
    answer = get(profile, "/nothing")
    assert (answer.status, answer.data.startswith(begins)) == (status, True)
    assert get("ollama", "").data == b"Ollama is running"


CHAT = {
    "model": "sim",
    "messages": [
        {"role": "system", "content": "Be brief."},
        user("hello"),
        {"role": "assistant", "content": "hi", "reasoning": "Hm, hm."},
        {"role": "system", "content": "Be kind."},
        user("say  one two \n"),
    ],
}
TOOLS = {"tools": [tool_schema("weather")]}


@pytest.mark.parametrize(
    ("profile", "path", "name"),
    [
        ("vllm-0.33", "/tokenize", "count"),
        ("sglang", "/v1/tokenize", "count"),
        ("parallax-2026", "/tokenize", "count"),
        ("llamacpp-2026", "/v1/chat/completions/input_tokens", "input_tokens"),
    ],
)
@pytest.mark.parametrize("more", [{}, TOOLS], ids=["", "tools"])
def test_a_chat_is_counted_as_it_will_be(profile: str, path: str, name: str, more: dict[str, Any]) -> None:
    simulator = Simulator()
    asked = {**CHAT, "model": "gpt-oss-20b", **more}
    counted = send(simulator, "POST", f"/{profile}{path}", asked).value
    used = chat(profile, simulator=simulator, **asked).value["usage"]["prompt_tokens"]
    assert counted[name] == used
    assert len(counted.get("tokens", range(used))) == used


def test_texts_as_tokens() -> None:
    simulator = Simulator()
    value = send(simulator, "POST", "/vllm-0.33/tokenize", {"prompt": "one two one"}).value
    assert (value["count"], value["max_model_len"], value["tokens"][0]) == (3, 8192, value["tokens"][0])
    value = send(simulator, "POST", "/llamacpp-2026/tokenize", {"content": "one two", "with_pieces": True}).value
    assert [token["piece"] for token in value["tokens"]] == ["one", " two"]
    plain = send(simulator, "POST", "/llamacpp-2026/tokenize", {"content": "one two"}).value["tokens"]
    assert plain == [token["id"] for token in value["tokens"]]
    prompt = send(simulator, "POST", "/llamacpp-2026/apply-template", CHAT).value["prompt"]
    assert "say  one two" in prompt
    for path, wrong in (("/llamacpp-2026/tokenize", {"content": 5}), ("/vllm-0.33/tokenize", [1])):
        assert send(simulator, "POST", path, wrong).status == 400
    assert len(simulator.problems) == 2


def test_what_ollama_shows_of_a_model() -> None:
    simulator = Simulator(models=["gpt-oss:20b"])
    shown = send(simulator, "POST", "/ollama/api/show", {"model": "gpt-oss:20b"}).value
    assert shown["model_info"]["gptoss.context_length"] == 131_072
    assert "thinking" in shown["capabilities"]
    assert send(simulator, "POST", "/ollama/api/show", {"model": "other"}).status == 404


@pytest.mark.parametrize("profile", [name for name in OPENAI_LIKE if name != "gravixlayer"])
def test_the_models_that_the_simulator_was_given(profile: str) -> None:
    simulator = Simulator(models=["mine"])
    listed = send(simulator, "GET", f"/{profile}/v1/models").value["data"]
    assert [entry["id"] for entry in listed] == ["mine"]
