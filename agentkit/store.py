"""The journal of a conversation: its records, and what a store of journals must do.

A conversation is an append-only list of records; history is a projection of it. A record is numbered by the store,
from 1, without gaps, in the order of appending: that number is the version of the conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen

from agentkit.events import Segment
from agentkit.messages import Message, Meta, ToolResult
from agentkit.usage import FinishReason, Outcome, Usage


@frozen
class Configured:
    """The standing instructions from here on; None is none."""

    system: str | None


@frozen
class Imported:
    """Messages that were given, not spoken here."""

    messages: tuple[Message, ...]


@frozen
class TurnStarted:
    """A turn begins; written before its first request leaves."""

    turn_id: str
    message: Message
    model: str = ""


@frozen
class TurnResumed:
    """An interrupted turn goes on."""

    turn_id: str
    anew: bool = False
    """From the beginning: what its reply had come to is kept, but not continued."""


@frozen
class PartialReply:
    """What was delivered since the last record of this turn."""

    turn_id: str
    text: str = ""
    reasoning: str = ""


@frozen
class Replied:
    """A whole message of the assistant, in place of the partials before it."""

    turn_id: str
    message: Message
    usage: Usage = Usage()
    """What it took, where the turn goes on after it; that of the last message is in `TurnEnded`."""


@frozen
class ToolStarted:
    """A tool begins to run."""

    turn_id: str
    call_id: str
    key: str = ""
    """What the tool was given to say that it is this call: the same wherever it is tried again, in a fork, too."""


@frozen
class ToolFinished:
    """A tool has answered."""

    turn_id: str
    result: ToolResult


@frozen
class Decided:
    """The user has decided about a call: to run it, perhaps with other arguments, or what to answer in its place."""

    turn_id: str
    call_id: str
    arguments: Mapping[str, Any] | None = None
    """To run it with; None leaves those of the model."""
    answer: ToolResult | None = None
    """In place of running it."""


@frozen
class Discarded:
    """A reply that was not of the shape that was asked for; kept here, and no part of history."""

    turn_id: str
    message: Message
    problem: str = ""
    usage: Usage = Usage()


@frozen
class Failure:
    """An error, as far as it can be kept: its class, message, and wire facts."""

    kind: str
    message: str
    facts: Mapping[str, Any] = field(factory=dict[str, Any])


@frozen
class TurnEnded:
    """A turn is over."""

    turn_id: str
    outcome: Outcome
    finish_reason: FinishReason = FinishReason.UNKNOWN
    usage: Usage = Usage()
    segments: tuple[Segment, ...] = ()
    failure: Failure | None = None
    meta: Meta = field(factory=dict[str, Any])
    reason: str = ""
    """Why the reply is still cut, where it is."""


@frozen
class Summarized:
    """What the messages before `upto` come to, for requests that have no room for them; history itself is as it was."""

    upto: int
    text: str


@frozen
class Rewound:
    """History goes on after its first `keep` messages; what came later stays in the journal, out of sight."""

    keep: int


@frozen
class UnknownRecord:
    """A record written by a newer version; kept and written back unchanged."""

    data: Mapping[str, Any]


Record: TypeAlias = (
    Configured
    | Imported
    | TurnStarted
    | TurnResumed
    | PartialReply
    | Replied
    | ToolStarted
    | ToolFinished
    | Decided
    | Discarded
    | TurnEnded
    | Rewound
    | Summarized
    | UnknownRecord
)


@frozen
class Entry:
    """A record with its number and the time (seconds since 1970) at which it was stored."""

    version: int
    at: float
    record: Record


@frozen
class Lease:
    """The right to append to one conversation. A later lease has a higher token and ends the right of earlier ones."""

    name: str
    owner: str
    token: int


@frozen
class ConversationInfo:
    """One line of a list of conversations."""

    name: str
    version: int
    created_at: float
    updated_at: float
    parent: str | None = None
    busy: bool = False


class Store(Protocol):
    """Journals of conversations, by name. Safe to call from many threads at once.

    Names are data: any non-empty Unicode text without lone surrogates. All errors are `StoreError`, or
    others of agentkit where said. `agentkit.testing.store_contract` proves an implementation.
    """

    @property
    def blocking(self) -> bool:
        """Calls may wait for a disk or a network: from async code they run in a thread."""
        ...

    def read(self, name: str, /, *, after: int = 0) -> Sequence[Entry]:
        """All entries with a version above `after`, in order, inherited ones included; none for an unknown name."""
        ...

    def append(
        self, name: str, records: Sequence[Record], /, *, expect: int, lease: Lease, durable: bool = True
    ) -> int:
        """Add records, all or none, and say the new version. Makes the conversation where there is none.

        With `durable` the records survive a power cut once this returns; without, at least the end of the process.

        Raises:
            StaleWriter: the lease was taken over or released, or the version is not `expect`.
        """
        ...

    def acquire(self, name: str, owner: str, /) -> Lease | None:
        """The lease, or None where another owner holds it or came first; ask again until it is granted.

        Owners that keep asking are served in the order in which they first asked. The lease of an owner that is known
        to be dead is taken over at once, that of a silent one once it has not been renewed for `lease_seconds`.
        """
        ...

    def renew(self, lease: Lease, /) -> bool:
        """Keep the lease alive. True where somebody asks its owner to stop.

        Raises:
            StaleWriter: the lease was taken over.
        """
        ...

    def release(self, lease: Lease, /) -> None:
        """Give the lease back; does nothing where it is gone already."""
        ...

    def withdraw(self, name: str, owner: str, /) -> None:
        """Stop waiting for a lease that was asked for and not granted."""
        ...

    def interrupt(self, name: str, /) -> None:
        """Ask whoever holds the lease to stop; they see it when they renew."""
        ...

    def fork(self, name: str, new_name: str, /, *, at: int) -> None:
        """Make `new_name`, which begins with the entries of `name` up to version `at`, without copying them.

        Raises:
            InvalidInput: `new_name` exists already, or `name` has no version `at`.
        """
        ...

    def list(self) -> Sequence[ConversationInfo]:
        """All conversations, the one last written first."""
        ...

    def delete(self, name: str, /) -> bool:
        """Remove a conversation; forks of it keep what they inherited. False where there was none.

        Raises:
            ConversationBusy: somebody holds its lease.
        """
        ...

    def close(self) -> None:
        """Free what the store holds; calling it again does nothing."""
        ...
