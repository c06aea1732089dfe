"""Faults of connections, of HTTP itself, and of how the bytes of an answer are carried."""

from __future__ import annotations

import gzip
import zlib

from fault_run import FIRM, HASTY, Fault, fails, gives, row
from fault_server import Script, close, drip, forever, reset, stay
from fault_wire import (
    CHUNKED,
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
    WORDS,
    begun,
    chunk,
    chunked,
    dumps,
    head,
    message,
    said,
    sized,
    until_closed,
)

from agentkit import (
    ConnectError,
    ConnectionLost,
    LimitExceeded,
    Limits,
    ProtocolError,
    Timeouts,
)
from agentkit import TimeoutError as LimitReached

GOOD = chunked(STREAM)
GOOD_DOCUMENT = sized(DOCUMENT)
HALF_DOCUMENT = DOCUMENT[: len(DOCUMENT) // 2]
BOMB = gzip.compress(bytes(64 << 20), 6)
NOTHING = chunk(gzip.compress(b"") * 50)
TLS_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"

LOST = fails(ConnectionLost)
BROKEN = fails(ProtocolError)

CONNECTIONS: tuple[Fault, ...] = (
    row("close before any byte", (close,), LOST),
    row("reset before any byte", (reset,), LOST),
    row("close before any byte, backend is repeatable", (close,), fails(ConnectionLost, requests=3), repeatable=True),
    row(
        "close before any byte once, backend is repeatable",
        [(close,), GOOD],
        gives(requests=2),
        plain=[(close,), GOOD_DOCUMENT],
        repeatable=True,
    ),
    row(
        "close as soon as connected",
        Script((GOOD,), greeting=(close,)),
        fails(ConnectionLost, ConnectError, requests=0),
    ),
    row(
        "reset as soon as connected",
        Script((GOOD,), greeting=(reset,)),
        fails(ConnectionLost, ConnectError, requests=0),
    ),
    row("kept connection was closed meanwhile", GOOD, gives(), plain=GOOD_DOCUMENT, warm=True, dead=True),
    row(
        "kept connection is closed at the request",
        [(close,), GOOD],
        gives(requests=2),
        plain=[(close,), GOOD_DOCUMENT],
        warm=True,
    ),
    row(
        "kept connection is reset at the request",
        [(reset,), GOOD],
        gives(requests=2),
        plain=[(reset,), GOOD_DOCUMENT],
        warm=True,
    ),
    row("kept connection is closed at every request", (close,), fails(ConnectionLost, requests=2), warm=True),
    row("kept connection is closed after a partial head", (b"HTTP/1.1 200 OK\r\ncontent-ty", close), LOST, warm=True),
    row("connection refused", GOOD, fails(ConnectError, requests=0), address="http://127.0.0.1:{closed}/v1"),
    row(
        "the host has no address",
        GOOD,
        fails(ConnectError, LimitReached, requests=0),
        address="http://no-such-host.invalid:{port}/v1",
        timeouts=HASTY,
    ),
    row(
        "TLS to a plain port",
        (head(b"400 Bad Request", b"content-length: 0"), close),
        fails(ConnectError, requests=3),
        address="https://{here}/v1",
    ),
    row("plain to a TLS port", (TLS_ALERT, close), BROKEN),
)

NO_HTTP: tuple[Fault, ...] = (
    row(
        "not HTTP: the server speaks first",
        Script((GOOD,), greeting=(b"SSH-2.0-OpenSSH_9.6\r\n", stay)),
        fails(ProtocolError, requests=0),
    ),
    row("not HTTP: bytes at random", (bytes(range(256)) * 4, close), BROKEN),
    row("not HTTP: HTTP/0.9", (b"<html><body>hello</body></html>\n", close), BROKEN),
    row("an HTTP version that is none", (b"HTTP/3.7 200 OK\r\n\r\n", close), BROKEN),
    row("a status that is no number", (b"HTTP/1.1 fine OK\r\n\r\n", close), BROKEN),
    row("a status of one digit", (b"HTTP/1.1 2 OK\r\n\r\n", close), BROKEN),
    row("close after a partial head", (b"HTTP/1.1 200 OK\r\ncontent-type: text/ev", close), LOST),
    row("reset after a partial head", (b"HTTP/1.1 200 OK\r\ncontent-type: text/ev", 0.05, reset), LOST),
    row("a header without a colon", (head(b"200 OK", b"this is no header"), close), BROKEN),
    row("a header with NUL", (head(b"200 OK", b"x-a: b\0c"), close), BROKEN),
    row(
        "20 MB of headers",
        (b"HTTP/1.1 200 OK\r\n", *[b"x-filler: " + b"a" * 8000 + b"\r\n"] * 2600, b"\r\n", close),
        BROKEN,
    ),
    row("one header of 20 MB", (b"HTTP/1.1 200 OK\r\nx-filler: ", *[b"a" * 65536] * 320, b"\r\n\r\n", close), BROKEN),
    row("headers for ever", (b"HTTP/1.1 200 OK\r\n", forever(b"x-filler: aaaa\r\n" * 20)), BROKEN),
    row(
        "headers one byte each 0.1 s",
        (drip(head(b"200 OK", b"content-type: text/event-stream"), pause=0.1), stay),
        fails(LimitReached),
        timeouts=HASTY,
    ),
    row("100 Continue for ever", (forever(head(b"100 Continue") * 20),), BROKEN),
    row("103 Early Hints for ever", (forever(head(b"103 Early Hints", b"link: </a>") * 20),), BROKEN),
    row(
        "a few interim responses",
        (head(b"100 Continue") * 3 + head(b"103 Early Hints", b"link: </a>") * 3, *GOOD),
        gives(),
        plain=(head(b"100 Continue") * 3 + head(b"102 Processing") * 3, *GOOD_DOCUMENT),
    ),
    row("switching protocols", (head(b"101 Switching Protocols", b"upgrade: websocket"), close), BROKEN),
    row("HTTP/1.0", until_closed(STREAM, version=b"HTTP/1.0"), gives(), plain=until_closed(DOCUMENT, kind=JSON)),
    row(
        "two lengths that differ",
        (head(b"200 OK", b"content-length: 5", b"content-length: 7") + b"hello", close),
        BROKEN,
    ),
    row(
        "two lengths that are the same",
        sized(STREAM, b"content-length: %d" % len(STREAM), kind=SSE),
        gives(),
        plain=sized(DOCUMENT, b"content-length: %d" % len(DOCUMENT)),
    ),
    row("a negative length", (head(b"200 OK", b"content-length: -5"), close), BROKEN),
    row("a length that is no number", (head(b"200 OK", b"content-length: many"), close), BROKEN),
    row("a transfer encoding nobody knows", (head(b"200 OK", b"transfer-encoding: zip"), close), BROKEN),
    row(
        "a length and chunks",
        (CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-length: 3\r\n\r\n") % SSE, chunk(STREAM), END),
        gives(),
    ),
)

FRAMING: tuple[Fault, ...] = (
    row("the end of chunks is missing in the middle", (*begun(FIRST), close), fails(ConnectionLost, partial=HALF)),
    row("the end of chunks is missing after [DONE]", (*begun(STREAM), close), gives()),
    row("the end of chunks is missing after the finish reason", (*begun(SAID, FINISH), close), gives()),
    row(
        "the end of chunks is missing after a whole document",
        (*begun(DOCUMENT, kind=JSON), close),
        gives(),
    ),
    row("close inside a chunk", (*begun(FIRST), b"400\r\n" + REST[:20], close), fails(ConnectionLost, partial=HALF)),
    row("reset in mid-stream", (*begun(FIRST), 0.05, reset), fails(ConnectionLost, partial=None)),
    row("reset after the finish reason", (*begun(SAID, FINISH), 0.1, reset), gives()),
    row("reset inside a document", (*begun(HALF_DOCUMENT, kind=JSON), 0.05, reset), LOST),
    row("a chunk size that is no number", (*begun(FIRST), b"zz\r\n" + REST, close), fails(ProtocolError, partial=HALF)),
    row("a negative chunk size", (*begun(FIRST), b"-5\r\n" + REST, close), fails(ProtocolError, partial=HALF)),
    row(
        "a chunk of 16 EiB",
        (*begun(FIRST), b"ffffffffffffffff\r\n" + REST, close),
        fails(ConnectionLost, ProtocolError, partial=None),
    ),
    row(
        "a chunk extension for ever",
        (*begun(FIRST), b"5;", forever(b"x" * 4096)),
        fails(ProtocolError, partial=HALF),
    ),
    row(
        "more bytes than the chunk says",
        (*begun(FIRST), b"5\r\n" + REST, close),
        fails(ProtocolError, partial=HALF),
    ),
    row("trailers after the last chunk", (*begun(STREAM), b"0\r\nx-sum: 1\r\n\r\n"), gives()),
    row("trailers for ever", (*begun(STREAM), b"0\r\n", forever(b"x-sum: 1\r\n" * 50)), gives()),
    row(
        "the length is too long, and the server closes",
        (head(b"200 OK", b"content-type: " + SSE, b"content-length: 99999") + FIRST, close),
        fails(ConnectionLost, partial=HALF),
        plain=(head(b"200 OK", b"content-type: " + JSON, b"content-length: 99999") + HALF_DOCUMENT, close),
        plain_expect=LOST,
    ),
    row(
        "the length is too long for a whole answer",
        (head(b"200 OK", b"content-type: " + SSE, b"content-length: 99999") + STREAM, close),
        gives(),
        plain=(head(b"200 OK", b"content-type: " + JSON, b"content-length: 99999") + DOCUMENT, close),
    ),
    row(
        "the length is too long, and the server stays",
        (head(b"200 OK", b"content-type: " + SSE, b"content-length: 99999") + FIRST, stay),
        fails(LimitReached, partial=HALF),
        plain=(head(b"200 OK", b"content-type: " + JSON, b"content-length: 99999") + HALF_DOCUMENT, stay),
        plain_expect=fails(LimitReached),
        timeouts=HASTY,
    ),
    row(
        "the length is too short",
        (head(b"200 OK", b"content-type: " + SSE, b"content-length: %d" % len(FIRST)) + STREAM, close),
        fails(ProtocolError, partial=HALF),
        plain=(head(b"200 OK", b"content-type: " + JSON, b"content-length: 50") + DOCUMENT, close),
        plain_expect=BROKEN,
    ),
    row(
        "an answer without length is cut in the middle",
        until_closed(FIRST),
        fails(ProtocolError, partial=HALF),
        plain=until_closed(HALF_DOCUMENT, kind=JSON),
        plain_expect=BROKEN,
    ),
    row(
        "an answer without length is cut inside an event",
        until_closed(FIRST + said(WORDS[2])[:-12]),
        fails(ProtocolError, partial=HALF),
    ),
    row(
        "a second answer that nobody asked for",
        (b"".join(sized(STREAM, kind=SSE)) * 2,),
        gives(),
        plain=(b"".join(GOOD_DOCUMENT) * 2,),
    ),
    row(
        "rubbish behind the answer",
        (b"".join(sized(STREAM, kind=SSE)) + b"HTTP/1.1 rubbish\r\n\r\n",),
        gives(),
        plain=(b"".join(GOOD_DOCUMENT) + b"}}}",),
    ),
    row(
        "gzip",
        sized(gzip.compress(STREAM), b"content-encoding: gzip", kind=SSE),
        gives(),
        plain=sized(gzip.compress(DOCUMENT), b"content-encoding: gzip"),
    ),
    row(
        "deflate as some servers understand it",
        sized(zlib.compress(STREAM)[2:-4], b"content-encoding: deflate", kind=SSE),
        gives(),
        plain=sized(zlib.compress(DOCUMENT), b"content-encoding: deflate"),
    ),
    row(
        "gzip that is none",
        sized(STREAM, b"content-encoding: gzip", kind=SSE),
        BROKEN,
        plain=sized(DOCUMENT, b"content-encoding: gzip"),
    ),
    row(
        "gzip cut short",
        sized(gzip.compress(DOCUMENT)[:-20], b"content-encoding: gzip"),
        BROKEN,
    ),
    row(
        "gzip with a broken middle",
        sized(gzip.compress(DOCUMENT)[:40] + b"\xff" * 80, b"content-encoding: gzip"),
        BROKEN,
    ),
    row(
        "gzip bomb",
        sized(BOMB, b"content-encoding: gzip", kind=SSE),
        fails(LimitExceeded, ProtocolError),
        limits=Limits(max_reply_bytes=1 << 20),
    ),
    row(
        "gzip in gzip in gzip",
        sized(gzip.compress(gzip.compress(STREAM)), b"content-encoding: gzip, gzip", kind=SSE),
        BROKEN,
    ),
    row(
        "gzip of nothing for ever",
        (head(b"200 OK", b"content-encoding: gzip", b"transfer-encoding: chunked"), forever(NOTHING, pause=0.01)),
        fails(LimitReached),
        timeouts=HASTY,
    ),
    row("brotli", sized(STREAM, b"content-encoding: br", kind=SSE), BROKEN),
)

CLOCK: tuple[Fault, ...] = (
    row("silence before the head", (stay,), fails(LimitReached), timeouts=HASTY),
    row(
        "silence before the head, backend is repeatable",
        (stay,),
        fails(LimitReached, requests=3),
        repeatable=True,
        timeouts=Timeouts(connect=1, first_byte=0.3, idle=0.4, total=3),
    ),
    row("silence after the head", (*begun(), stay), fails(LimitReached), timeouts=HASTY),
    row("stall in mid-stream", (*begun(FIRST), stay), fails(LimitReached, partial=HALF), timeouts=HASTY),
    row("stall inside a document", (*begun(HALF_DOCUMENT, kind=JSON), stay), fails(LimitReached), timeouts=HASTY),
    row("stall after the finish reason", (*begun(SAID, FINISH), stay), gives(), timeouts=FIRM),
    row("stall after [DONE]", (*begun(STREAM), stay), gives(lasts=(0.0, 2.0))),
    row(
        "stall after a whole document",
        (*begun(DOCUMENT, kind=JSON), stay),
        gives(),
        timeouts=FIRM,
    ),
    row(
        "comments for ever", (*begun(), forever(chunk(b": ping\n\n"), pause=0.02)), fails(LimitReached), timeouts=HASTY
    ),
    row(
        "comments for ever in mid-stream",
        (*begun(FIRST), forever(chunk(b": ping\n\n"), pause=0.02)),
        fails(LimitReached, partial=HALF),
        timeouts=HASTY,
    ),
    row("blank lines for ever", (*begun(), forever(chunk(b"\n"), pause=0.02)), fails(LimitReached), timeouts=HASTY),
    row(
        "blanks for ever in place of a document",
        (*begun(kind=JSON), forever(chunk(b" "), pause=0.02)),
        fails(LimitReached),
        timeouts=Timeouts(connect=1, first_byte=0.5, idle=0.4, total=1),
    ),
    row("role-only chunks for ever", (*begun(), forever(chunk(ROLE), pause=0.02)), fails(LimitReached), timeouts=HASTY),
    row("ids for ever", (*begun(), forever(chunk(b"id: 7\n\n"), pause=0.02)), fails(LimitReached), timeouts=HASTY),
    row(
        "a line without end, slowly", (*begun(), forever(chunk(b"a"), pause=0.02)), fails(LimitReached), timeouts=HASTY
    ),
    row(
        "slower than the total limit allows",
        (*begun(), forever(chunk(said("a")), pause=0.05)),
        fails(LimitReached, partial=None, whole="a" * 100),
        timeouts=Timeouts(connect=1, first_byte=0.5, idle=0.4, total=0.8),
    ),
    row(
        "the first byte comes late, within its limit",
        (0.6, *GOOD),
        gives(),
        plain=(0.6, *GOOD_DOCUMENT),
        timeouts=FIRM,
    ),
    row(
        "slow but steady",
        (*begun(ROLE), drip(b"".join(chunk(said(word)) for word in WORDS), pause=0.001), *chunked(FINISH, DONE)[1:]),
        gives(),
        plain=(*begun(kind=JSON), drip(chunk(DOCUMENT), pause=0.001), END),
    ),
)

ENDLESS: tuple[Fault, ...] = (
    row(
        "content for ever",
        (*begun(), forever(chunk(said("word " * 50) * 4))),
        fails(LimitExceeded, partial=None, whole="word " * 20_000),
        limits=Limits(max_reply_chars=20_000),
    ),
    row(
        "reasoning for ever",
        (*begun(), forever(chunk(said("").replace(b'"content": ""', b'"reasoning": "' + b"hm " * 200 + b'"')))),
        fails(LimitExceeded),
        limits=Limits(max_reply_chars=20_000),
    ),
    row(
        "comments for ever, fast",
        (*begun(FIRST), forever(chunk(b": " + b"x" * 4000 + b"\n\n"))),
        fails(LimitExceeded, partial=HALF),
        limits=Limits(max_reply_bytes=1 << 20),
    ),
    row(
        "blank lines for ever, fast",
        (*begun(FIRST), forever(chunk(b"\n" * 4000), pause=0.002)),
        fails(LimitExceeded, partial=HALF),
        limits=Limits(max_reply_bytes=1 << 14),
    ),
    row(
        "a document for ever",
        (*begun(b'{"choices":[{"index":0,"message":{"content":"', kind=JSON), forever(chunk(b"word " * 800))),
        fails(LimitExceeded),
        limits=Limits(max_reply_bytes=1 << 20),
    ),
    row(
        "a line for ever",
        (*begun(FIRST), forever(chunk(b"data: " + b"x" * 65536))),
        fails(ProtocolError, partial=HALF),
    ),
    row(
        "an event of endless lines",
        (*begun(FIRST), forever(chunk(b"data: aaaaaaa\n" * 5000), pause=0.002)),
        fails(LimitExceeded, ProtocolError, partial=HALF),
        limits=Limits(max_reply_bytes=4 << 20),
    ),
    row(
        "lines that mean nothing, for ever",
        (*begun(FIRST), forever(chunk(b"who: knows\n" * 5000))),
        fails(LimitExceeded, ProtocolError, partial=HALF),
        limits=Limits(max_reply_bytes=1 << 14),
    ),
    row(
        "a tool call for ever",
        (
            *begun(),
            chunk(
                said("").replace(
                    b'"content": ""', b'"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]'
                )
            ),
            forever(
                chunk(
                    said("").replace(
                        b'"content": ""', b'"tool_calls":[{"index":0,"function":{"arguments":"' + b"1" * 500 + b'"}}]'
                    )
                )
            ),
        ),
        fails(LimitExceeded),
        limits=Limits(max_reply_chars=20_000),
    ),
    row("bytes after [DONE] for ever", (*begun(STREAM), forever(chunk(said("more") * 20))), gives()),
    row("very many packets", (CHUNKED % SSE, drip(chunk(STREAM) + END)), gives()),
    row(
        "thousands of chunks in one packet",
        (CHUNKED % SSE + b"".join(chunk(said("a ")) for _ in range(5000)) + chunk(FINISH + DONE) + END,),
        gives("a " * 5000),
    ),
    row(
        "a long reply in one event",
        chunked(ROLE, said("long " * 40_000), FINISH, DONE),
        gives("long " * 40_000),
        plain=sized(dumps({"choices": [{"message": message("long " * 40_000), "finish_reason": "stop"}]})),
    ),
)
