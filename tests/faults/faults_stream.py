"""Faults inside the answer: how an event stream is written, what its values hold, and how it ends."""

from __future__ import annotations

from typing import Any

from fault_run import Expect, Fault, fails, gives, row
from fault_server import close, drip
from fault_wire import (
    CHUNKED,
    COUNTS,
    DOCUMENT,
    DONE,
    END,
    FINISH,
    FIRST,
    HALF,
    JSON,
    REST,
    ROLE,
    SAID,
    SSE,
    STREAM,
    TEXT,
    WORDS,
    begun,
    called,
    choice,
    chunk,
    chunked,
    completion,
    counted,
    dumps,
    error,
    event,
    finish,
    message,
    said,
    sized,
    until_closed,
)

from agentkit import (
    AuthError,
    BadRequest,
    ConnectionLost,
    ContextOverflow,
    Outcome,
    ProtocolError,
    RateLimited,
    ServerError,
)

BROKEN_HALF = fails(ProtocolError, partial=HALF)
EMPTY = fails(ProtocolError)


def both(name: str, stream: bytes, document: object, expect: Expect, plain_expect: Expect | None = None) -> Fault:
    """The same fault in a stream and in a whole document."""
    body = document if isinstance(document, bytes) else dumps(document)
    return row(name, chunked(stream), expect, plain=sized(body), plain_expect=plain_expect or expect)


def framed(name: str, stream: bytes, expect: Expect | None = None) -> Fault:
    """A peculiar event stream, whichever was asked for."""
    return row(name, chunked(stream), expect or gives())


ENDS: tuple[Fault, ...] = (
    framed("no [DONE] after the finish reason", SAID + FINISH),
    framed("neither finish reason nor [DONE]", SAID, fails(ProtocolError, partial=TEXT)),
    framed("[DONE] without a finish reason", SAID + DONE, fails(ProtocolError, partial=TEXT)),
    framed("[DONE] at once", DONE, EMPTY),
    framed("an empty chunk, then the end", ROLE, EMPTY),
    framed("text after [DONE]", STREAM + said("and more") + b"data: rubbish\n\n"),
    framed("[DONE] twice", STREAM + DONE),
    framed("the last event has no blank line", (SAID + FINISH)[:-2]),
    framed("the end comes inside a line", FIRST + said(WORDS[2])[:-9], BROKEN_HALF),
    framed("the end comes inside a line, after the finish reason", SAID + FINISH + b'data: {"choices": [], "usa'),
    framed(
        "text in the chunk of the finish reason",
        FIRST + event(choice({"content": "x"}, finish_reason="stop")),
        gives(HALF + "x"),
    ),
    both("a finish reason nobody knows", SAID + finish("tired") + DONE, completion(reason="tired"), gives()),
    both("a finish reason that is no text", SAID + finish({"a": 1}) + DONE, completion(reason=7), gives()),
    both(
        "the reply is cut at its length",
        SAID + finish("length") + DONE,
        completion(reason="length"),
        gives(outcome=Outcome.TRUNCATED),
    ),
    both(
        "the reply is cut by a filter",
        SAID + finish("content_filter") + DONE,
        completion(reason="content_filter"),
        gives(outcome=Outcome.FILTERED),
    ),
    both(
        "the finish reason is an error",
        SAID + finish("error") + DONE,
        completion(reason="error"),
        fails(ServerError, partial=TEXT),
    ),
)

FORMS: tuple[Fault, ...] = (
    row("an empty body", sized(b"", kind=SSE), EMPTY, plain=sized(b"")),
    row("204 without a body", sized(b"", status=b"204 No Content"), EMPTY),
    row("an empty event stream", chunked(b": hello\n\n", b"\n\n"), EMPTY),
    row("blanks only", sized(b" \r\n\t\n  ", kind=JSON), EMPTY),
    row("HTML with status 200", sized(b"<!DOCTYPE html><html><title>Log in</title></html>", kind=b"text/html"), EMPTY),
    row("HTML that says it is a stream", sized(b"<html><body>Gateway</body></html>", kind=SSE), EMPTY),
    row("plain words with status 200", sized(b"upstream is busy, try later", kind=b"text/plain"), EMPTY),
    row("bytes at random with status 200", sized(bytes(range(256)) * 8, kind=b"application/octet-stream"), EMPTY),
    row("a document where a stream was asked for", sized(DOCUMENT), gives()),
    row("a document that says it is a stream", sized(DOCUMENT, kind=SSE), gives()),
    row("a stream where a document was asked for", chunked(STREAM), gives()),
    row("a stream that says it is a document", chunked(STREAM, kind=JSON), gives()),
    row("a stream that says it is text", chunked(STREAM, kind=b"text/plain"), gives()),
    row("no content type", (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", chunk(STREAM), END), gives()),
    row(
        "lines of JSON",
        chunked(STREAM.replace(b"data: ", b"").replace(b"\n\n", b"\n"), kind=b"application/x-ndjson"),
        gives(),
    ),
    row("an error object with status 200", sized(dumps(error("no room", type="server_error"))), fails(ServerError)),
    row("an error text with status 200", sized(b'{"error": "no room"}'), fails(ServerError)),
    row("a detail with status 200", sized(b'{"detail": "no such model"}'), fails(ServerError)),
    row("a document without choices", sized(b'{"id": "c1", "object": "chat.completion"}'), EMPTY),
    row("a document that is a list", sized(b"[1, 2, 3]"), EMPTY),
    row("a document that is null", sized(b"null"), EMPTY),
    row("a document that is a text", sized(b'"hello"'), EMPTY),
    row("a document cut in the middle", sized(DOCUMENT[:120]), EMPTY),
    row("two documents in one", sized(DOCUMENT + DOCUMENT), EMPTY),
)

LINES: tuple[Fault, ...] = (
    framed("byte order mark", b"\xef\xbb\xbf" + STREAM),
    framed("lines end in CR", STREAM.replace(b"\n", b"\r")),
    framed("lines end in CRLF", STREAM.replace(b"\n", b"\r\n")),
    row(
        "CRLF cut in two packets",
        (CHUNKED % SSE, *[chunk(part) for line in STREAM.split(b"\n")[:-1] for part in (line + b"\r", b"\n")], END),
        gives(),
    ),
    framed("no blank after the colon", STREAM.replace(b"data: ", b"data:")),
    framed("several lines of data in an event", STREAM.replace(b'"choices": ', b'"choices":\ndata: ')),
    framed("named events", STREAM.replace(b"data: ", b"event: message\ndata: ")),
    framed("ids and retry fields", STREAM.replace(b"data: ", b"id: 5\nretry: 10\ndata: ")),
    framed("comments between and inside events", STREAM.replace(b"data: ", b": ping\n\n:\ndata: ")),
    framed("fields nobody knows", STREAM.replace(b"data: ", b"mood: fine\ndata: ")),
    framed("an event without data", b"event: ping\n\n" + STREAM),
    framed("empty data", STREAM.replace(b"data: ", b"data:\n\ndata: ")),
    framed("a line without data: is JSON", STREAM.replace(b"data: ", b"")),
    framed(
        "line separators of Unicode in the text",
        ROLE + said("a\u2028b\u2029c\u0085d\x0ce\x1cf\x0bg") + FINISH + DONE,
        gives("a\u2028b\u2029c\u0085d\x0ce\x1cf\x0bg"),
    ),
    both(
        "NUL and control characters in the text",
        said("a\0b\x1bc\x7f") + FINISH + DONE,
        completion(message("a\0b\x1bc\x7f")),
        gives("a\0b\x1bc\x7f"),
    ),
    row(
        "UTF-8 cut at every byte",
        (CHUNKED % SSE, drip(b"".join(chunk(STREAM[at : at + 1]) for at in range(len(STREAM))), size=6), END),
        gives(),
    ),
    framed("escaped UTF-8", STREAM.replace("ø".encode(), b"\\u00f8").replace("🦊".encode(), b"\\ud83e\\udd8a")),
    both(
        "bytes that are no UTF-8",
        said("ab").replace(b"ab", b"a\xff\xfeb") + FINISH + DONE,
        dumps(completion(message("ab"))).replace(b"ab", b"a\xff\xfeb"),
        gives("a\ufffd\ufffdb"),
    ),
    framed("UTF-8 cut for good", said("aø").replace("ø".encode(), "ø".encode()[:1]) + FINISH + DONE, gives("a\ufffd")),
    framed(
        "surrogate halves over two chunks",
        event(b'{"choices":[{"delta":{"content":"a\\ud83e"}}]}')
        + event(b'{"choices":[{"delta":{"content":"\\udd8ab"}}]}')
        + FINISH
        + DONE,
        gives("a🦊b"),
    ),
    both(
        "half a surrogate alone",
        event(b'{"choices":[{"delta":{"content":"a\\ud83e b"}}]}') + FINISH + DONE,
        b'{"choices":[{"message":{"content":"a\\ud83e b"},"finish_reason":"stop"}]}',
        gives("a\ufffd b"),
    ),
    both(
        "half a surrogate at the end",
        event(b'{"choices":[{"delta":{"content":"a\\ud83e"}}]}') + FINISH + DONE,
        b'{"choices":[{"message":{"content":"a\\ud83e"},"finish_reason":"stop"}]}',
        gives("a\ufffd"),
    ),
    row(
        "half a surrogate, then the connection breaks",
        (*begun(event(b'{"choices":[{"delta":{"content":"a\\ud83e"}}]}')), close),
        fails(ConnectionLost, partial="a"),
    ),
)

JSON_FAULTS: tuple[Fault, ...] = (
    both(
        "broken JSON in one event",
        FIRST + b'data: {"choices": [}\n\n' + REST + FINISH + DONE,
        b'{"choices": [}',
        BROKEN_HALF,
        EMPTY,
    ),
    both("JSON that is no object", FIRST + b"data: 17\n\n" + REST + FINISH, b"17", BROKEN_HALF, EMPTY),
    both("a word in place of JSON", FIRST + b"data: hello\n\n" + REST + FINISH, b"hello", BROKEN_HALF, EMPTY),
    both("JSON with single quotes", FIRST + b"data: {'choices': []}\n\n", b"{'choices': []}", BROKEN_HALF, EMPTY),
    both(
        "NaN in the counts",
        SAID + event(b'{"choices": [], "usage": {"prompt_tokens": NaN}}') + FINISH + DONE,
        DOCUMENT.replace(b'"prompt_tokens": 5', b'"prompt_tokens": NaN'),
        gives(),
    ),
    both(
        "NaN in place of the text",
        FIRST + event(b'{"choices":[{"delta":{"content":NaN}}]}'),
        b'{"choices":[{"message":{"content":NaN},"finish_reason":"stop"}]}',
        BROKEN_HALF,
        EMPTY,
    ),
    both(
        "1e999 in the counts",
        SAID + event(b'{"choices": [], "usage": {"prompt_tokens": 1e999, "completion_tokens": 1}}') + FINISH + DONE,
        DOCUMENT.replace(b": 5", b": 1e999"),
        gives(),
    ),
    both(
        "negative counts",
        SAID + counted({"prompt_tokens": -5, "completion_tokens": 2}) + FINISH + DONE,
        completion(usage={"prompt_tokens": -5, "completion_tokens": 2}),
        gives(),
    ),
    both(
        "counts that are texts",
        SAID + counted({"prompt_tokens": "many"}) + FINISH + DONE,
        completion(usage={"prompt_tokens": "many"}),
        gives(),
    ),
    both(
        "a number of 10,000 digits",
        FIRST + event(b'{"choices": [], "usage": {"prompt_tokens": ' + b"9" * 10_000 + b"}}"),
        DOCUMENT.replace(b": 5", b": " + b"9" * 10_000),
        BROKEN_HALF,
        EMPTY,
    ),
    both(
        "100,000 nested arrays",
        FIRST + event(b"[" * 100_000 + b"]" * 100_000),
        b"[" * 100_000 + b"]" * 100_000,
        BROKEN_HALF,
        EMPTY,
    ),
    both(
        "100,000 nested arrays in place of choices",
        FIRST + event(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        BROKEN_HALF,
        EMPTY,
    ),
    both(
        "100,000 nested objects as an error",
        FIRST + event(b'{"error":' * 100_000 + b"1" + b"}" * 100_000),
        b'{"error":' * 100_000 + b"1" + b"}" * 100_000,
        fails(ProtocolError, ServerError, partial=HALF),
        fails(ProtocolError, ServerError),
    ),
    both(
        "an error nested just below the limit",
        FIRST + event(b'{"error":{"message":' + b'[{"msg":' * 300 + b'"x"' + b"}]" * 300 + b"}}"),
        b'{"error":{"message":' + b'[{"msg":' * 300 + b'"x"' + b"}]" * 300 + b"}}",
        fails(ProtocolError, ServerError, partial=HALF),
        fails(ProtocolError, ServerError),
    ),
    both(
        "content nested just below the limit",
        FIRST
        + event(
            b'{"choices":[{"delta":{"content":'
            + b'[{"type":"thinking","thinking":' * 400
            + b'"x"'
            + b"}]" * 400
            + b"}}]}"
        )
        + DONE,
        b'{"choices":[{"message":{"content":'
        + b'[{"type":"thinking","thinking":' * 400
        + b'"x"'
        + b"}]" * 400
        + b"}}]}",
        BROKEN_HALF,
        Expect(text="", errors=(ProtocolError,)),
    ),
    both(
        "keys twice",
        event(b'{"choices":[],"choices":[{"delta":{"content":"twice"}}]}') + FINISH + DONE,
        b'{"choices":[],"choices":[{"message":{"content":"twice"},"finish_reason":"stop"}]}',
        gives("twice"),
    ),
)

VALUES: tuple[Fault, ...] = (
    both("choices are null", event({"choices": None}) + STREAM, completion(choices=None), gives(), EMPTY),
    both("choices are missing", event({"id": "x"}) + STREAM, {"id": "x"}, gives(), EMPTY),
    both(
        "choices are an object", event({"choices": {"0": {}}}) + STREAM, completion(choices={"0": {}}), gives(), EMPTY
    ),
    both(
        "choices are texts",
        event({"choices": ["a", 1, None]}) + STREAM,
        completion(choices=["a", 1, None]),
        gives(),
        EMPTY,
    ),
    both(
        "a choice that says nothing",
        SAID + event({"choices": [{"index": 0}]}),
        completion(choices=[{"index": 0}]),
        fails(ProtocolError, partial=TEXT),
        EMPTY,
    ),
    both(
        "a document without a finish reason",
        STREAM,
        completion(choices=[{"index": 0, "message": message()}]),
        gives(),
    ),
    both("choices are empty", event({"choices": []}) + STREAM, completion(choices=[]), gives(), EMPTY),
    both(
        "a choice of another index",
        STREAM.replace(DONE, b"") + event({"choices": [{"index": 1, "delta": {"content": "no"}}]}) + DONE,
        completion(
            choices=[
                {"index": 1, "message": message("no"), "finish_reason": "stop"},
                {"index": 0, "message": message(), "finish_reason": "stop"},
            ]
        ),
        gives(),
    ),
    both("no index", STREAM.replace(b'"index": 0, ', b""), DOCUMENT.replace(b'"index": 0, ', b""), gives()),
    both(
        "delta is null",
        event(choice(None)) + STREAM,
        completion(choices=[{"index": 0, "message": None, "finish_reason": "stop"}]),
        gives(),
        gives(""),
    ),
    both("delta is a text", event(choice("hello")) + STREAM, completion("hello"), gives(), gives("")),
    both("no role", said(TEXT) + FINISH + DONE, completion({"content": TEXT}), gives()),
    both("content is null", said(None) + STREAM, completion(message(None)), gives(), gives("")),
    both(
        "content is a list of parts",
        event(choice({"content": [{"type": "text", "text": "The "}, "quick "]})) + REST + FINISH + DONE,
        completion(message([{"type": "text", "text": "The "}, "quick ", {"type": "text", "text": "".join(WORDS[2:])}])),
        gives(),
    ),
    both("content is an empty list", said([]) + STREAM, completion(message([])), gives(), gives("")),
    both("content is a number", FIRST + said(17) + DONE, completion(message(17)), BROKEN_HALF, EMPTY),
    both(
        "content is an object",
        FIRST + said({"text": "x"}) + DONE,
        completion(message({"text": "x"})),
        BROKEN_HALF,
        EMPTY,
    ),
    both(
        "a part of content has a list for its type",
        FIRST + said([{"type": ["x"], "text": 5}]) + DONE,
        completion(message([{"type": ["x"], "text": 5}])),
        BROKEN_HALF,
        EMPTY,
    ),
    both(
        "a part of content is an image",
        FIRST + said([{"type": "image_url", "image_url": {}}]) + DONE,
        completion(message([{"type": "image_url"}])),
        BROKEN_HALF,
        EMPTY,
    ),
    both("usage is null", STREAM.replace(b'"model"', b'"usage": null, "model"'), completion(usage=None), gives()),
    both("usage is a list", SAID + counted([1, 2]) + FINISH + DONE, completion(usage=[1, 2]), gives()),
    both(
        "usage on every chunk",
        STREAM.replace(b'"model"', b'"usage": ' + dumps(COUNTS) + b', "model"'),
        completion(),
        gives(),
    ),
    both(
        "id and model are numbers",
        STREAM.replace(b'"c1"', b"17").replace(b'"m"', b"[1]"),
        completion(id=17, model=None),
        gives(),
    ),
    both(
        "a refusal in place of content",
        event(choice({"content": None, "refusal": "No."})) + FINISH + DONE,
        completion({"content": None, "refusal": "No."}),
        gives("No."),
    ),
    both(
        "reasoning under two names",
        event(choice({"reasoning": "hm", "reasoning_content": "hm"})) + STREAM,
        completion(message(reasoning="hm", reasoning_content="hm")),
        gives(),
    ),
    both(
        "nothing but reasoning",
        event(choice({"reasoning": "hm"})) + FINISH + DONE,
        completion({"content": None, "reasoning": "hm"}),
        gives(""),
    ),
)


def call(arguments: object, **more: Any) -> dict[str, Any]:
    return {"id": "a", "type": "function", "function": {"name": "look", "arguments": arguments}, **more}


def asks(name: str, stream: bytes, calls: list[Any], expect: Expect, reason: str = "tool_calls", **more: Any) -> Fault:
    body = completion(message(None, tool_calls=calls), reason)
    return both(name, stream + finish(reason) + DONE, body, expect, **more)


LOOK = gives("", calls=(("look", '{"at":"fox"}'),))
UNREADABLE = gives("", calls=(("look", "{}"),))
FOX = '{"at":"fox"}'

CALLS: tuple[Fault, ...] = (
    asks(
        "a tool call",
        called(call('{"at"', index=0)) + called({"index": 0, "function": {"arguments": ':"fox"}'}}),
        [call(FOX)],
        LOOK,
    ),
    asks("arguments are an object", called(call({"at": "fox"}, index=0)), [call({"at": "fox"})], LOOK),
    asks("arguments are broken", called(call('{"at": fox', index=0)), [call('{"at": fox')], UNREADABLE),
    asks("arguments are no object", called(call("[1]", index=0)), [call("[1]")], UNREADABLE),
    asks("arguments are a number", called(call(17, index=0)), [call(17)], UNREADABLE),
    asks("arguments are null", called(call(None, index=0)), [call(None)], UNREADABLE),
    asks(
        "arguments are nested 100,000 times",
        called(call('{"a":' * 100_000, index=0)),
        [call('{"a":' * 100_000)],
        UNREADABLE,
    ),
    asks(
        "arguments are cut at the length",
        called(call('{"at": "fo', index=0)),
        [call('{"at": "fo')],
        gives("", outcome=Outcome.TRUNCATED),
        "length",
    ),
    asks(
        "two calls with one index",
        called(call(FOX, index=0)) + called(call(FOX, index=0, id="b")),
        [call(FOX, index=0), call(FOX, index=0, id="b")],
        gives("", calls=(LOOK.calls[0],) * 2),
    ),
    asks(
        "two calls with one id",
        called(call(FOX, index=0), call(FOX, index=1)),
        [call(FOX), call(FOX)],
        gives("", calls=(LOOK.calls[0],) * 2),
    ),
    asks(
        "calls without ids",
        called(call(FOX, index=0, id=None), call(FOX, index=1, id="")),
        [call(FOX, id=None), call(FOX, id="")],
        gives("", calls=(LOOK.calls[0],) * 2),
    ),
    asks(
        "calls without an index",
        called(call(FOX)) + called(call(FOX, id="b")),
        [call(FOX), call(FOX, id="b")],
        gives("", calls=(LOOK.calls[0],) * 2),
    ),
    asks("the finish reason hides the calls", called(call(FOX, index=0)), [call(FOX)], LOOK, "stop"),
    both(
        "calls are an object",
        FIRST + event(choice({"tool_calls": {"0": 1}})),
        completion(message(None, tool_calls={"0": 1})),
        BROKEN_HALF,
        EMPTY,
    ),
    both("calls are null", event(choice({"tool_calls": None})) + STREAM, completion(message(tool_calls=None)), gives()),
    row(
        "the connection breaks inside a call",
        (*begun(FIRST + called(call('{"at": "f', index=0))), close),
        fails(ConnectionLost, partial=HALF),
    ),
)

LATE = "the engine is dead"
INSIDE: tuple[tuple[str, bytes, type[Exception]], ...] = (
    ("an error object", event(error(LATE, type="server_error", code=None)), ServerError),
    ("an error object with code 500", event(error(LATE, code=500)), ServerError),
    ("an error text", event({"error": LATE}), ServerError),
    ("a flat error object", event({"object": "error", "message": LATE, "code": 500}), ServerError),
    ("an error type", event({"type": "error", "message": LATE}), ServerError),
    ("an error event", b"event: error\n" + event({"message": LATE}), ServerError),
    ("an error event with bare words", b"event: error\ndata: " + LATE.encode() + b"\n\n", ServerError),
    ("an error event without data", b"event: error\ndata:\n\n", ServerError),
    ("an error field", b"error: " + dumps({"message": LATE}) + b"\n\n", ServerError),
    ("an error field with bare words", b"error: " + LATE.encode() + b"\n\n", ServerError),
    ("a bare line of JSON", dumps(error(LATE)) + b"\n", ServerError),
    ("a badly quoted error", b'data: {"error": "it said "no" twice"}\n\n', ServerError),
    ("a detail", event({"detail": LATE}), ServerError),
    ("an error beside choices", event({**choice({}), "error": {"message": LATE}}), ServerError),
    ("a rate limit", event(error("slow down", type="rate_limit_error", code=429)), RateLimited),
    ("a refused key", event(error("bad key", code=401)), AuthError),
    ("a bad request", event(error("no such thing", type="invalid_request_error")), BadRequest),
    ("an overflow", event(error("This model's maximum context length is 4096 tokens", code=400)), ContextOverflow),
    (
        "an overflow of a slot",
        event(error("Context size has been exceeded.", type="server_error", code=500)),
        ContextOverflow,
    ),
)


def inside(what: str, wire: bytes, kind: type[Any], before: bytes, text: str) -> Fault:
    when = "in mid-stream" if before else "at the start"
    return row(f"{what} {when}", chunked(before + wire + DONE), fails(kind, partial=text))


IN_STREAM: tuple[Fault, ...] = (
    *(inside(what, wire, kind, FIRST, HALF) for what, wire, kind in INSIDE),
    *(inside(what, wire, kind, b"", "") for what, wire, kind in INSIDE),
    row(
        "an error object, then a close without an end",
        (*begun(FIRST + event(error(LATE))), close),
        fails(ServerError, partial=HALF),
    ),
    row("an empty chunk, then a close", until_closed(FIRST + b"\n"), BROKEN_HALF),
)
