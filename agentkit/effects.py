"""What the engine may ask of the world, as values.

A flow is a generator that yields effects and events and returns a result. A driver performs each effect, sends its
answer back into the flow (or throws its error there), and hands each event to the caller. To write a flow, delegate:
`data, now = yield from do(Read())`. Forgetting `yield from` makes a step that never happens.

There is at most one open answer at a time in a flow: `Open` begins it, `Read` takes from it, `Close` ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar, cast

from attrs import frozen

from agentkit.events import Event
from agentkit.messages import Message
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead
from agentkit.store import Entry, Record
from agentkit.tokens import TokenCounter

if TYPE_CHECKING:
    from agentkit.tools import AnyTool, BoundCall, ToolContext

R = TypeVar("R")


class Effect(Generic[R]):
    """Something to be done outside; its answer is an R."""

    __slots__ = ()


class Stopped(BaseException):
    """Thrown into a flow, in place of an answer, when the caller asked the turn to stop."""


Step: TypeAlias = Event | Effect[Any]
Flow: TypeAlias = Generator[Step, Any, R]


def do(effect: Effect[R]) -> Flow[R]:
    """Ask for an effect and return its answer, typed."""
    return cast("R", (yield effect))


@frozen
class Sleep(Effect[None]):
    """Wait. A stop of the turn ends the wait at once."""

    seconds: float


@frozen
class Open(Effect[tuple[ResponseHead, float]]):
    """Send a request and wait for the head of its answer; with it comes the monotonic time.

    Raises:
        ConnectError, ConnectionLost, TimeoutError, ProtocolError
    """

    request: HTTPRequest
    timeouts: Timeouts
    at: int = 0
    """Which of the conversation's backends it goes to."""


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
class Load(Effect[None]):
    """Make a counter ready: its tables take some tenths of a second, once in a process."""

    counter: TokenCounter


@frozen
class Now(Effect[float]):
    """The monotonic time."""


@frozen
class Reserve(Effect[float]):
    """Take a place for one request in the rate limit of this backend; the answer is how long to wait for it."""

    tokens: int


@frozen
class Settle(Effect[None]):
    """Put a reservation right, once the backend has said what the request took."""

    reserved: int
    actual: int


@frozen
class Brake(Effect[None]):
    """The backend asked to wait: hold back all conversations that share its rate limit."""

    seconds: float


@frozen
class Acquire(Effect[Sequence[Entry] | None]):
    """Ask for the right to write. Once granted: what others wrote after version `after`; until then None, ask again."""

    after: int


@frozen
class Interrupt(Effect[None]):
    """Ask whoever holds the right to write to stop."""


@frozen
class Look(Effect[Sequence[Entry]]):
    """The whole journal as it stands, without the right to write."""


@frozen
class Divert(Effect[str]):
    """Go on in a new conversation that begins with the journal up to version `at`; the answer is its name."""

    at: int


@frozen
class Append(Effect[int]):
    """Write records to the journal; the answer is its new version. With `durable` they survive a power cut.

    Raises:
        StaleWriter, StoreError
    """

    records: Sequence[Record]
    durable: bool = False


class Draft(Protocol):
    """A reply in the making, as the journal sees it. May be asked from another thread."""

    @property
    def turn_id(self) -> str: ...

    def take(self) -> Record | None:
        """What was delivered since the last call; None where nothing was."""
        ...

    def so_far(self) -> Message | None:
        """All that was delivered, as a message that is marked as interrupted; None where nothing was."""
        ...


@frozen
class Keep(Effect[None]):
    """From here until the next `Append`, write what the draft gives to the journal, at most 250 ms after it came."""

    draft: Draft


@frozen
class Supply(Effect["Mapping[str, AnyTool]"]):
    """Ask for the tools; one that brings several may start a server for it."""

    tools: Callable[[], Mapping[str, AnyTool]]


@frozen
class Launch(Effect[float]):
    """Begin to run a tool; the answer is the monotonic time."""

    place: int
    """What its news are known by."""
    call: BoundCall
    context: ToolContext


@frozen
class Reported:
    """A running tool says how far it is."""

    place: int
    message: str


@frozen
class Returned:
    """A tool has run."""

    place: int
    value: Any


@frozen
class Raised:
    """A tool has failed."""

    place: int
    error: BaseException


News: TypeAlias = Reported | Returned | Raised


@frozen
class Await(Effect[tuple[Sequence[News], float]]):
    """Wait for news of the running tools, at most `timeout` seconds; with them comes the monotonic time."""

    timeout: float | None = None


@frozen
class Abandon(Effect[Sequence[News]]):
    """Cancel running tools, all of them where no places are given. The answer is what they have said until now."""

    places: Sequence[int] | None = None


@frozen
class Release(Effect[None]):
    """Give the right to write back, or stop asking for it."""
