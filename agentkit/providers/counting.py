"""Servers that count: the request that asks one, and what its answer says. Encoding and decoding only.

A question is made from the chat request it is about, so that the server counts what it would be sent. What a server
says is exact, and costs a round trip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, assert_never, cast

from attrs import evolve

from agentkit.provider import HTTPRequest, Rounds, ask

Way: TypeAlias = Literal["input_tokens", "tokenize"]

WAYS: Mapping[str, Way] = {"llamacpp": "input_tokens", "vllm": "tokenize", "sglang": "tokenize"}
"""Backends that count a chat, and by which call. vLLM before 0.24 counts gpt-oss by the template, some tokens off."""
_ASKED = ("model", "messages", "tools", "chat_template_kwargs")
_OK, _MISSING = 200, (404, 405, 501)
_CHAT = "/chat/completions"


def count_of(backend: str, chat: HTTPRequest) -> Rounds[int | None]:
    """Ask the server how many tokens `chat` is; None where it does not say."""
    wire = count_request(backend, chat)
    if wire is None:
        return None
    answer = yield from ask(wire, refusals=True)
    if answer.head.status in _MISSING and WAYS[backend] == "input_tokens":
        rendered = yield from ask(template_request(chat))
        second = tokenize_request(chat, rendered.body)
        if second is None:
            return None
        answer = yield from ask(second, refusals=True)
    return counted(answer.body) if answer.head.status == _OK else None


def count_request(backend: str, chat: HTTPRequest) -> HTTPRequest | None:
    """The request that asks how many tokens `chat` is; None where the backend has no such call."""
    match WAYS.get(backend):
        case "input_tokens":
            return _post(chat, f"{chat.url}/input_tokens", _fields(chat.body))
        case "tokenize":
            return _post(chat, f"{_root(chat)}/tokenize", {**_said(chat), "add_generation_prompt": True})
        case None:
            return None
        case _ as never:
            assert_never(never)


def counted(body: bytes) -> int | None:
    """The number of tokens in an answer of any of these calls; None where there is none in it."""
    match _fields(body):
        case {"input_tokens": int(number)} | {"count": int(number)}:
            return number
        case {"tokens": list()}:
            return len(_fields(body)["tokens"])
        case _:
            return None


def served_window(body: bytes) -> int | None:
    """The window that `/tokenize` of vLLM and SGLang tells with its count."""
    window = _fields(body).get("max_model_len")
    return window if isinstance(window, int) else None


def template_request(chat: HTTPRequest) -> HTTPRequest:
    """To llama.cpp servers that lack the call above: the first of two, which renders the prompt."""
    return _post(chat, f"{_root(chat)}/apply-template", _fields(chat.body))


def tokenize_request(chat: HTTPRequest, rendered: bytes) -> HTTPRequest | None:
    """The second of two: the prompt of the first answer, to be counted; None where there is no prompt in it."""
    prompt = _fields(rendered).get("prompt")
    if not isinstance(prompt, str):
        return None
    return _post(chat, f"{_root(chat)}/tokenize", {"content": prompt, "add_special": True, "parse_special": True})


def _root(chat: HTTPRequest) -> str:
    return chat.url.removesuffix(_CHAT).removesuffix("/v1")


def _said(chat: HTTPRequest) -> dict[str, Any]:
    return {name: value for name, value in _fields(chat.body).items() if name in _ASKED}


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _post(chat: HTTPRequest, url: str, fields: Mapping[str, Any]) -> HTTPRequest:
    fields = {name: value for name, value in fields.items() if name not in {"stream", "stream_options"}}
    headers = tuple((name, "application/json" if name == "accept" else value) for name, value in chat.headers)
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return evolve(chat, method="POST", url=url, headers=headers, body=body, notices=(), repeatable=True)
