"""Refusals: which class, which words, how long to wait, and nothing that should stay secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit import errors
from agentkit.provider import ResponseHead
from agentkit.providers._errors import ErrorReader, plain, retry_after
from agentkit.providers.openai_chat import OpenAIChat

KEY = "sk-secret/0123456789"
PROVIDER = OpenAIChat(
    base_url="http://host", api_key=KEY, headers={"X-Api-Key": "other-secret", "Authorization": "Bearer third-secret"}
)


def refused(status: int, body: Any = b"", **headers: str) -> errors.ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return PROVIDER.decode_error(
        ResponseHead(status, {name.replace("_", "-"): text for name, text in headers.items()}), raw
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.AuthError),
        (402, errors.QuotaExceeded),
        (403, errors.AuthError),
        (404, errors.BadRequest),
        (408, errors.ServerError),
        (409, errors.BadRequest),
        (413, errors.BadRequest),
        (422, errors.BadRequest),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (503, errors.ServerError),
        (529, errors.ServerError),
        (307, errors.ProtocolError),
    ],
)
def test_class_by_status(status: int, kind: type[Exception]) -> None:
    for body in (b"", {"error": {"message": "m"}}, b"<html><title>t</title></html>", b"plain"):
        error = refused(status, body)
        assert type(error) is kind
        assert error.status == status
        assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "the words", "type": "t", "code": "c"}}, "the words"),
        ({"error": "the words"}, "the words"),
        ({"error": "Title", "message": "the words"}, "Title: the words"),
        ({"error": "the words", "message": "words"}, "the words"),
        ({"error": "words", "message": "the words"}, "the words"),
        ({"object": "error", "message": "the words", "code": 400}, "the words"),
        ({"detail": "the words"}, "the words"),
        (
            {"detail": [{"loc": ["body", "messages", 0, ["x"]], "msg": "missing"}, "more", {"msg": "bare"}, {}]},
            "body.messages.0: missing; more; bare",
        ),
        ({"message": "the words"}, "the words"),
        ({"error": {"detail": "the words"}}, "the words"),
        ({"error": {"message": {"a": 1}}}, '{"error": {"message": {"a": 1}}}'),
        ([{"error": {"message": "the words"}}], "the words"),
        ("the words", "the words"),
        (b"the\n\n  words", "the words"),
        (b'\xef\xbb\xbf{"detail": "the words"}', "the words"),
        (
            b"<!DOCTYPE html><html><head><title>502 Bad\nGateway</title></head><body>nginx</body></html>",
            "502 Bad Gateway",
        ),
        (b"<html><body><h1>It &amp; broke</h1></body></html>", "It & broke"),
        (b"", "no reason given"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"a\x1b[31mred\x00", "a [31mred"),
        (b"[" * 100_000, "[[["),
    ],
)
def test_the_backends_own_words_in_one_line(body: Any, words: str) -> None:
    error = refused(418, body)
    assert f"(HTTP 418): {words}" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 600
    assert len(error.body) <= 2000


def test_fields() -> None:
    error = refused(400, {"error": {"message": "m", "type": "t", "code": 7}}, x_request_id="r")
    assert (error.type, error.code, error.request_id, error.status) == ("t", "7", "r", 400)
    assert refused(400, {"error": {"message": "m"}, "code": "outer", "type": "also"}).code == "outer"
    assert refused(400, {"error": {"code": True}}).code is None
    assert refused(400, b"", request_id="a").request_id == "a"
    assert refused(400, b"", x_correlation_id="b").request_id == "b"
    assert refused(400).request_id is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"code": "insufficient_quota", "message": "m"}}, errors.QuotaExceeded),
        ({"error": {"type": "insufficient_quota"}}, errors.QuotaExceeded),
        (
            {"error": {"message": "You exceeded your current quota, please check your plan and billing details."}},
            errors.QuotaExceeded,
        ),
        ({"error": {"message": "Billing hard limit reached"}}, errors.QuotaExceeded),
        (
            {"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached; see account/billing"}},
            errors.RateLimited,
        ),
        ({"error": {"message": "Quota exceeded for requests per minute"}}, errors.RateLimited),
        ({"error": {"message": "slow down"}}, errors.RateLimited),
    ],
)
def test_a_quota_is_no_rate(body: Any, kind: type[Exception]) -> None:
    assert type(refused(429, body)) is kind


@pytest.mark.parametrize(
    ("words", "limit", "used"),
    [
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            8192,
            9001,
        ),
        ("maximum context length is 8192 tokens, however you requested 9002 tokens", 8192, 9002),
        (
            "maximum context length is 8192 tokens, you requested 9002 tokens (8000 in the messages and 1002 more)",
            8192,
            8000,
        ),
        (
            "maximum context length of 99 tokens. You requested a total of 120 tokens: 100 tokens from the input",
            99,
            100,
        ),
        ("This endpoint's maximum context length is 99 tokens. You requested about 120 (100 of text input)", 99, 100),
        ("The decoder prompt (length 5000) is longer than the maximum model length of 4096.", 4096, 5000),
        ("You passed 51 input tokens and requested 10 output tokens. The model's context length is only 40", 40, 51),
        ("Input tokens exceed the configured limit of 90 tokens. Your messages resulted in 91 tokens.", 90, 91),
        ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 20", 4096, 5000),
        ("`inputs` must have less than 4095 tokens. Given: 5000", None, 5000),
        ("Please reduce the length of the messages or completion.", None, None),
        ("Prompt contains 40 tokens, too large for model with 32 maximum context length", 32, 40),
        ("prompt is too long: 201 tokens > 200 maximum", 200, 201),
        ("The input token count (12) exceeds the maximum number of tokens allowed (10).", 10, 12),
        ("prompt too long; exceeded max context length by 20 tokens", None, None),
        ("This model's maximum prompt length is 131 but the request contains 140 tokens.", 131, 140),
        ("total number of tokens in the prompt cannot exceed 4081 - received 5000.", 4081, 5000),
        ("Request body too large for gpt-4o model. Max size: 8000 tokens.", 8000, None),
        ("prompt exceeds the context window", None, None),
        ("max_tokens (9) is too large", None, None),
    ],
)
def test_overflow_by_its_words(words: str, limit: int | None, used: int | None) -> None:
    for status in (400, 413, 500):
        error = refused(status, {"error": {"message": words}})
        assert isinstance(error, errors.ContextOverflow)
        assert (error.limit, error.used) == (limit, used)


def test_overflow_by_its_code() -> None:
    error = refused(
        400, {"error": {"message": "no", "code": "context_length_exceeded", "n_ctx": True, "n_prompt_tokens": -1}}
    )
    assert isinstance(error, errors.ContextOverflow)
    assert (error.limit, error.used) == (None, None)


@pytest.mark.parametrize("status", [401, 403, 429])
def test_what_is_about_the_caller_is_no_overflow(status: int) -> None:
    assert not isinstance(refused(status, b"maximum context length"), errors.ContextOverflow)


DATE = "Fri, 20 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after-ms": "350"}, 0.35),
        ({"retry-after-ms": "350", "retry-after": "9"}, 0.35),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:03 GMT", "date": DATE}, 3.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:03 -0000", "date": DATE}, 3.0),
        ({"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:03 GMT"}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "Fri, 99 Nov 99999 10:00:03 GMT", "date": DATE}, None),
        *(({"retry-after": text}, None) for text in ("-1", "nan", "inf", "1e3", "1_0", "٣", "", "9" * 400)),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    assert PROVIDER.decode_error(ResponseHead(429, headers), b"").retry_after == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"error": {"retry_after": 3}}, 3.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": True}, None),
        ({"retry_after": -1}, None),
        ({"retry_after": 10**400}, None),
        ({"retry_after": [1]}, None),
    ],
)
def test_how_long_to_wait_in_the_body(body: Any, seconds: float | None) -> None:
    assert refused(429, body).retry_after == seconds
    assert refused(429, body, retry_after="7").retry_after == 7.0


def test_no_secret_in_any_error() -> None:
    for secret in (KEY, "other-secret", "third-secret"):
        for body in (
            {"error": {"message": f"Incorrect key {secret}", "code": secret, "type": secret}},
            {"detail": [{"loc": [secret], "msg": secret}]},
            json.dumps({"error": secret}).replace("/", "\\/").encode(),
            f"<title>{secret}</title>".encode(),
            b"x" * (2000 - len(secret) // 2) + secret.encode(),
        ):
            error = refused(401, body, x_request_id=secret)
            shown = f"{error} {error.code} {error.type} {error.request_id} {error.body}"
            assert secret not in shown
            assert secret[: len(secret) // 2] not in shown or b"\\/" in (body if isinstance(body, bytes) else b"")


@pytest.mark.parametrize("key", ["key", "API", "HTTP", "a", "openai", "no", "401"])
def test_a_short_key_leaves_our_own_words_alone(key: str) -> None:
    provider = OpenAIChat(base_url="http://host", api_key=key)
    head = ResponseHead(401, {"content-type": f"text/{key}"})
    error = provider.decode_error(head, json.dumps({"error": {"message": f"bad '{key}', x{key}x"}}).encode())
    words = "openai refuses the API key, or the key lacks a permission (HTTP 401)"
    assert str(error) == f"{words}: bad '***', x{key}x"
    assert error.body == f'{{"error": {{"message": "bad \'***\', x{key}x"}}}}'
    reader = ErrorReader(source="openai", secrets=(key,))
    odd = reader.protocol(head, "the answer holds no API key", f"it was {key}.")
    assert str(odd) == "openai: the answer holds no API key (HTTP 401, text/***): it was ***."


@pytest.mark.parametrize("password", ["tops3cret", "p@ss", ":a:", "x"])
def test_a_password_in_the_address_is_not_shown(password: str) -> None:
    provider = OpenAIChat(base_url=f"http://ann:{password}@host:8000/v1")
    assert provider.base_url == f"http://ann:{password}@host:8000/v1"
    assert "base_url='http://ann:***@host:8000/v1'" in repr(provider)
    error = provider.decode_error(ResponseHead(401, {}), f"not '{password}'".encode())
    assert str(error).endswith("not '***'")
    refused = provider.decode_error(
        ResponseHead(400, {}), b'{"error": {"message": "Unrecognized request argument: seed"}}'
    )
    adapted = provider.adapted("m", refused)
    assert adapted is not None
    assert adapted[1].startswith("http://ann:***@host:8000/v1 refused")
    with pytest.raises(errors.InvalidInput, match=r"not 'ann:\*\*\*@host'"):
        OpenAIChat(base_url=f"ann:{password}@host")


@pytest.mark.parametrize("url", ["http://host:8000/v1", "http://host/a:b@c", "http://ann@host/v1"])
def test_an_address_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert f"base_url={url!r}" in repr(OpenAIChat(base_url=url))


def test_a_reader_without_secrets_hides_nothing() -> None:
    error = ErrorReader(source="x").protocol(ResponseHead(200, {"retry-after": "2"}), "the answer is odd", "why")
    assert str(error) == "x: the answer is odd (HTTP 200, no content type): why"
    assert (error.status, error.body, error.retry_after) == (200, "why", 2.0)


def test_markup_costs_no_more_than_its_length() -> None:
    assert plain("<html>" + "<title" * 100_000)
    assert plain("<html>" + "<" * 1_000_000)
