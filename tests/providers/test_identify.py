"""Servers by their answers: as recorded or read in their sources, never by the port, and whatever the bytes are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.providers import provider_names
from agentkit.providers._identify import NO_ANSWER, PROBES, Answer, Verdict, identify, next_probe, root_of

GPT = "openai/gpt-oss-20b"
UVICORN = {"Server": "uvicorn"}
LACKING = (404, UVICORN, b'{"detail":"Not Found"}')


def said(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode()


def listed(*entries: dict[str, Any], headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    return said({"object": "list", "data": list(entries), **more}, headers=headers)


def model(name: str = GPT, **fields: Any) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, **fields}


def ask(server: Mapping[str, Answer], missing: Answer, *, version: bool = False) -> tuple[Verdict, list[str]]:
    """Ask a server as the drivers do; the verdict, and the paths that were asked."""
    answers: dict[str, Answer] = {}
    while (path := next_probe(answers, version=version)) is not None:
        assert path in PROBES
        assert path not in answers
        answers[path] = server.get(path, missing)
    return identify(answers), list(answers)


NOT_FOUND = said(b"404 page not found", 404, {"Content-Type": "text/plain"})
UNKNOWN_TO_LMSTUDIO = said({"error": "Unexpected endpoint or method. (GET /x)"})
SERVERS: dict[str, tuple[Mapping[str, Answer], Answer, str, str | None, dict[str, int], int]] = {
    # the answers, the answer to any other path; backend, version, windows, and how many questions settle it
    "vllm": (
        {
            "/v1/models": listed(model(owned_by="vllm", root="x", max_model_len=131072), headers=UVICORN),
            "/version": said({"version": "0.33.0"}),
        },
        LACKING,
        "vllm",
        "0.33.0",
        {GPT: 131072},
        1,
    ),
    "vllm with a key": (
        {"/v1/models": said({"error": "Unauthorized"}, 401, UVICORN), "/version": said({"version": "0.11.0"})},
        LACKING,
        "vllm",
        "0.11.0",
        {},
        2,
    ),
    "llamacpp": (
        {
            "/v1/models": listed(
                model("tiny.gguf", owned_by="llamacpp", meta={"n_ctx": 512, "n_ctx_train": 4096}), models=[{}]
            ),
            "/props": said({"default_generation_settings": {"n_ctx": 512}, "build_info": "b1-0c1e570"}),
        },
        said({"error": {"code": 404, "message": "File Not Found"}}, 404),
        "llamacpp",
        "b1-0c1e570",
        {"tiny.gguf": 512},
        1,
    ),
    "llamacpp, older": (
        {
            "/v1/models": listed(model("tiny.gguf", owned_by="llamacpp", meta={"n_ctx_train": 4096})),
            "/props": said({"default_generation_settings": {"n_ctx": 512}}),
        },
        NOT_FOUND,
        "llamacpp",
        None,
        {"tiny.gguf": 512},
        2,
    ),
    "llamacpp with a key": (
        {"/v1/models": said({"error": {"message": "Invalid API Key"}}, 401, {"Server": "llama.cpp"})},
        said({"error": {"message": "Invalid API Key"}}, 401),
        "llamacpp",
        None,
        {},
        2,
    ),
    "llamacpp, loading": (
        {"/v1/models": said({"error": {"message": "Loading model"}}, 503, {"Server": "llama.cpp"})},
        said({"error": {"message": "Loading model"}}, 503),
        "llamacpp",
        None,
        {},
        2,
    ),
    "ollama": (
        {
            "/v1/models": listed(model("gpt-oss:20b", owned_by="library"), model("qwen3:latest", owned_by="library")),
            "/api/version": said({"version": "0.15.2"}),
            "/api/ps": said({"models": [{"name": "qwen3:latest", "context_length": 4096}]}),
        },
        NOT_FOUND,
        "ollama",
        "0.15.2",
        {"qwen3:latest": 4096},
        3,
    ),
    "ollama without models": (
        {
            "/v1/models": said({"object": "list", "data": None}),
            "/api/version": said({"version": "0.15.2"}),
            "/api/ps": said({"models": None}),
        },
        NOT_FOUND,
        "ollama",
        "0.15.2",
        {},
        3,
    ),
    "lmstudio": (
        {
            "/v1/models": listed(
                {"id": GPT, "object": "model", "owned_by": "organization_owner"},
                {"id": "other", "object": "model", "owned_by": "organization_owner"},
                {"id": "nomic", "object": "model", "owned_by": "organization_owner"},
            ),
            "/api/v0/models": listed(
                model(GPT, type="llm", state="loaded", max_context_length=131072, loaded_context_length=8192),
                model("other", type="llm", state="not-loaded", max_context_length=4096),
                model("nomic", type="embeddings", state="not-loaded", max_context_length=2048),
            ),
        },
        UNKNOWN_TO_LMSTUDIO,
        "lmstudio",
        None,
        {GPT: 8192},
        2,
    ),
    "lmstudio, as documented": (
        {
            "/v1/models": listed({"id": GPT, "object": "model", "owned_by": "organization_owner"}),
            "/api/v0/models": listed(model(GPT, type="llm", state="loaded", max_context_length=131072)),
            "/api/v1/models": said(
                {
                    "models": [
                        {"key": GPT, "loaded_instances": [{"id": "mine", "config": {"context_length": 8192}}]},
                        {"key": "nomic", "type": "embedding", "loaded_instances": []},
                    ]
                }
            ),
        },
        UNKNOWN_TO_LMSTUDIO,
        "lmstudio",
        None,
        {GPT: 8192, "mine": 8192},
        3,
    ),
    "lmstudio, another owner": (
        {
            "/v1/models": listed(model(owned_by="me")),
            "/api/v0/models": listed(model(state="loaded", loaded_context_length=4096)),
        },
        NOT_FOUND,
        "lmstudio",
        None,
        {GPT: 4096},
        3,
    ),
    "lmstudio without models": ({"/v1/models": listed()}, UNKNOWN_TO_LMSTUDIO, "lmstudio", None, {}, 4),
    "sglang": (
        {
            "/v1/models": listed(model(owned_by="sglang", max_model_len=32768), headers=UVICORN),
            "/server_info": said({"version": "0.5.23"}),
        },
        LACKING,
        "sglang",
        "0.5.23",
        {GPT: 32768},
        1,
    ),
    "transformers": (
        {"/v1/models": listed(model(owned_by=["openai", "gpt-oss-20b"]), headers=UVICORN)},
        LACKING,
        "transformers",
        None,
        {},
        1,
    ),
    "transformers, models without an owner": (
        {"/v1/models": listed(model("tiny", owned_by=""), headers=UVICORN), "/health": said({"status": "ok"})},
        LACKING,
        "transformers",
        None,
        {},
        3,
    ),
    "mlx": (
        {"/v1/models": listed(model(), headers={"server": "BaseHTTP/0.6 Python/3.12.1"})},
        NOT_FOUND,
        "mlx",
        None,
        {},
        1,
    ),
    "mlx behind something": (
        {"/v1/models": listed(model()), "/health": said({"status": "ok"})},
        NOT_FOUND,
        "mlx",
        None,
        {},
        4,
    ),
    "parallax": ({"/v1/models": listed(model(owned_by="parallax"))}, LACKING, "parallax", None, {}, 1),
    "parallax without a model": (
        {
            "/v1/models": listed(),
            "/cluster/status_json": said({"type": "cluster_status", "data": {"status": "waiting"}}),
        },
        LACKING,
        "parallax",
        None,
        {},
        3,
    ),
    "text generation inference": (
        {
            "/v1/models": listed(model(GPT, owned_by=GPT)),
            "/info": said({"model_id": GPT, "max_total_tokens": 4096, "version": "3.3.0"}),
        },
        said(b"", 404),
        "openai",
        "3.3.0",
        {GPT: 4096},
        5,
    ),
    "llama-cpp-python": ({"/v1/models": listed(model("tiny", owned_by="me"))}, LACKING, "openai", None, {}, 3),
    "a proxy that wants a key": (
        {"/v1/models": said({"error": {"message": "no key"}}, 403)},
        said({"error": {"message": "no key"}}, 403),
        "openai",
        None,
        {},
        2,
    ),
}


@pytest.mark.parametrize("name", SERVERS)
def test_by_its_answers(name: str) -> None:
    server, missing, backend, version, windows, questions = SERVERS[name]
    verdict, asked = ask(server, missing)
    assert (verdict.backend, verdict.windows) == (backend, windows)
    assert len(asked) == questions
    assert verdict.needs_key is (" key" in name)
    assert verdict.evidence
    told, asked = ask(server, missing, version=True)
    assert (told.backend, told.version, told.windows) == (backend, version, windows)
    assert len(asked) <= questions + 1


def test_all_names_are_backends() -> None:
    assert {server[2] for server in SERVERS.values()} <= set(provider_names())


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (NO_ANSWER, "no answer to /v1/models"),
        (NOT_FOUND, "no list of models in /v1/models (HTTP 404, text/plain)"),
        (
            said(b"<!doctype html><title>Jupyter</title>", headers={"content-type": "text/html; charset=utf-8"}),
            "no list of models in /v1/models (HTTP 200, text/html; charset=utf-8)",
        ),
        (said([1]), "no list of models in /v1/models (HTTP 200, no content type)"),
        (said({"data": []}), "no list of models in /v1/models (HTTP 200, no content type)"),
    ],
)
def test_something_else_is_asked_once(answer: Answer, evidence: str) -> None:
    verdict, asked = ask({}, answer)
    assert verdict == Verdict(backend=None, evidence=evidence)
    assert asked == ["/v1/models"]


def test_old_servers_are_known_from_what_was_asked_anyway() -> None:
    assert identify({"/v1/models": NOT_FOUND, "/api/version": said({"version": "0.1.20"})}).backend == "ollama"


def test_the_owner_of_a_compatible_server_is_told() -> None:
    verdict = identify({"/v1/models": said({"data": [{"id": "m", "owned_by": "tabby\x1b[2JAPI" + "x" * 99}]})})
    assert verdict.backend == "openai"
    assert verdict.evidence.startswith("a list of models in /v1/models, owned_by 'tabby [2JAPIxxx")
    assert len(verdict.evidence) < 120


def test_models_are_those_that_can_be_asked() -> None:
    server, missing, *_ = SERVERS["lmstudio"]
    assert ask(server, missing)[0].models == (GPT, "other")
    names = [model("a"), model("a"), model("b\x1b[31m"), model(""), model("c" * 600), {"id": 7}, model("z")]
    assert identify({"/v1/models": listed(*names)}).models == ("a", "z")
    assert identify({"/v1/models": said({"data": [{"id": "m"}]}, 500)}).models == ()


def test_a_window_is_a_positive_whole_number() -> None:
    for wrong in (0, -1, True, "4096", None, 2.5, [1]):
        assert not identify({"/v1/models": listed(model(max_model_len=wrong))}).windows


def test_a_window_by_the_name_that_a_request_uses() -> None:
    ollama = ask(*SERVERS["ollama"][:2])[0]
    assert (ollama.window("qwen3"), ollama.window("qwen3:latest"), ollama.window("gpt-oss:20b")) == (4096, 4096, None)
    llamacpp = ask(*SERVERS["llamacpp"][:2])[0]
    assert (llamacpp.window("tiny.gguf"), llamacpp.window("anything")) == (512, 512)
    assert Verdict(backend="llamacpp", evidence="", windows={"a": 1, "b": 2}).window("c") is None
    assert Verdict(backend="llamacpp", evidence="").window("c") is None
    assert Verdict(backend="vllm", evidence="", windows={"a": 1}).window("b") is None


def test_where_the_paths_begin() -> None:
    for base in ("http://host:1", "http://host:1/", "http://host:1/v1", "http://host:1/v1/"):
        assert root_of(base) == "http://host:1"
    assert root_of("http://host/mine/v1") == "http://host/mine"


KEYS = ["object", "data", "id", "owned_by", "created", "max_model_len", "meta", "n_ctx", "version", "status", "state"]
KEYS += ["type", "models", "name", "context_length", "loaded_instances", "config", "default_generation_settings"]
KEYS += ["error", "detail", "model_id"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["list", "vllm", "llamacpp", "ok", "loaded", "cluster_status", "Unexpected endpoint or method"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
BODIES = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 20_000)
HEADERS = st.dictionaries(st.sampled_from(["Server", "content-type", "x"]), st.text(max_size=12), max_size=2)
ANSWERS = st.dictionaries(
    st.sampled_from(PROBES) | st.text(max_size=4),
    st.tuples(st.sampled_from([200, 401, 404, 0, -1, 999]), HEADERS, BODIES),
)


@given(ANSWERS, st.booleans())
def test_whatever_the_answers_are(answers: dict[str, Answer], version: bool) -> None:
    verdict = identify(answers)
    assert verdict.backend is None or verdict.backend in provider_names()
    assert verdict.evidence.isprintable()
    assert (verdict.version or "").isprintable()
    assert all(name.isprintable() for name in (*verdict.models, *verdict.windows))
    assert all(size > 0 for size in verdict.windows.values())
    verdict.window("m")
    path = next_probe(answers, version=version)
    assert path is None or (path in PROBES and path not in answers)
