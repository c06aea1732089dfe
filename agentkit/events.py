"""What a running turn reports, one class per kind, and the reply that it ends with.

The concatenation of all `TextDelta.text` since the last tool round, or the last `Correcting`, equals the text of the
message committed. `TurnFinished` comes exactly once, last.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import frozen

from agentkit.errors import AgentKitError, ToolError
from agentkit.manifest import Manifest
from agentkit.messages import Message, ToolCall, ToolResult
from agentkit.usage import FinishReason, Outcome, Usage


@frozen
class Segment:
    """One attempt that a reply was joined from: which characters it gave, how it was asked for, how it ended."""

    start: int
    end: int
    strategy: str = "first"
    """first, or how the attempt was asked to go on: native, restart."""
    finish_reason: FinishReason = FinishReason.UNKNOWN
    usage: Usage = Usage()
    request_id: str | None = None
    backend: str = ""
    """Who gave it, as "backend/model"."""
    dropped: int = 0
    """Characters of it that the text had already, or that are no part of the text: they were not shown."""
    inserted: str = ""
    """Space that it lacked at the seam, or a comma of JSON."""


@frozen
class Reply:
    """What a turn came to."""

    message: Message
    """The last message of the assistant; empty where nothing was received."""
    messages: tuple[Message, ...]
    """All messages that the turn added, the user's included."""
    outcome: Outcome
    finish_reason: FinishReason
    usage: Usage
    turn_id: str
    conversation: str = ""
    """The name of the conversation that holds the turn: a fork where `on_busy="fork"` made one."""
    segments: tuple[Segment, ...] = ()
    error: AgentKitError | None = None
    """What ended the turn, if anything did."""
    reason: str | None = None
    """Why the message is still cut, or the turn ended before the model was done, where it is so."""
    tool_errors: tuple[ToolError, ...] = ()
    """What tools raised in this run of the turn, each with its exception as the cause; the model was told in words."""

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def reasoning(self) -> str:
        return self.message.reasoning

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        return tuple(part for message in self.messages for part in message.parts if isinstance(part, ToolResult))

    def __str__(self) -> str:
        return self.text


@frozen
class TextDelta:
    """More of the reply."""

    text: str


@frozen
class ReasoningDelta:
    """More of the model's thinking."""

    text: str


@frozen
class ToolCallStarted:
    """A tool begins to run."""

    call: ToolCall


@frozen
class ToolCallFinished:
    """A tool has answered."""

    call: ToolCall
    result: ToolResult
    error: BaseException | None = None
    """What the tool raised."""


@frozen
class ToolProgress:
    """A running tool says how far it has come."""

    call: ToolCall
    message: str


@frozen
class ApprovalNeeded:
    """A tool is not run before the user has decided; the turn ends, and `chat.pending` holds the call."""

    call: ToolCall
    reason: str = ""
    """Why this one needs a decision although its tool does not: a crash came between, so that it may have run."""


@frozen
class Correcting:
    """The reply is not of the shape that was asked for: the model is told why, and the text starts anew."""

    attempt: int
    problem: str


@frozen
class PartialValue:
    """What the JSON of a reply comes to so far: objects and lists that still grow, texts that may be cut."""

    value: Any


@frozen
class Continuing:
    """A cut reply is being continued."""

    attempt: int
    strategy: str
    reason: str
    max_attempts: int = 0
    tokens: int = 0
    """Of output so far, in all attempts."""


@frozen
class Retrying:
    """A request failed before anything was shown, and is sent again after `delay` seconds."""

    attempt: int
    delay: float
    error: AgentKitError


@frozen
class Notice:
    """Something the caller may want to know, such as a setting that the backend lacks."""

    message: str


@frozen
class Trimmed:
    """Something more of the history is left out of the request, or shortened; the journal keeps it."""

    manifest: Manifest


@frozen
class TurnFinished:
    """The turn is over and its messages are committed."""

    reply: Reply


Event: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallFinished
    | ToolProgress
    | ApprovalNeeded
    | Correcting
    | PartialValue
    | Continuing
    | Retrying
    | Trimmed
    | Notice
    | TurnFinished
)
