"""How a conversation reaches one backend, and what was learnt of that backend on the way.

May hold the settings of that way, the knowledge that conversations share, and how one request is opened: the place in
the rate limit, the refusal, the decision to send it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import define, evolve, field, frozen

from agentkit._engine.accumulate import Builder
from agentkit._engine.backoff import delay_before_retry
from agentkit._engine.bytewise import BYTES
from agentkit.effects import Brake, Close, Flow, Open, Read, Reserve, Settle, Sleep, do
from agentkit.errors import LimitExceeded, ProviderError, TransportError
from agentkit.events import Retrying
from agentkit.options import Limits, RetryPolicy, Timeouts
from agentkit.provider import Call, HTTPRequest, Provider, ResponseHead
from agentkit.tokens import TokenCounter

T = TypeVar("T")

MAX_ERROR_BODY = 64 << 10
_ID_CHARS = 200
_KEY_CHARS = 8
"""No key is shorter."""


@define(eq=False)
class Learnt:
    """What was learnt of a backend by using it; shared by the conversations that use it, so each change is one step."""

    provider: Provider | None = None
    """To be used in place of the one that was named."""
    model: str | None = None
    window: int | None = None
    """That is really served."""
    asked: int = 0
    """How often the server was asked for it in vain."""
    counts_from: float = 0.0
    """On the monotonic clock: until then it is not asked to count a prompt, since that failed."""
    failures: int = 0
    """In a row."""
    rests_until: float = 0.0
    """On the monotonic clock: until then it is passed over where there is another."""
    asking: dict[str, object] = field(factory=dict[str, object], repr=False)
    """Who asks the server right now what it is."""


@frozen(kw_only=True)
class Line:
    """How a conversation reaches a backend."""

    provider: Provider
    model: str
    at: int = 0
    """Its place among the backends of the conversation."""
    learnt: Learnt = field(factory=Learnt)
    timeouts: Timeouts = Timeouts()
    retry: RetryPolicy = RetryPolicy()
    limits: Limits = Limits()
    rate_limited: bool = False
    counters: Callable[[str, str], TokenCounter] = field(default=lambda backend, model: BYTES, repr=False)
    """Makes the counter for a backend and its model."""

    @property
    def backend(self) -> str:
        """Its name, and the model's where there is one."""
        return f"{self.provider.name}/{self.model}" if self.model else self.provider.name

    def informed(self) -> Line:
        """The same with what was learnt meanwhile."""
        learnt = self.learnt
        if learnt.provider is None:
            return self
        return evolve(self, provider=learnt.provider, model=learnt.model or self.model)


def persistent(
    line: Line, builder: Builder, *, repeatable: bool, attempt: Callable[[], Flow[T]], once: bool = False
) -> Flow[T]:
    """Make an attempt again and again, where and as long as that is safe; `once`: a refusal is the last word.

    Raises:
        TransportError, ProviderError: after the last attempt.
    """
    number = 1
    while True:
        try:
            return (yield from attempt())
        except (TransportError, ProviderError) as error:
            if once and isinstance(error, ProviderError):
                raise
            delay = delay_before_retry(
                line.retry, number, error, shown=builder.shown, repeatable=repeatable, turn_id=builder.turn_id
            )
            if delay is None:
                raise
            yield Retrying(number, delay, error)
            if isinstance(error, ProviderError) and error.retry_after is not None:
                yield from do(Brake(delay))
            yield from do(Sleep(delay))
            number += 1


def opened(
    line: Line, wire: HTTPRequest, builder: Builder, *, refusals: bool = False
) -> Flow[tuple[ResponseHead, float]]:
    """Send a request and receive the head of a good answer; to be closed by the caller, whatever happens.

    Raises:
        ProviderError: the backend refused.
    """
    builder.requests += 1
    head, opened_at = yield from do(Open(wire, line.timeouts, line.at))
    builder.request_id = _request_id(head, wire)
    if not refusals and not 200 <= head.status < 300:  # noqa: PLR2004 - success, by HTTP
        body = yield from _read_error(line.timeouts.idle, opened_at)
        raise line.provider.decode_error(head, body)
    builder.accepted = True
    return head, opened_at


def reserved(line: Line, builder: Builder, tokens: int, attempt: Callable[[], Flow[T]]) -> Flow[T]:
    """An attempt with its place in the rate limit."""
    if not line.rate_limited:
        return (yield from attempt())
    wait = yield from do(Reserve(tokens))
    if wait > 0:
        yield from do(Sleep(wait))
    result = yield from attempt()
    if builder.usage is not None:
        yield from do(Settle(tokens, builder.usage.total_tokens))
    return result


def whole(line: Line, call: Call, builder: Builder) -> Flow[tuple[ResponseHead, bytes, float]]:
    """Send a request and read its answer to the end, with the monotonic time.

    Raises:
        TransportError, ProviderError
        LimitExceeded: the answer is longer than allowed.
    """
    try:
        head, now = yield from opened(line, call.request, builder, refusals=call.refusals)
        pieces: list[bytes] = []
        room = line.limits.max_reply_bytes
        while True:
            data, now = yield from do(Read(line.timeouts.idle))
            if not data:
                return head, b"".join(pieces), now
            pieces.append(data)
            room -= len(data)
            if room < 0:
                raise LimitExceeded(f"the answer is longer than max_reply_bytes={line.limits.max_reply_bytes} allows")
    finally:
        yield from do(Close())


def _request_id(head: ResponseHead, wire: HTTPRequest) -> str | None:
    """The backend's id for this answer; none where it sends a header of the request back, which may be the key."""
    found = head.headers.get("x-request-id", "")
    sent = (word for name, value in wire.headers if name.lower() != "x-request-id" for word in value.split())
    return None if any(len(word) >= _KEY_CHARS and word in found for word in sent) else found[:_ID_CHARS] or None


def _read_error(limit: float | None, opened_at: float) -> Flow[bytes]:
    """The body of a refusal, as far as it comes within the limit: a few bytes now and then do not prolong it."""
    body, left = b"", limit
    while len(body) < MAX_ERROR_BODY and (left is None or left > 0):
        try:
            data, now = yield from do(Read(left))
        except (TransportError, ProviderError):
            break
        if not data:
            break
        body += data
        left = None if limit is None else limit - (now - opened_at)
    return body[:MAX_ERROR_BODY]
