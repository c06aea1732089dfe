"""The server on the other side of the checks: questions go out through agentkit's own provider and transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

from attrs import evolve, field, frozen

from agentkit._runtime.http import HTTPTransport
from agentkit._runtime.transport import StopSignal
from agentkit.errors import ProviderError
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import Message, ToolCall, user
from agentkit.options import Options, Timeouts
from agentkit.provider import (
    CallDelta,
    Capabilities,
    ChatRequest,
    Chunk,
    Fault,
    Finish,
    HTTPRequest,
    Provider,
    ResponseHead,
    UsageReport,
)
from agentkit.providers import get_provider
from agentkit.usage import FinishReason, Usage

PATIENCE = Timeouts(first_byte=300, idle=120)
MAX_LINE = 4 << 20
WRONG_KEY = "sk-a-key-that-is-wrong"


class Differs(Exception):
    """The server does not do what agentkit says it does, or agentkit does not understand it."""


class NotOffered(Exception):
    """The server does not have it, and agentkit does not say that it has."""


Check = Callable[["Peer"], str]
"""Gives a detail where all is as it should be, else raises one of the two."""


def want(holds: object, otherwise: str) -> None:
    if not holds:
        raise Differs(otherwise)


@frozen
class Answer:
    """One answer: what agentkit made of it, and what came."""

    head: ResponseHead
    body: bytes
    chunks: tuple[Chunk, ...] = ()
    error: ProviderError | None = None

    @property
    def deltas(self) -> list[str]:
        return [chunk.text for chunk in self.chunks if isinstance(chunk, TextDelta)]

    @property
    def text(self) -> str:
        return "".join(self.deltas)

    @property
    def reasoning(self) -> str:
        return "".join(chunk.text for chunk in self.chunks if isinstance(chunk, ReasoningDelta))

    @property
    def finish(self) -> FinishReason | None:
        return next((chunk.reason for chunk in self.chunks if isinstance(chunk, Finish)), None)

    @property
    def usage(self) -> Usage | None:
        return next((chunk.usage for chunk in self.chunks if isinstance(chunk, UsageReport)), None)

    @property
    def notices(self) -> list[str]:
        return [chunk.message for chunk in self.chunks if isinstance(chunk, Notice)]

    @property
    def calls(self) -> list[ToolCall]:
        pieces: dict[int, list[str]] = {}
        for chunk in self.chunks:
            if isinstance(chunk, CallDelta):
                call = pieces.setdefault(chunk.index, ["", "", ""])
                for place, more in enumerate((chunk.id, chunk.name, chunk.arguments)):
                    call[place] += more
        return [ToolCall.parse(*call) for call in pieces.values()]

    def whole(self) -> Answer:
        """This answer, where it is one; raises what went wrong."""
        if self.error is not None:
            raise self.error
        return self


@frozen(kw_only=True)
class Peer:
    """One server, one model, and agentkit's view of both."""

    backend: str
    url: str
    model: str
    key: str | None = None
    cuts: int = 24
    """At how many places the continued reply is cut; 0 is at every one."""
    overflow_words: int = 3000
    story: str = "Tell me a story."
    """A question with a long answer that ends by itself."""
    transport: HTTPTransport = field(factory=HTTPTransport)

    @cached_property
    def provider(self) -> Provider:
        return get_provider(self.backend, base_url=self.url, api_key=self.key)

    @property
    def named(self) -> dict[str, Any]:
        """What a conversation is opened with."""
        return {
            "model": f"{self.backend}/{self.model}",
            "base_url": self.url,
            "api_key": self.key,
            "options": self.settings(),
        }

    @property
    def can(self) -> Capabilities:
        return self.provider.capabilities(self.model)

    def settings(self, **more: Any) -> Options:
        return Options(**{"temperature": 0.0, "max_tokens": 400, **more})

    def ask(
        self,
        *messages: Message | str,
        stream: bool = False,
        prefix: bool = False,
        model: str | None = None,
        **settings: Any,
    ) -> Answer:
        """Ask in agentkit's words."""
        request = ChatRequest(
            model=model or self.model,
            messages=[user(each) if isinstance(each, str) else each for each in messages],
            stream=stream,
            prefix=prefix,
            options=self.settings(**settings),
        )
        return self.answer(self.provider.encode(request))

    def ask_raw(self, body: bytes | dict[str, Any]) -> Answer:
        """Send a body of one's own to where chats go."""
        wire = self.provider.encode(ChatRequest(model=self.model, messages=[user("x")], stream=False))
        return self.answer(evolve(wire, body=body if isinstance(body, bytes) else json.dumps(body).encode()))

    def ask_with_a_wrong_key(self) -> Answer:
        other = get_provider(self.backend, base_url=self.url, api_key=WRONG_KEY)
        return self.answer(other.encode(ChatRequest(model=self.model, messages=[user("Hello")], stream=False)))

    def answer(self, wire: HTTPRequest) -> Answer:
        """Send a request as a driver would, and decode what comes, in the pieces in which it comes."""
        opened = self.transport.open(wire, PATIENCE, StopSignal())
        try:
            if not 200 <= opened.head.status < 300:
                body = b"".join(iter(lambda: opened.read(PATIENCE.idle), b""))
                return Answer(opened.head, body, error=self.provider.decode_error(opened.head, body))
            decoder = self.provider.decoder(opened.head, max_line=MAX_LINE)
            body, chunks = b"", list[Chunk]()
            while data := opened.read(PATIENCE.idle):
                body += data
                chunks += decoder.feed(data)
            chunks += decoder.close()
        finally:
            opened.close()
        fault = next((chunk.error for chunk in chunks if isinstance(chunk, Fault)), None)
        return Answer(opened.head, body, tuple(chunks), fault)

    def get(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[ResponseHead, bytes]:
        """Ask for anything else, at the origin of the server."""
        origin = "/".join(self.url.split("/")[:3])
        headers = [("accept", "application/json"), ("accept-encoding", "identity")]
        headers += [("content-type", "application/json")] if body is not None else []
        headers += [("authorization", f"Bearer {self.key}")] if self.key else []
        data = b"" if body is None else json.dumps(body).encode()
        wire = HTTPRequest(method=method, url=origin + path, headers=tuple(headers), body=data)
        opened = self.transport.open(wire, PATIENCE, StopSignal())
        try:
            return opened.head, b"".join(iter(lambda: opened.read(PATIENCE.idle), b""))
        finally:
            opened.close()
