"""One streamed answer: encode, open, read, decode, accumulate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

from agentkit._engine.accumulate import Builder
from agentkit._engine.line import Line, opened, persistent, reserved
from agentkit.effects import Close, Flow, Read, do
from agentkit.errors import LimitExceeded, ProviderError, TransportError
from agentkit.errors import TimeoutError as LimitReached
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.options import Limits, Timeouts
from agentkit.provider import ChatRequest, Chunk, Decoder, Finish, HTTPRequest, ResponseHead

_SHOWN = (TextDelta, ReasoningDelta, Notice)


class Sieve(Protocol):
    """Says what of the chunks of an attempt belongs to the reply, and as what."""

    def pass_on(self, chunk: Chunk, /) -> Iterable[Chunk]: ...


def exchange(line: Line, request: ChatRequest, builder: Builder, new_joint: Callable[[], Sieve | None]) -> Flow[None]:
    """Fill `builder` with the answer to `request`, sending it again where that is safe; each attempt has its own seam.

    Raises:
        TransportError, ProviderError, LimitExceeded: after the last attempt; what was delivered is in the builder.
    """
    wire = line.provider.encode(request)
    yield from builder.news(wire.notices)

    def attempt() -> Flow[None]:
        return _attempt(line, wire, builder, new_joint())

    tokens = _rough_tokens(line, wire, request) if line.rate_limited else 0
    yield from persistent(
        line,
        builder,
        repeatable=wire.repeatable,
        once=wire.once,
        attempt=partial(reserved, line, builder, tokens, attempt),
    )


def _attempt(line: Line, wire: HTTPRequest, builder: Builder, joint: Sieve | None) -> Flow[None]:
    try:
        head, opened_at = yield from opened(line, wire, builder)
        yield from _receive(line, head, opened_at, builder, joint)
    finally:
        yield from do(Close())


def _rough_tokens(line: Line, wire: HTTPRequest, request: ChatRequest) -> int:
    """A reservation, not a count: four bytes a token for the prompt, and the whole of what the reply may take."""
    floor = line.provider.capabilities(request.model).min_output or 0
    return len(wire.body) // 4 + max(request.options.max_tokens or 0, floor)


def _receive(line: Line, head: ResponseHead, opened_at: float, builder: Builder, joint: Sieve | None) -> Flow[None]:
    decoder = line.provider.decoder(head, max_line=line.limits.max_line_bytes)
    try:
        yield from _read_on(line, decoder, Patience(line.timeouts, head, opened_at), builder, joint)
    except (TransportError, ProviderError):
        # What came may be whole all the same: only the sign of the end was lost.
        rest = decoder.close()
        if not any(isinstance(chunk, Finish) for chunk in rest):
            raise
        yield from deliver(rest, builder, joint)


def _read_on(line: Line, decoder: Decoder, patience: Patience, builder: Builder, joint: Sieve | None) -> Flow[None]:
    room = line.limits.max_reply_bytes
    held = room - room // 4  # what gives no content yet is kept as it is
    while builder.finish is None:
        data, now = yield from do(patience.read)
        heard = builder.heard
        yield from deliver(decoder.feed(data) if data else decoder.close(), builder, joint)
        if builder.fault is not None:
            fault, builder.fault = builder.fault, None
            raise fault
        room -= len(data)
        if room < (0 if builder.heard else held) or builder.size > line.limits.max_reply_chars:
            raise LimitExceeded(_too_long(line.limits, builder))
        patience.note(now, content=builder.heard != heard)


def deliver(chunks: Sequence[Chunk], builder: Builder, joint: Sieve | None) -> Flow[None]:
    """Keep each chunk before it is shown: what the caller has seen is never lost."""
    for chunk in chunks if joint is None else _joined(chunks, builder, joint):
        builder.add(chunk)
        if isinstance(chunk, _SHOWN):
            yield chunk


def _joined(chunks: Sequence[Chunk], builder: Builder, joint: Sieve) -> Iterator[Chunk]:
    for chunk in chunks:
        if isinstance(chunk, TextDelta | ReasoningDelta):
            builder.heard += len(chunk.text)
        yield from joint.pass_on(chunk)


def _too_long(limits: Limits, builder: Builder) -> str:
    if builder.size > limits.max_reply_chars:
        return f"the reply is longer than max_reply_chars={limits.max_reply_chars} allows"
    part = "" if builder.heard else "a quarter of "
    return f"the answer is longer than {part}max_reply_bytes={limits.max_reply_bytes} allows"


class Patience:
    """How long the next read may take. Only content resets the limit: comments and blank lines for ever must end."""

    __slots__ = ("_bytes_count", "_content_at", "_full", "_limit", "_timeouts", "read")

    def __init__(self, timeouts: Timeouts, head: ResponseHead, opened_at: float) -> None:
        self._timeouts = timeouts
        self._bytes_count = "event-stream" not in head.headers.get("content-type", "")
        """A whole answer has no content until its end: there, bytes are the sign of life."""
        self._content_at = opened_at
        self._limit = timeouts.first_byte
        self._full = self.read = Read(self._limit)

    def note(self, now: float, *, content: bool) -> None:
        """Something was read at `now`.

        Raises:
            TimeoutError: it was no content, and the limit has run out meanwhile.
        """
        if content or self._bytes_count:
            self._content_at = now
            if self._limit is not self._timeouts.idle:
                self._limit = self._timeouts.idle
                self._full = Read(self._limit)
            self.read = self._full
            return
        if self._limit is None:
            return
        left = self._limit - (now - self._content_at)
        if left <= 0:
            raise LimitReached(
                f"no content came for {self._limit:g} seconds, though the connection is alive", phase="idle"
            )
        self.read = Read(left)
