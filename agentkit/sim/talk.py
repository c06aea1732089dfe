"""What every wire shares: the values of a conversation as the simulator sees it. No wire format and no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import field, frozen


@frozen
class Call:
    """A tool call; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@frozen(kw_only=True)
class Said:
    """One message."""

    role: str
    """system, user, assistant or tool."""
    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    call_id: str = ""
    """Of a tool message: the call that it answers."""


@frozen
class Tool:
    """A tool that the request offers."""

    name: str
    schema: Mapping[str, Any] = field(factory=dict[str, Any])


@frozen(kw_only=True)
class Ask:
    """One request for a reply, whatever wire it came by."""

    messages: tuple[Said, ...]
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    """auto, none, required, or `=name` for the tool that must be called."""
    parallel: bool = True
    """One reply may hold several calls."""
    in_words: bool = False
    """The tools are described in the text, and calls are written there."""
    limit: int | None = None
    """The most new tokens."""
    stop: tuple[str, ...] = ()
    shape: Mapping[str, Any] | None = None
    """The JSON schema that the text must follow."""
    prompt_tokens: int = 0
    anew: bool = False
    """Another answer than the first one."""
    endless: bool = False
    """The reply may go on beyond the window."""
    thinks: bool | None = None
    """Whether the model thinks; None: when it is told to in words."""


@frozen(kw_only=True)
class Reply:
    """What the simulator says, before limits and faults."""

    reasoning: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()


@frozen(kw_only=True)
class Failure:
    """A refusal, or an error in mid-reply."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | int | None = None
    param: str | None = None
    retry_after: float | None = None
    invalid: bool = False
    """The request breaks the rules: the client has a mistake."""
    more: Mapping[str, Any] = field(factory=dict[str, Any])
    """What only one server says besides."""


class Refused(Exception):
    """Carries a `Failure` to where it is answered."""

    def __init__(self, failure: Failure, delay: float = 0.0, *, inside: bool = False) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.delay = delay
        """Seconds before the head of the answer."""
        self.inside = inside
        """Told as an event of a stream, where one was asked for."""


@frozen
class Reason:
    """One token of reasoning."""

    text: str


@frozen
class Speak:
    """One token of text."""

    text: str


@frozen
class CallStart:
    """The head of a tool call; counts as one token."""

    index: int
    call: Call


@frozen
class CallPiece:
    """One token of the arguments of a tool call."""

    index: int
    text: str


@frozen
class Pause:
    """Nothing is sent for so many seconds. At the beginning of a body: before the head, too."""

    seconds: float


@frozen
class Drop:
    """The connection breaks. At the beginning of a body: before the head."""

    orderly: bool = False
    """The answer ends here as if it were whole."""


@frozen
class Break:
    """An error in mid-reply."""

    failure: Failure


@frozen(kw_only=True)
class End:
    """The reply ends here: stop, length or tool_calls."""

    finish: str
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


Token: TypeAlias = Reason | Speak | CallStart | CallPiece
Step: TypeAlias = Token | Pause | Drop | Break | End
"""A reply in time, as every wire plays it."""
