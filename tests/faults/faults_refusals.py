"""Refusals: answers with an error status, redirects, waits that are asked for, and servers "
"that send the key back."""

from __future__ import annotations

from typing import Any

from fault_run import HASTY, Fault, fails, gives, row
from fault_server import KEY, Play, close, forever, stay
from fault_wire import (
    DOCUMENT,
    FIRST,
    HALF,
    STREAM,
    begun,
    chunk,
    chunked,
    error,
    event,
    head,
    refusal,
    sized,
)

from agentkit import (
    AuthError,
    BadRequest,
    ConnectionLost,
    ContextOverflow,
    ProtocolError,
    QuotaExceeded,
    RateLimited,
    RetryPolicy,
    ServerError,
    Timeouts,
)

GOOD, GOOD_DOCUMENT = chunked(STREAM), sized(DOCUMENT)
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"
SLOW = error("slow down", type="rate_limit_error")


def recovers(name: str, play: Play, *, wait: float = 0.0, **settings: Any) -> Fault:
    """The first request is refused, the next one is answered, after a wait and not much later."""
    expect = gives(requests=2, lasts=(wait, wait + 2))
    return row(name, [play, GOOD], expect, plain=[play, GOOD_DOCUMENT], **settings)


def limited(*lines: bytes, body: object = SLOW) -> Play:
    return refusal(b"429 Too Many Requests", body, *lines)


BRIEF = RetryPolicy(max_attempts=3, base_delay=0.01, max_retry_after=0.2)

WAITS: tuple[Fault, ...] = (
    recovers("429 with Retry-After in seconds", limited(b"retry-after: 0.1"), wait=0.1),
    recovers("429 with Retry-After in milliseconds", limited(b"retry-after-ms: 100"), wait=0.1),
    recovers(
        "429 with a date",
        limited(b"date: Wed, 21 Oct 2026 07:28:00 GMT", b"retry-after: Wed, 21 Oct 2026 07:28:01 GMT"),
        wait=1.0,
    ),
    recovers(
        "429 with a date in the past",
        limited(b"date: Wed, 21 Oct 2026 07:28:00 GMT", b"retry-after: Wed, 21 Oct 2015 07:28:00 GMT"),
    ),
    recovers("429 with a garbled wait", limited(b"retry-after: soon")),
    recovers("429 with a garbled date", limited(b"date: x", b"retry-after: Wed, 99 Zzz 99999 99:99:99 +9999")),
    recovers("429 with a negative wait", limited(b"retry-after: -5")),
    recovers("429 with a wait of NaN", limited(b"retry-after: NaN")),
    recovers("429 with an empty wait", limited(b"retry-after:")),
    recovers(
        "429 with a wait in its body", limited(body={"error": {"message": "slow down", "retry_after": 0.1}}), wait=0.1
    ),
    recovers("429 with waits that contradict", limited(b"retry-after: 0.1", b"retry-after: 0.2")),
    row("429 with a wait of a day", limited(b"retry-after: 86400"), fails(RateLimited)),
    row(
        "429 with a date of next year",
        limited(b"date: Wed, 21 Oct 2026 07:28:00 GMT", b"retry-after: Thu, 21 Oct 2027 07:28:00 GMT"),
        fails(RateLimited),
    ),
    row("429 with a wait of 1e999", limited(b"retry-after: " + b"9" * 15), fails(RateLimited)),
    row("429 with a wait just above the limit", limited(b"retry-after: 0.3"), fails(RateLimited), retry=BRIEF),
    row("429 always", limited(), fails(RateLimited, requests=3)),
    row(
        "429 of a quota",
        limited(body=error("You exceeded your current quota", type="insufficient_quota")),
        fails(QuotaExceeded),
    ),
    recovers("503 once", refusal(b"503 Service Unavailable", error("loading"))),
    recovers("503 with a wait", refusal(b"503 Service Unavailable", error("loading"), b"retry-after: 0.1"), wait=0.1),
    row("503 always", refusal(b"503 Service Unavailable", error("loading")), fails(ServerError, requests=3)),
    row("503 without a body", refusal(b"503 Service Unavailable", b""), fails(ServerError, requests=3)),
    row("502 with HTML", refusal(b"502 Bad Gateway", HTML, kind=b"text/html"), fails(ServerError, requests=3)),
    row("504", refusal(b"504 Gateway Timeout", b"stream timeout", kind=b"text/plain"), fails(ServerError, requests=3)),
    row("500 once", [refusal(b"500 Internal Server Error", error("oops")), GOOD], fails(ServerError)),
    recovers(
        "500 once, and the policy repeats it",
        refusal(b"500 Internal Server Error", error("oops")),
        retry=RetryPolicy(max_attempts=3, base_delay=0.01, statuses=frozenset({500})),
    ),
    row("500 without a body", refusal(b"500 Internal Server Error", b""), fails(ServerError)),
    row("529", refusal(b"529 Overloaded", error("busy", type="overloaded_error")), fails(ServerError)),
    row(
        "503, then a close at the second try",
        [refusal(b"503 Service Unavailable", b""), (close,)],
        fails(ConnectionLost, requests=3),  # the kept connection turned out dead: one re-send at once
    ),
    recovers(
        "408 once, and the policy repeats it",
        refusal(b"408 Request Timeout", b""),
        retry=RetryPolicy(max_attempts=2, base_delay=0.01, statuses=frozenset({408})),
    ),
)

STATUSES: tuple[tuple[bytes, object, type[Any]], ...] = (
    (b"400 Bad Request", error("no such field", type="invalid_request_error"), BadRequest),
    (b"400 Bad Request", b"", BadRequest),
    (b"401 Unauthorized", b'{"error":"Unauthorized"}', AuthError),
    (b"402 Payment Required", error("pay"), QuotaExceeded),
    (b"403 Forbidden", {"message": "not yours"}, AuthError),
    (b"404 Not Found", b"<html><title>404 Not Found</title></html>", BadRequest),
    (b"405 Method Not Allowed", {"detail": "Method Not Allowed"}, BadRequest),
    (b"408 Request Timeout", b"", ServerError),
    (b"409 Conflict", {"object": "error", "message": "conflict", "code": 409}, BadRequest),
    (b"413 Content Too Large", b"too large", BadRequest),
    (b"418 I'm a teapot", b"short and stout", BadRequest),
    (
        b"422 Unprocessable Entity",
        {"detail": [{"loc": ["body", "messages", 0], "msg": "field required", "type": "missing"}]},
        BadRequest,
    ),
    (b"451 ", b"", BadRequest),
    (b"501 Not Implemented", b"", ServerError),
    (b"599 Odd", b"", ServerError),
    (b"999 Very Odd", b"", ServerError),
)

OVERFLOWS: tuple[tuple[str, bytes, object], ...] = (
    (
        "OpenAI",
        b"400 Bad Request",
        error(
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            type="invalid_request_error",
            code="context_length_exceeded",
        ),
    ),
    (
        "vLLM 0.10",
        b"400 Bad Request",
        error(
            "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens.",
            type="BadRequestError",
            code=400,
        ),
    ),
    (
        "vLLM 0.33",
        b"400 Bad Request",
        error(
            "This model's maximum context length is 4096 tokens. However, you requested 100 output "
            "tokens and your prompt contains at least 4000 input tokens (parameter=input_tokens, "
            "value=4000)",
            type="BadRequestError",
            code=400,
        ),
    ),
    (
        "vLLM, flat",
        b"400 Bad Request",
        {
            "object": "error",
            "message": "Input length (9000) exceeds model's maximum context length (4096).",
            "type": "BadRequestError",
            "code": 400,
        },
    ),
    (
        "vLLM, max_tokens",
        b"400 Bad Request",
        error(
            "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context "
            "length is 4096 tokens",
            code=400,
        ),
    ),
    (
        "llama.cpp",
        b"400 Bad Request",
        error(
            "the request exceeds the available context size",
            type="exceed_context_size_error",
            code=400,
            n_prompt_tokens=9000,
            n_ctx=4096,
        ),
    ),
    (
        "llama.cpp, 500",
        b"500 Internal Server Error",
        error("Context size has been exceeded.", type="server_error", code=500),
    ),
    (
        "LM Studio",
        b"400 Bad Request",
        {
            "error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is "
            "loaded with context length of only 4096 tokens"
        },
    ),
    (
        "SGLang",
        b"400 Bad Request",
        {
            "object": "error",
            "message": "Requested token count exceeds the model's maximum context length of 4096 tokens. You "
            "requested a total of 9000 tokens",
            "code": 400,
        },
    ),
    (
        "SGLang, input",
        b"400 Bad Request",
        {"message": "The input (9000 tokens) is longer than the model's context length (4096 tokens)."},
    ),
    ("413", b"413 Content Too Large", error("prompt is longer than the context", code=413)),
)

REFUSALS: tuple[Fault, ...] = (
    *(
        row(
            f"{status.decode().strip()}: {str(body)[:24]}",
            refusal(status, body),
            fails(kind),
        )
        for status, body, kind in STATUSES
    ),
    *(row(f"overflow of {who}", refusal(status, body), fails(ContextOverflow)) for who, status, body in OVERFLOWS),
    row(
        "a refusal whose body never ends",
        (head(b"400 Bad Request", b"transfer-encoding: chunked"), forever(chunk(b"no " * 5000))),
        fails(BadRequest),
    ),
    row(
        "a refusal whose body stalls",
        (head(b"400 Bad Request", b"content-length: 500") + b'{"error":', stay),
        fails(BadRequest),
        timeouts=HASTY,
    ),
    row(
        "a refusal whose body drips",
        (head(b"400 Bad Request", b"transfer-encoding: chunked"), forever(chunk(b"no "), pause=0.05)),
        fails(BadRequest),
        timeouts=Timeouts(connect=1, first_byte=1, idle=0.4, total=None),
    ),
    row(
        "a refusal whose body is cut",
        (head(b"401 Unauthorized", b"content-length: 500") + b'{"error":', close),
        fails(AuthError),
    ),
    row(
        "a refusal with broken gzip",
        refusal(b"400 Bad Request", b"no gzip", b"content-encoding: gzip"),
        fails(BadRequest),
    ),
    row(
        "a refusal in brotli",
        refusal(b"400 Bad Request", b"no brotli", b"content-encoding: br"),
        fails(BadRequest, ProtocolError),
    ),
    row("a refusal that is nested 100,000 times", refusal(b"400 Bad Request", b"[" * 100_000), fails(BadRequest)),
    row(
        "a refusal nested just below the limit",
        refusal(b"400 Bad Request", b'{"detail":' + b'[{"msg":' * 320 + b'"x"' + b"}]" * 320 + b"}"),
        fails(BadRequest),
    ),
    row(
        "a refusal in many lines",
        refusal(b"400 Bad Request", error("first\nsecond\r\nthird\u2028fourth\x85\x1b[31mred")),
        fails(BadRequest),
    ),
    row("a refusal of bytes at random", refusal(b"400 Bad Request", bytes(range(256)) * 8), fails(BadRequest)),
    row(
        "a refusal with half a surrogate",
        refusal(b"400 Bad Request", b'{"error":{"message":"a\\ud83e","code":"\\udd8a"}}'),
        fails(BadRequest),
    ),
    row(
        "a refusal as an event stream",
        refusal(b"500 Internal Server Error", event(error("dead")), kind=b"text/event-stream"),
        fails(ServerError),
    ),
    row(
        "a refusal with a stream in it",
        (
            *[head(b"400 Bad Request", b"content-type: text/event-stream", b"transfer-encoding: chunked")],
            chunk(STREAM),
            b"0\r\n\r\n",
        ),
        fails(BadRequest),
    ),
)


def redirect(status: bytes, where: bytes) -> Play:
    return refusal(status, b"", b"location: " + where)


REDIRECTS: tuple[Fault, ...] = (
    row(
        "307 to another origin",
        redirect(b"307 Temporary Redirect", b"http://@ELSEWHERE@/v1/chat/completions"),
        fails(ProtocolError),
    ),
    row(
        "308 to another origin",
        redirect(b"308 Permanent Redirect", b"http://@ELSEWHERE@/v1/chat/completions"),
        fails(ProtocolError),
    ),
    row("302 to another origin", redirect(b"302 Found", b"//@ELSEWHERE@/login"), fails(ProtocolError)),
    row(
        "307 to itself", redirect(b"307 Temporary Redirect", b"http://@HERE@/v1/chat/completions"), fails(ProtocolError)
    ),
    row("301 to a file", redirect(b"301 Moved Permanently", b"file:///etc/passwd"), fails(ProtocolError)),
    row("307 without a place", refusal(b"307 Temporary Redirect", b""), fails(ProtocolError)),
    row("300 to several places", refusal(b"300 Multiple Choices", b"[]"), fails(ProtocolError)),
    row("304", (head(b"304 Not Modified"),), fails(ProtocolError)),
)

BEARER, SECRET = b"Bearer " + KEY, KEY.decode()
ECHOES: tuple[Fault, ...] = (
    row(
        "the key in a refusal",
        refusal(b"401 Unauthorized", error(f"Incorrect API key provided: {SECRET}", code=SECRET, type=SECRET)),
        fails(AuthError),
    ),
    row(
        "the key in HTML",
        refusal(b"403 Forbidden", b"<html><title>" + BEARER + b"</title><pre>" + BEARER + b"</pre>"),
        fails(AuthError),
    ),
    row(
        "the key in the ids of a refusal",
        refusal(b"400 Bad Request", error("no"), b"x-request-id: " + KEY),
        fails(BadRequest),
    ),
    row(
        "the key in the request id",
        sized(STREAM, b"x-request-id: " + KEY, kind=b"text/event-stream"),
        gives(),
        plain=sized(DOCUMENT, b"x-request-id: " + KEY),
    ),
    row(
        "the key in an error event",
        chunked(FIRST + event(error(f"who is {SECRET}?", code=SECRET))),
        fails(ServerError, partial=HALF),
    ),
    row(
        "the key in a broken event",
        chunked(FIRST + b"data: {Authorization: " + BEARER + b"\n\n"),
        fails(ProtocolError, partial=HALF),
    ),
    row(
        "the key in a body that is no completion",
        sized(b"POST /v1 HTTP/1.1 Authorization: " + BEARER, kind=b"text/plain"),
        fails(ProtocolError),
    ),
    row("the key in the content type", sized(b"<html>", kind=b"text/html; key=" + KEY), fails(ProtocolError)),
    row("the key in the content encoding", sized(b"x", b"content-encoding: " + KEY), fails(ProtocolError)),
    row(
        "the key in the status line", (b"HTTP/1.1 400 " + BEARER + b"\r\ncontent-length: 0\r\n\r\n",), fails(BadRequest)
    ),
    row(
        "the key in a broken head",
        (b"HTTP/1.1 200 OK\r\nAuthorization " + BEARER + b"\r\n\r\n", close),
        fails(ProtocolError),
    ),
    row("the key in a broken chunk size", (*begun(FIRST), BEARER + b"\r\n", close), fails(ProtocolError, partial=HALF)),
    row(
        "the key in a redirect",
        redirect(b"307 Temporary Redirect", b"http://@ELSEWHERE@/?key=" + KEY),
        fails(ProtocolError),
    ),
    row(
        "the key beside the finish reason",
        chunked(FIRST, event({"choices": [{"delta": {}, "finish_reason": "error", "key": SECRET}]})),
        fails(ServerError, partial=HALF),
    ),
)
