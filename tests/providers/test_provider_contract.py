"""Every provider against every recorded answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_contract import (
    EVENT_STREAM,
    JSON,
    cases,
    check_any_cut,
    check_early_end,
    check_interleaved,
    check_shape,
    decode,
    expected,
    stream_of,
    summary,
    whole_of,
)

from agentkit import errors
from agentkit.provider import Fault, Finish, Provider, ResponseHead
from agentkit.providers import get_provider, provider_names

CASES = cases()
WHOLE = {name: case for name, case in CASES.items() if case["whole"]}
ERRORS = [(name, place) for name, case in CASES.items() for place in range(len(case["errors"]))]
KEY = "sk-secret-0123456789"
CHAT = [
    "gpt-oss",
    "gravixlayer",
    "llamacpp",
    "lmstudio",
    "mlx",
    "ollama",
    "openai",
    "parallax",
    "pixigpt",
    "sglang",
    "sim",
    "transformers",
    "vllm",
]


@pytest.fixture(params=CHAT)
def provider(request: pytest.FixtureRequest) -> Provider:
    return get_provider(request.param, api_key=KEY)


@pytest.fixture(params=["openai", "gpt-oss", "parallax", "pixigpt"])
def reader(request: pytest.FixtureRequest) -> Provider:
    """One for each way to read: as it comes, without what leaked, without thinking in tags, all of it at the end."""
    return get_provider(request.param, api_key=KEY)


def test_the_suite_knows_every_built_in_provider() -> None:
    assert set(CHAT) <= set(provider_names())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_recorded_stream(provider: Provider, name: str, newline: str) -> None:
    chunks = decode(provider, EVENT_STREAM, [stream_of(CASES[name], newline)])
    assert summary(chunks) == expected(CASES[name])
    assert isinstance(chunks[-1], Finish)


@pytest.mark.parametrize("name", CASES)
def test_any_cut_gives_the_same(reader: Provider, name: str) -> None:
    check_any_cut(reader, EVENT_STREAM, stream_of(CASES[name]))


@pytest.mark.parametrize("name", WHOLE)
def test_recorded_document(reader: Provider, name: str) -> None:
    chunks = check_any_cut(reader, JSON, whole_of(WHOLE[name]))
    assert summary(chunks) == expected(WHOLE[name])


@pytest.mark.parametrize("name", WHOLE)
def test_a_laid_out_document_is_read_like_a_compact_one(reader: Provider, name: str) -> None:
    body = json.dumps(WHOLE[name]["whole"], indent=2).encode()
    assert summary(decode(reader, JSON, [body])) == expected(WHOLE[name])


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("kind", ["text/event-stream", "text/plain", "application/json", None])
def test_what_comes_decides_and_not_what_it_says_to_be(provider: Provider, name: str, kind: str | None) -> None:
    head = ResponseHead(200, {"content-type": kind} if kind else {})
    assert summary(decode(provider, head, [whole_of(WHOLE[name])])) == expected(WHOLE[name])
    assert summary(decode(provider, head, [stream_of(WHOLE[name])])) == expected(WHOLE[name])


@pytest.mark.parametrize("name", CASES)
def test_a_stream_that_ends_early_is_never_a_success(reader: Provider, name: str) -> None:
    body = stream_of(CASES[name])
    finish = re.search(rb'data: [^\n]*"finish_reason":"[^\n]*', body)
    assert finish is not None
    check_early_end(reader, EVENT_STREAM, body, finish.end())


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_that_ends_early_is_never_a_success(reader: Provider, name: str) -> None:
    body = whole_of(WHOLE[name])
    for place in range(len(body)):
        chunks = decode(reader, JSON, [body[:place]])
        assert isinstance(chunks[-1], Fault)
        check_shape(chunks)


def test_decoders_share_nothing(provider: Provider) -> None:
    bodies = [stream_of(case) for case in CASES.values()]
    for one, other in zip(bodies, bodies[1:] + bodies[:1], strict=True):
        check_interleaved(provider, EVENT_STREAM, one, other)


@pytest.mark.parametrize(("name", "place"), ERRORS)
def test_recorded_error(provider: Provider, name: str, place: int) -> None:
    case = CASES[name]["errors"][place]
    error = provider.decode_error(ResponseHead(case["status"], {"x-request-id": "r1"}), case["body"].encode())
    check_error(error, case)
    assert error.status == case["status"]


@pytest.mark.parametrize(("name", "place"), ERRORS)
def test_recorded_error_inside_a_stream(reader: Provider, name: str, place: int) -> None:
    case = CASES[name]["errors"][place]
    if not case["body"].startswith("{") or not case.get("inside", True):
        return
    for body in (f"data: {case['body']}\n\ndata: [DONE]\n\n", f"error: {case['body']}\n\n", f"{case['body']}\n"):
        chunks = check_any_cut(reader, ResponseHead(200, {**EVENT_STREAM.headers, "x-request-id": "r1"}), body.encode())
        assert isinstance(chunks[-1], Fault)
        error = chunks[-1].error
        assert error.status is None
        assert error.request_id == "r1"
        if case["class"] == "ContextOverflow":
            check_error(error, case)


def check_error(error: errors.ProviderError, case: dict[str, Any]) -> None:
    assert type(error) is getattr(errors, case["class"]), error
    assert error.request_id == "r1"
    assert error.body.strip() == case["body"]
    assert "\n" not in str(error)
    if isinstance(error, errors.ContextOverflow):
        assert (error.limit, error.used) == (case.get("limit"), case.get("used"))


KINDS = st.sampled_from(["text/event-stream", "application/json", "application/x-ndjson", "text/html", "", "a/b;c"])
SCRAPS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"data: ",
            b"\n\n",
            b"\r\n",
            b'{"choices":[{"delta":',
            b'{"content":"x"}}]}',
            b'"finish_reason":"stop"',
            b'data: {"choices":[{"delta":{"content":"<think><|channel|>analysis<|message|>"}}]}\n\n',
            b'data: {"choices":[{"delta":{"content":"assistantfinal<|end|"}}]}\n\n',
            b"[DONE]",
            b"error: x\n",
            b'{"error":{"message":"m"}}',
            b"event: error\n",
            b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{"a":NaN}}}]}}]}\n\n',
            b'{"usage":{"prompt_tokens":NaN}}\n\n',
            b'{"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
            b"[" * 300,
            b'{"a":' * 300,
        ]
    ),
)


@pytest.mark.parametrize("name", ["openai", "gpt-oss", "parallax", "pixigpt"])
@given(st.lists(SCRAPS, max_size=12), KINDS, st.data())
@settings(max_examples=300, deadline=None)
def test_garbage_never_raises(name: str, scraps: list[bytes], kind: str, data: st.DataObject) -> None:
    provider = get_provider(name, api_key=KEY)
    head = ResponseHead(200, {"content-type": kind})
    body = b"".join(scraps)
    place = data.draw(st.integers(0, len(body)))
    whole = decode(provider, head, [body], 1024)
    assert list(map(repr, decode(provider, head, [body[:place], body[place:]], 1024))) == list(map(repr, whole))
    check_shape(whole)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "id",
        "model",
        "usage",
        "choices",
        "error",
        "object",
        "index",
        "delta",
        "message",
        "content",
        "reasoning",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "finish_reason",
        "prompt_tokens",
        "completion_tokens",
        "completion_tokens_details",
        "function_call",
        "refusal",
        "type",
        "text",
    ]
)
WIRE = st.recursive(
    JSON_VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=6),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(FIELDS, WIRE, max_size=5), min_size=1, max_size=4))
@settings(max_examples=400, deadline=None)
def test_any_json_never_raises(values: list[dict[str, Any]]) -> None:
    provider = get_provider("gpt-oss", api_key=KEY)
    body = "".join(f"data: {json.dumps(value)}\n\n" for value in values).encode()
    check_shape(decode(provider, EVENT_STREAM, [body]))
    check_shape(decode(provider, JSON, [json.dumps(values[0]).encode()]))
    provider.decode_error(ResponseHead(400, {}), json.dumps(values[0]).encode())


@given(
    st.integers(100, 700),
    st.dictionaries(st.sampled_from(["retry-after", "date", "x-request-id"]), st.text()),
    st.binary(),
)
@settings(deadline=None)
def test_any_refusal_is_an_error(status: int, headers: dict[str, str], body: bytes) -> None:
    error = get_provider("openai").decode_error(ResponseHead(status, headers), body)
    assert isinstance(error, errors.ProviderError)
    assert str(error).encode()
    assert "\n" not in str(error)
