"""A provider for Harbour, a service that does not exist: a template for one of your own.

Harbour answers a POST with lines of JSON: `{"thought": "..."}`, `{"text": "..."}`, and at last
`{"end": "stop", "tokens": {"in": 5, "out": 2}}`. Copy this file and change what your backend does otherwise; the test
beside it tells whether the rules are kept, and docs/providers.md explains them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from agentkit import (
    FinishReason,
    Message,
    Notice,
    Options,
    ProtocolError,
    ProviderError,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    Unsupported,
    Usage,
)
from agentkit.provider import Capabilities, ChatRequest, Chunk, Fault, Finish, HTTPRequest, ResponseHead, UsageReport
from agentkit.providers.openai_chat import ErrorReader

HAS = {"max_tokens": "limit", "temperature": "temperature"}  # ours, and what Harbour calls them
LACKS = ("top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "reasoning_effort")
FINISH = {"stop": FinishReason.STOP, "limit": FinishReason.LENGTH}


@frozen(kw_only=True)
class Harbour:
    """The service. A provider holds settings, and makes values of values: it never opens a connection."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)  # a key is never shown
    name: str = "harbour"

    def capabilities(self, model: str, /) -> Capabilities:
        """What it can do. Say no where you are not sure: what is claimed is relied on."""
        return Capabilities(tools=False, parallel_tools=False, tool_choice=False, reasoning_in=False, json_mode=False)

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        """The request as it leaves; `Unsupported` where leaving something out would change what it means."""
        if request.prefix:
            raise Unsupported(f"{self.name} cannot go on from the beginning of a reply")
        settings, notices = _settings(request.options)
        messages = [
            {"role": message.role, "text": text} for message in request.messages if (text := self._text(message))
        ]
        body = {"model": request.model, "messages": messages, **settings, **request.options.extra}
        return HTTPRequest(
            method="POST",
            url=f"{self.base_url}/generate",
            headers=(("content-type", "application/json"), ("authorization", f"Bearer {self.api_key or 'none'}")),
            body=json.dumps(body).encode(),
            notices=notices,
        )

    def _text(self, message: Message) -> str:
        for part in message.parts:
            if not isinstance(part, Text | Reasoning):
                raise Unsupported(f"{self.name} carries text only, not {part!r:.200}")
        return message.text.strip()

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> HarbourDecoder:
        return HarbourDecoder(max_line)  # a fresh one for each answer

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        """What a refusal is, by its status and its words; the reader knows the shapes that are about."""
        return ErrorReader(source=self.name, secrets=(self.api_key,) if self.api_key else ()).response(head, body)


def _settings(options: Options) -> tuple[dict[str, Any], tuple[Notice, ...]]:
    """The settings that it has, and a word on each that it lacks."""
    has = {theirs: value for ours, theirs in HAS.items() if (value := getattr(options, ours)) is not None}
    told = [Notice(f"the backend has no setting {name}") for name in LACKS if getattr(options, name) not in (None, ())]
    return has, tuple(told)


class HarbourDecoder:
    """Bytes to chunks. However the bytes are cut, the chunks are the same; it never raises; the end comes once."""

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._tail = b""
        self._over = False

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        *lines, self._tail = (self._tail + data).split(b"\n")
        chunks = [chunk for line in lines for chunk in self._read(line)]
        return chunks if len(self._tail) <= self._max_line else [*chunks, *self._read(self._tail)]

    def close(self) -> Sequence[Chunk]:
        """What is left; a `Fault` where the end of the answer never came."""
        chunks = self._read(self._tail)
        return chunks if self._over else [*chunks, *self._failed("the answer ended early")]

    def _read(self, line: bytes) -> list[Chunk]:
        if self._over or not line.strip():
            return []
        if len(line) > self._max_line:
            return self._failed(f"a line is longer than {self._max_line} bytes")
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return self._failed("a line is no JSON")
        return self._chunks(value) if isinstance(value, dict) else self._failed("a line is no JSON object")

    def _chunks(self, value: dict[str, Any]) -> list[Chunk]:
        match value:
            case {"thought": str(thought)} if thought:
                return [ReasoningDelta(_encodable(thought))]
            case {"text": str(text)} if text:
                return [TextDelta(_encodable(text))]
            case {"error": error}:
                return self._failed(_encodable(f"{error}")[:200])
            case {"end": str(end)}:
                self._over = True
                return [*_counted(value.get("tokens")), Finish(FINISH.get(end, FinishReason.UNKNOWN), _encodable(end))]
            case _:
                return []  # what the service may add one day

    def _failed(self, why: str) -> list[Chunk]:
        self._over = True
        return [Fault(ProtocolError(f"harbour: {' '.join(why.split())}"))]


def _counted(tokens: object) -> list[Chunk]:
    match tokens:
        case {"in": int(read), "out": int(written)} if read >= 0 and written >= 0:
            return [UsageReport(Usage(input_tokens=read, output_tokens=written))]
        case _:
            return []  # then agentkit guesses, and says so


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON may hold half a character


def harbour(base_url: str | None, api_key: str | None) -> Harbour:
    """What the entry point names: a provider at this address, or its own, with this key, if any."""
    return Harbour(base_url=(base_url or "https://harbour.example.com/v1").rstrip("/"), api_key=api_key)
