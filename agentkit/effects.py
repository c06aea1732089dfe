"""What the engine may ask of the world, as values.

A flow is a generator that yields effects and events and returns a result. A driver performs each effect, sends its
answer back into the flow (or throws its error there), and hands each event to the caller. To write a flow, delegate:
`data, now = yield from do(Read())`. Forgetting `yield from` makes a step that never happens.

There is at most one open answer at a time in a flow: `Open` begins it, `Read` takes from it, `Close` ends it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast

from attrs import frozen

from agentkit.events import Event
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead
from agentkit.store import Record

R = TypeVar("R")


class Effect(Generic[R]):
    """Something to be done outside; its answer is an R."""

    __slots__ = ()


class Stopped(BaseException):  # noqa: N818 - not an error
    """Thrown into a flow, in place of an answer, when the caller asked the turn to stop."""


Step: TypeAlias = Event | Effect[Any]
Flow: TypeAlias = Generator[Step, Any, R]


def do(effect: Effect[R]) -> Flow[R]:
    """Ask for an effect and return its answer, typed."""
    return cast("R", (yield effect))


@frozen
class Now(Effect[float]):
    """Seconds on the monotonic clock."""


@frozen
class Sleep(Effect[None]):
    """Wait. A stop of the turn ends the wait at once."""

    seconds: float


@frozen
class Open(Effect[ResponseHead]):
    """Send a request and wait for the head of its answer.

    Raises:
        ConnectError, ConnectionLost, TimeoutError
    """

    request: HTTPRequest
    timeouts: Timeouts


@frozen
class Read(Effect[tuple[bytes, float]]):
    """The next bytes of the open answer, and the monotonic time; no bytes at its end.

    Raises:
        ConnectionLost
        TimeoutError: nothing came for `timeout` seconds.
    """

    timeout: float | None = None


@frozen
class Close(Effect[None]):
    """End the open answer, if there is one. Its connection is kept for the next request only after a whole answer."""


@frozen
class Reserve(Effect[float]):
    """Take a place for one request in the rate limit of this backend; the answer is how long to wait for it."""

    tokens: int


@frozen
class Brake(Effect[None]):
    """The backend asked to wait: hold back all conversations that share its rate limit."""

    seconds: float


@frozen
class Acquire(Effect[bool]):
    """Ask for the right to write; True once it is granted. After a grant, what others wrote meanwhile is known."""


@frozen
class Interrupt(Effect[None]):
    """Ask whoever holds the right to write to stop."""


@frozen
class Divert(Effect[None]):
    """Go on in a fork of the conversation, made now."""


@frozen
class Append(Effect[None]):
    """Write records to the journal and to the history; with `durable` they survive a power cut.

    Raises:
        StaleWriter, StoreError
    """

    records: Sequence[Record]
    durable: bool = False


@frozen
class Release(Effect[None]):
    """Give the right to write back, or stop asking for it."""
