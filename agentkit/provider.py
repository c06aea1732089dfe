"""What a backend is to the engine: pure translation, both ways. Protocols and the values they speak.

A provider is a frozen value that holds configuration only. It never opens a connection: `encode` turns a request into
bytes, a fresh decoder turns the bytes of one answer into chunks, `decode_error` turns a refusal into an error. A whole
JSON reply is a stream of one chunk, so there is one way to decode.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeGuard, TypeVar, cast, runtime_checkable

from attrs import field, frozen

from agentkit.errors import ProviderError
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import Message
from agentkit.options import Options
from agentkit.tokens import ToolShape
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
    counts: bool = False
    """The server counts the tokens of a chat that is not yet sent: see `agentkit.providers.counting`."""
    max_tokens: bool = True
    json_mode: bool = True
    """The reply can be bound to a JSON schema."""
    prefix: bool = False
    """A trailing assistant message is continued where it stops."""
    repeats_prefix: bool | None = None
    """The continuation begins with the text it continues; None where it depends."""
    raw: bool = False
    """The conversation can go as one text, written by the template of the model, and is continued at its end."""
    window: int | None = None
    """Tokens that prompt and reply share, where the server itself does not tell; None where it is unknown."""
    max_pairs: int | None = None
    """Earlier questions with their answers that go along at most."""
    max_output: int | None = None
    """Tokens of one reply at most; None where it is unknown."""
    min_output: int | None = None
    """A lower `max_tokens` is raised to this by the backend."""
    repeatable: bool = False
    """The same request may be sent again even where it may have been executed."""


@frozen(kw_only=True)
class ReplyShape:
    """What a reply has to be: JSON of this schema."""

    name: str
    schema: Mapping[str, Any]
    strict: bool = False
    """The schema is of the kind that servers with a strict mode demand."""


@frozen(kw_only=True)
class ChatRequest:
    """One request, in the vocabulary of agentkit."""

    model: str
    messages: Sequence[Message]
    options: Options = Options()
    stream: bool = True
    prefix: bool = False
    """The last message is the beginning of the reply; the backend is to go on from there."""
    raw: bool = False
    """It does so from the conversation as one text."""
    tools: Sequence[ToolShape] = ()
    """What the model may call; none for a backend that has no tools. The choice among them is in the options."""
    prompted: Collection[str] = ()
    """The names of tools that the model is told of in the messages, so that its text may hold calls."""
    shape: ReplyShape | None = None
    """What the reply has to be; None for a backend without a JSON mode."""


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
    once: bool = False
    """A refusal is the last word: the backend has tried for long by itself."""


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


T = TypeVar("T")


@frozen
class Call:
    """One of several requests, of which the whole answer is needed; a refusal is thrown in its place, as an error."""

    request: HTTPRequest
    refusals: bool = False
    """A refusal is an answer like any other."""


@frozen
class Wait:
    """Let some seconds pass."""

    seconds: float


@frozen
class Answered:
    """The whole answer to a `Call`; `now` is the monotonic time."""

    head: ResponseHead
    body: bytes
    now: float


Rounds: TypeAlias = Generator[Chunk | Call | Wait, Any, T]
"""Several requests as straight-line code: yields chunks, pauses, and calls that are answered."""


def ask(request: HTTPRequest, *, refusals: bool = False) -> Rounds[Answered]:
    """Make a call and return its answer, typed: `answered = yield from ask(request)`."""
    return cast("Answered", (yield Call(request, refusals)))


_spoken: dict[tuple[type, type], bool] = {}


def _speaks(provider: object, protocol: type) -> bool:
    """Asked for each request, and slow to find out: once for a class is enough."""
    asked = type(provider), protocol
    if asked not in _spoken:
        _spoken[asked] = isinstance(provider, protocol)
    return _spoken[asked]


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


@runtime_checkable
class Exchanging(Protocol):
    """A provider whose reply takes several requests: `exchange` stands in place of `encode` and `decoder`."""

    def exchange(self, request: ChatRequest, /) -> Rounds[None]:
        """Ends with a `Finish`, or raises."""
        ...


def is_exchanging(provider: object) -> TypeGuard[Exchanging]:
    return _speaks(provider, Exchanging)


@frozen(kw_only=True)
class Found:
    """What a backend turned out to be."""

    provider: Provider
    model: str
    window: int | None = None


@runtime_checkable
class Detecting(Protocol):
    """A provider that asks the server what it is, before the first request."""

    def detect(self, model: str, /) -> Rounds[Found]:
        """Raises `NotConfigured` where no model is named and the server does not say which to take."""
        ...


def is_detecting(provider: object) -> TypeGuard[Detecting]:
    return _speaks(provider, Detecting)


@runtime_checkable
class Measuring(Protocol):
    """A provider whose server may tell the window that it serves."""

    def measure(self, model: str, /) -> Rounds[int | None]:
        """Ends with None where the server does not tell, or not yet."""
        ...


def is_measuring(provider: object) -> TypeGuard[Measuring]:
    return _speaks(provider, Measuring)


@runtime_checkable
class Counting(Protocol):
    """A provider whose server may count a request that is not yet sent; which models it does so for, `counts` says."""

    def count(self, request: ChatRequest, /) -> Rounds[int | None]:
        """The tokens of the prompt; ends with None where the server does not say."""
        ...


def is_counting(provider: object) -> TypeGuard[Counting]:
    return _speaks(provider, Counting)


@runtime_checkable
class Adapting(Protocol):
    """A provider that can do without what a server has just refused."""

    def adapted(self, model: str, error: ProviderError, /) -> tuple[Provider, str] | None:
        """The provider to use from now on, and what it does without; None where the error says nothing of the kind."""
        ...


def is_adapting(provider: object) -> TypeGuard[Adapting]:
    return _speaks(provider, Adapting)
