"""What a backend is to the engine: pure translation, both ways. Protocols and the values they speak.

A provider is a frozen value that holds configuration only. It never opens a connection: `encode` turns a request into
bytes, a fresh decoder turns the bytes of one answer into chunks, `decode_error` turns a refusal into an error. A whole
JSON reply is a stream of one chunk, so there is one way to decode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen

from agentkit.errors import ProviderError
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import Message
from agentkit.options import Options
from agentkit.usage import FinishReason, Usage


@frozen(kw_only=True)
class Capabilities:
    """What a backend can do with one model."""

    stream: bool = True
    tools: bool = True
    parallel_tools: bool = True
    """Several calls in one reply, and their results in any order."""
    tool_choice: bool = True
    """The caller can demand a tool, or forbid all."""
    system_role: bool = True
    reasoning_out: bool = True
    """Thinking comes apart from the text."""
    reasoning_in: bool = True
    """Thinking of earlier messages can be given back."""
    usage: bool = True
    max_tokens: bool = True
    json_mode: bool = True
    """The reply can be bound to a JSON schema."""
    prefix: bool = False
    """A trailing assistant message is continued where it stops."""
    repeats_prefix: bool | None = None
    """The continuation begins with the text it continues; None where it depends."""
    window: int | None = None
    """Tokens that prompt and reply share; None where it is unknown."""
    max_output: int | None = None
    """Tokens of one reply at most; None where it is unknown."""
    repeatable: bool = False
    """The same request may be sent again even where it may have been executed."""


@frozen(kw_only=True)
class ChatRequest:
    """One request, in the vocabulary of agentkit."""

    model: str
    messages: Sequence[Message]
    options: Options = Options()
    stream: bool = True
    prefix: bool = False
    """The last message is the beginning of the reply; the backend is to go on from there."""


@frozen(kw_only=True)
class HTTPRequest:
    """One request, as it leaves."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=lambda h: repr(tuple(name for name, _ in h)))
    body: bytes = field(default=b"", repr=lambda b: f"<{len(b)} bytes>")
    notices: tuple[Notice, ...] = ()
    """What the backend lacks and the request therefore does without."""
    repeatable: bool = False


@frozen
class ResponseHead:
    """Status and headers of an answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]


@frozen
class CallDelta:
    """A piece of a tool call. Pieces with one `index` belong together; `arguments` is added up."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@frozen
class UsageReport:
    """The backend's own count for this request."""

    usage: Usage


@frozen
class Finish:
    """The backend says that the reply ends here, and why; `raw` is its own word."""

    reason: FinishReason
    raw: str | None = None


@frozen
class Details:
    """Facts of this answer for `message.meta[provider]`: id, model, fingerprint."""

    values: Mapping[str, Any]


@frozen
class Fault:
    """The answer is an error, breaks the format or ended too early. Always the last chunk; what came before counts."""

    error: ProviderError


Chunk: TypeAlias = TextDelta | ReasoningDelta | CallDelta | UsageReport | Finish | Details | Notice | Fault
"""What a decoder says. Text and reasoning are the events that the caller sees: one object each, made once."""


class Decoder(Protocol):
    """Turns the bytes of one answer into chunks. Any cutting of the bytes gives the same chunks. Never raises."""

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        """Chunks that `data` completes."""
        ...

    def close(self) -> Sequence[Chunk]:
        """The last chunks, at the end of the bytes; a `Fault` where the answer is not whole."""
        ...


class Provider(Protocol):
    """A backend."""

    @property
    def name(self) -> str: ...

    @property
    def base_url(self) -> str: ...

    def capabilities(self, model: str, /) -> Capabilities: ...

    def encode(self, request: ChatRequest, /) -> HTTPRequest: ...

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Decoder: ...

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError: ...
