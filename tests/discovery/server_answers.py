"""What servers answer to the questions that tell them apart: as recorded, or as read in their sources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentkit.providers._identify import Answer

GPT = "openai/gpt-oss-20b"
UVICORN = {"Server": "uvicorn"}
NUMBERED = {**UVICORN, "X-Request-Id": "d0b"}
LACKING = (404, UVICORN, b'{"detail":"Not Found"}')


def said(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return status, headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode()


def listed(*entries: dict[str, Any], headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    return said({"object": "list", "data": list(entries), **more}, headers=headers)


def model(name: str = GPT, **fields: Any) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, **fields}


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
    "transformers 5.23": (
        {"/v1/models": listed(model("example/tiny", owned_by="example", created=1795180202.6406193), headers=NUMBERED)},
        LACKING,
        "transformers",
        None,
        {},
        1,
    ),
    "transformers, models without an owner": (
        {"/v1/models": listed(model("tiny", owned_by=""), headers=NUMBERED), "/health": said({"status": "ok"})},
        LACKING,
        "transformers",
        None,
        {},
        3,
    ),
    "something made with FastAPI": (
        {"/v1/models": listed(model("tiny", owned_by="us"), headers=UVICORN), "/health": said({"status": "ok"})},
        LACKING,
        "openai",
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
    "llama-cpp-python": (
        {"/v1/models": listed(model("tiny", owned_by="me"), headers=NUMBERED)},
        LACKING,
        "openai",
        None,
        {},
        3,
    ),
    "a proxy that wants a key": (
        {"/v1/models": said({"error": {"message": "no key"}}, 403)},
        said({"error": {"message": "no key"}}, 403),
        "openai",
        None,
        {},
        2,
    ),
}
