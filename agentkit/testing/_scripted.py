"""A provider that answers from a list, without a network: for tests of programs that hold conversations."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from agentkit.errors import AgentKitError, ProtocolError, ProviderError
from agentkit.events import ReasoningDelta, TextDelta
from agentkit.messages import Message, Reasoning, Text, ToolCall
from agentkit.provider import (
    CallDelta,
    Capabilities,
    ChatRequest,
    Chunk,
    Fault,
    Finish,
    HTTPRequest,
    ResponseHead,
    UsageReport,
)
from agentkit.usage import FinishReason, Usage

if TYPE_CHECKING:
    from anyio import CancelScope

    from agentkit._runtime.transport import StopSignal
    from agentkit.options import Timeouts

Scripted = str | Message | AgentKitError | Sequence[str | float]
"""One answer: a text, or a `Cut` one; a message with thinking or calls; an error, raised in its place; or pieces of
text, where a number is a pause in seconds."""


class Cut(str):
    """A scripted text that ends at the backend's limit of tokens."""

    __slots__ = ()


OK = ResponseHead(200, {"content-type": "application/x-ndjson"})


class ScriptedProvider:
    """Answers the n-th request with the n-th of `answers`; give it to a `Conversation` as its model.

    `requests` holds what was asked, in the vocabulary of agentkit. One more request than answers is a `ProtocolError`.
    """

    name = "scripted"
    base_url = "scripted://"
    model = "scripted"

    def __init__(self, answers: Iterable[Scripted], *, prefix: bool = True) -> None:
        self.requests: list[ChatRequest] = []
        self._answers = list(answers)
        self._prefix = prefix
        self._lock = threading.Lock()

    def capabilities(self, model: str, /) -> Capabilities:
        return Capabilities(prefix=self._prefix, repeats_prefix=False)

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        with self._lock:
            self.requests.append(request)
        return HTTPRequest(method="POST", url=self.base_url)

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> ScriptedDecoder:
        return ScriptedDecoder()

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        return ProtocolError(f"the script answered {head.status}", status=head.status)

    def transport(self) -> ScriptedTransport:
        return ScriptedTransport(self)

    def async_transport(self) -> AsyncScriptedTransport:
        return AsyncScriptedTransport(self)

    def next_answer(self) -> list[bytes | float]:
        """The lines of the next answer, and the pauses between them.

        Raises:
            AgentKitError: the script says so, or has no answer left.
        """
        with self._lock:
            if not self._answers:
                raise ProtocolError(f"the script has no answer to request {len(self.requests)}")
            answer = self._answers.pop(0)
        if isinstance(answer, AgentKitError):
            raise answer
        return _lines(answer)


def _lines(answer: str | Message | Sequence[str | float]) -> list[bytes | float]:
    steps: list[Any] = []
    match answer:
        case str():
            steps = [{"text": piece} for piece in answer.splitlines(keepends=True)]
        case Message():
            steps = [step for place, part in enumerate(answer.parts) for step in _part(place, part)]
        case _:
            steps = [piece if isinstance(piece, int | float) else {"text": piece} for piece in answer]
    calls = isinstance(answer, Message) and bool(answer.tool_calls)
    steps.append({"finish": "length" if isinstance(answer, Cut) else "tool_calls" if calls else "stop"})
    return [float(step) if isinstance(step, int | float) else json.dumps(step).encode() + b"\n" for step in steps]


def _part(place: int, part: object) -> list[dict[str, Any]]:
    match part:
        case Text():
            return [{"text": part.text}]
        case Reasoning():
            return [{"reasoning": part.text}]
        case ToolCall():
            return [{"call": [place, part.id, part.name, part.arguments_json]}]
        case _:
            raise ProtocolError(f"a scripted message holds text, reasoning and calls, not {part!r}")


class ScriptedDecoder:
    """Reads the lines that `ScriptedProvider` writes."""

    def __init__(self) -> None:
        self._tail = b""
        self._said = 0
        self._finished = False

    def feed(self, data: bytes, /) -> list[Chunk]:
        *lines, self._tail = (self._tail + data).split(b"\n")
        return [chunk for line in lines for chunk in self._read(json.loads(line))]

    def _read(self, step: dict[str, Any]) -> list[Chunk]:
        match step:
            case {"text": str(text)}:
                self._said += len(text.split())
                return [TextDelta(text)]
            case {"reasoning": str(text)}:
                return [ReasoningDelta(text)]
            case {"call": [index, call_id, name, arguments]}:
                return [CallDelta(index, call_id, name, arguments)]
            case _:
                self._finished = True
                return [
                    UsageReport(Usage(output_tokens=self._said)),
                    Finish(FinishReason(step["finish"]), step["finish"]),
                ]

    def close(self) -> list[Chunk]:
        return [] if self._finished else [Fault(ProtocolError("the script ended in the middle of an answer"))]


class ScriptedAnswer:
    """An open answer of `ScriptedTransport`."""

    head = OK

    def __init__(self, lines: list[bytes | float], signal: StopSignal) -> None:
        self._lines = lines
        self._signal = signal

    def read(self, timeout: float | None, /) -> bytes:
        self._signal.check()
        while self._lines:
            line = self._lines.pop(0)
            if isinstance(line, bytes):
                return line
            self._signal.wait(line)
        return b""

    def close(self) -> None:
        self._lines.clear()


class ScriptedTransport:
    """Leads to a `ScriptedProvider`, for blocking conversations."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self._provider = provider

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> ScriptedAnswer:
        return ScriptedAnswer(self._provider.next_answer(), signal)


class AsyncScriptedAnswer:
    """An open answer of `AsyncScriptedTransport`."""

    head = OK

    def __init__(self, lines: list[bytes | float]) -> None:
        self._lines = lines
        self._pausing: CancelScope | None = None

    async def read(self, timeout: float | None, /) -> bytes:
        import anyio.lowlevel

        await anyio.lowlevel.checkpoint()
        while self._lines:
            line = self._lines.pop(0)
            if isinstance(line, bytes):
                return line
            with anyio.CancelScope() as self._pausing:
                await anyio.sleep(line)
            self._pausing = None
        return b""

    async def close(self) -> None:
        self._lines.clear()

    def abandon(self) -> None:
        self._lines.clear()
        if self._pausing is not None:
            self._pausing.cancel()


class AsyncScriptedTransport:
    """Leads to a `ScriptedProvider`, for async conversations."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self._provider = provider

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AsyncScriptedAnswer:
        return AsyncScriptedAnswer(self._provider.next_answer())
