"""Bytes of chat-completion answers, good and bad: the vocabulary that the table is written in."""

from __future__ import annotations

import json
from typing import Any

from fault_server import Play, close

WORDS = ("The ", "quick ", "brøwn ", "fox 🦊 ", "jumps.")
TEXT = "".join(WORDS)
HALF = "".join(WORDS[:2])
GOOD = "All is well again."

CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
SSE, JSON = b"text/event-stream", b"application/json"


def dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def event(value: object) -> bytes:
    return b"data: " + (value if isinstance(value, bytes) else dumps(value)) + b"\n\n"


def choice(delta: object, **more: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None, **more}]}


def said(text: object) -> bytes:
    """One piece of content."""
    return event(choice({"content": text}))


def finish(reason: object = "stop") -> bytes:
    return event(choice({}, finish_reason=reason))


def called(*calls: Any) -> bytes:
    return event(choice({"tool_calls": list(calls)}))


ROLE = event(choice({"role": "assistant", "content": ""}))
FIRST = ROLE + said(WORDS[0]) + said(WORDS[1])
REST = b"".join(said(word) for word in WORDS[2:])
SAID = FIRST + REST
FINISH = finish()
DONE = b"data: [DONE]\n\n"
STREAM = SAID + FINISH + DONE
COUNTS = {"prompt_tokens": 5, "completion_tokens": 7}


def counted(usage: object) -> bytes:
    """A chunk with token counts and nothing else."""
    return event({"id": "c1", "choices": [], "usage": usage})


def message(content: object = TEXT, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def completion(spoken: object = None, reason: object = "stop", **more: Any) -> dict[str, Any]:
    chosen = {"index": 0, "message": message() if spoken is None else spoken, "finish_reason": reason}
    return {"id": "c1", "object": "chat.completion", "model": "m", "choices": [chosen], "usage": COUNTS, **more}


DOCUMENT = dumps(completion())


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def chunked(*pieces: bytes, kind: bytes = SSE, ends: bool = True) -> Play:
    """A whole chunked answer, or its beginning."""
    steps = (CHUNKED % kind, *(chunk(piece) for piece in pieces))
    return (*steps, END) if ends else steps


def begun(*pieces: bytes, kind: bytes = SSE) -> Play:
    """The same without its end: steps that go wrong are to follow."""
    return chunked(*pieces, kind=kind, ends=False)


def head(status: bytes = b"200 OK", *lines: bytes) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines)) + b"\r\n\r\n"


def sized(body: bytes, *lines: bytes, status: bytes = b"200 OK", kind: bytes = JSON) -> Play:
    """An answer with its length."""
    return (head(status, b"content-type: " + kind, b"content-length: %d" % len(body), *lines) + body,)


def until_closed(body: bytes, *lines: bytes, kind: bytes = SSE, version: bytes = b"HTTP/1.1") -> Play:
    """An answer that the end of the connection ends."""
    start = b"\r\n".join((version + b" 200 OK", b"content-type: " + kind, b"connection: close", *lines))
    return (start + b"\r\n\r\n" + body, close)


def refusal(status: bytes, body: object, *lines: bytes, kind: bytes = JSON) -> Play:
    """An error answer."""
    return sized(body if isinstance(body, bytes) else dumps(body), *lines, status=status, kind=kind)


def error(text: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": text, **more}}


HEALTHY_STREAM = (b"".join(chunked(ROLE, said(GOOD), FINISH, DONE)),)
"""In one piece: a connection is kept where its end comes with the last event, however slow the machine is."""
HEALTHY_DOCUMENT = sized(dumps(completion(message(GOOD))))
