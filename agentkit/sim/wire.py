"""What a wire is: a function from one request to one answer, or to None where the path is not its own.

A wire reads its own format, asks the stage for a performance and plays it in its own format. The values here are what
wires and simulator say to each other; a wire never sees a socket and never waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from attrs import field, frozen

from agentkit.sim.profiles import DEFAULT
from agentkit.sim.stage import Performance
from agentkit.sim.talk import Ask, Drop, Failure, Pause

T = TypeVar("T")

_MOST_SHOWN = 200
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

Item: TypeAlias = bytes | Pause | Drop
"""A piece of the body of an answer."""


@frozen(kw_only=True)
class SimRequest:
    """One request, as it came."""

    number: int
    """Counts from 1."""
    method: str
    path: str
    """In the log: as it came; for a wire: without the name of the profile."""
    profile: str = DEFAULT
    """The name of the profile that it asked."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    json: Any = None
    """The body; None where it is no JSON."""
    malformed: str | None = None
    """Why the body is no JSON."""
    query: Mapping[str, str] = field(factory=dict[str, str])
    problem: str | None = None
    """In the log: why the request breaks the rules, if it does."""


@frozen
class SimResponse:
    """An answer. A body that begins with a pause or a drop has it before the head."""

    status: int
    headers: Mapping[str, str]
    body: Iterator[Item]
    problem: str | None = None
    """Why the request breaks the rules, if it does."""

    def close(self) -> None:
        """Stop making the body."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()


class House(Protocol):
    """What is the same for all requests."""

    @property
    def seed(self) -> int: ...

    @property
    def window(self) -> int: ...

    @property
    def models(self) -> tuple[str, ...]: ...

    def perform(self, ask: Ask, /) -> Performance:
        """Decide what happens; raises `Refused` for an error that was ordered."""
        ...

    def keep(self, make: Callable[[], T], /) -> T:
        """What a wire keeps between requests: made at its first use, forgotten with all else."""
        ...


class Stage(House, Protocol):
    """What a wire may ask of the simulator, for one request."""

    def admit(self) -> None:
        """Let the request in, before anything of it is read; raises `Refused` for an error that was ordered.

        A wire that does not ask has the error written for it, as OpenAI writes it.
        """
        ...


Wire: TypeAlias = Callable[[SimRequest, Stage], SimResponse | None]


def as_object(value: Any) -> dict[str, Any] | None:
    """A JSON object; None for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_array(value: Any) -> list[Any] | None:
    """A JSON array; None for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else None  # type: ignore[redundant-cast]


def shown(value: Any) -> str:
    """A value for a message: never much of it."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def encoded(value: Any) -> bytes:
    """JSON as bytes; half a character, which no encoding carries, becomes a question mark."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def json_response(
    status: int, value: Any, *, failure: Failure | None = None, before: tuple[Item, ...] = ()
) -> SimResponse:
    """A whole JSON answer; `before` comes ahead of its head."""
    body = encoded(value)
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    if failure is not None and failure.retry_after is not None:
        headers["retry-after"] = f"{failure.retry_after:g}"
    problem = failure.message if failure is not None and failure.invalid else None
    return SimResponse(status, headers, iter((*before, body)), problem)
