"""How the servers of the chat-completions format write an error: as an answer, and inside a stream. Pure functions."""

from __future__ import annotations

from typing import Any

from agentkit.sim.talk import Failure
from agentkit.sim.wire import encoded

DONE = b"data: [DONE]\n\n"

_VLLM = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError", 429: "RateLimitError"}
_LLAMACPP = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    501: "not_supported_error",
    503: "unavailable_error",
}
_OLLAMA = {400: "invalid_request_error", 404: "not_found_error"}
_GRAVIXLAYER = {400: "validation_error", 401: "unauthorized", 404: "not_found", 429: "rate_limit_exceeded"}
_PARALLAX = {429: "rate_limit_error", 502: "upstream_error", 503: "server_unavailable"}
_UNAUTHORIZED = 401


def openai(failure: Failure) -> Any:
    """The original."""
    error = {"message": failure.message, "type": failure.type, "param": failure.param, "code": failure.code}
    return {"error": {**error, **failure.more}}


def vllm(failure: Failure) -> Any:
    """The code is the status; a missing key is told in one word."""
    if failure.status == _UNAUTHORIZED:
        return {"error": "Unauthorized"}
    return {"error": _numbered(failure)}


def flat(failure: Failure) -> Any:
    """The older Parallax, which knows no keys."""
    return {"object": "error", **_numbered(failure)}


def sglang(failure: Failure) -> Any:
    """The same, and a missing key is told in one word."""
    return {"error": "Unauthorized"} if failure.status == _UNAUTHORIZED else flat(failure)


def _numbered(failure: Failure) -> dict[str, Any]:
    kind = _VLLM.get(failure.status, "InternalServerError")
    return {"message": failure.message, "type": kind, "param": failure.param, "code": failure.status, **failure.more}


def llamacpp(failure: Failure) -> Any:
    """The type follows from the status, but for a prompt that is too long."""
    kind = _LLAMACPP.get(failure.status, "server_error")
    return {"error": {"code": failure.status, "message": failure.message, "type": kind, **failure.more}}


def ollama(failure: Failure) -> Any:
    kind = _OLLAMA.get(failure.status, "api_error")
    return {"error": {"message": failure.message, "type": kind, "param": None, "code": None}}


def text(failure: Failure) -> Any:
    """LM Studio and mlx-lm: a text and no more."""
    return {"error": failure.message}


def detail(failure: Failure) -> Any:
    """What is made with FastAPI and says nothing of its own."""
    return {"detail": failure.message}


def parallax(failure: Failure) -> Any:
    """The scheduler, and the nodes of today."""
    kind = _PARALLAX.get(failure.status, failure.type)
    return {"error": {"message": failure.message, "type": kind, "param": failure.param, "code": failure.code}}


def gravixlayer(failure: Failure) -> Any:
    """As its documentation has it; a quota that is used up is told by what it is a quota of."""
    if failure.code == "insufficient_quota":
        return {"exceeded": ["tokens"], "message": failure.message}
    code = _GRAVIXLAYER.get(failure.status, "internal_error")
    details = {"field": failure.param, "reason": failure.message} if failure.param else {}
    waits = {"retry_after": failure.retry_after} if failure.retry_after is not None else {}
    return {
        "error": {"code": code, "message": failure.message, "details": details},
        "meta": {"request_id": "req_simulated", "timestamp": "2026-01-01T00:00:00Z"},
        **waits,
    }


def framed(value: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + encoded(value) + b"\n\n"


def openai_break(failure: Failure) -> tuple[bytes, ...]:
    """An event, and the end."""
    return (framed(openai(failure)),)


def vllm_break(failure: Failure) -> tuple[bytes, ...]:
    """An event, and [DONE] as if all were well."""
    return (framed(vllm(failure)), DONE)


def sglang_break(failure: Failure) -> tuple[bytes, ...]:
    """The flat error within another."""
    return (framed({"error": flat(failure)}), DONE)


def llamacpp_break(failure: Failure) -> tuple[bytes, ...]:
    """An event, and the end."""
    return (framed(llamacpp(failure)),)


def llamacpp_old_break(failure: Failure) -> tuple[bytes, ...]:
    """An event whose field is called `error`."""
    return (b"error: " + encoded(llamacpp(failure)) + b"\n\n",)


def lmstudio_break(failure: Failure) -> tuple[bytes, ...]:
    """An event with a name."""
    return (b"event: error\n" + framed({"error": failure.message, "message": failure.message}),)


def transformers_break(failure: Failure) -> tuple[bytes, ...]:
    """JSON put together by hand: a quotation mark in the message breaks it."""
    return (f'data: {{"error": "{failure.message}"}}\n\n'.encode("utf-8", "replace"),)


def silent_break(_: Failure) -> tuple[bytes, ...]:
    """Not a word."""
    return ()


def parallax_break(failure: Failure) -> tuple[bytes, ...]:
    """A chunk with an error, one that is an end, and [DONE]."""
    error = {
        "message": failure.message,
        "type": _VLLM.get(failure.status, "InternalServerError"),
        "code": failure.status,
    }
    about = {"id": "error", "object": "chat.completion.chunk", "model": "default", "created": 1_700_000_000.125}
    choice = {"index": 0, "delta": {"role": None, "content": None}, "logprobs": None, "finish_reason": "error"}
    return (framed({**about, "error": error}), framed({**about, "choices": [choice]}), DONE)


def gravixlayer_break(failure: Failure) -> tuple[bytes, ...]:
    """An event, and the end."""
    return (framed(gravixlayer(failure)),)
