"""Settings of a conversation and of one turn: frozen values, checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from attrs import Attribute, asdict, evolve, field, frozen

from agentkit._checks import number, shown, whole
from agentkit.errors import (
    AgentKitError,
    AuthError,
    ContextOverflow,
    InvalidInput,
    JobFailed,
    ProtocolError,
    QuotaExceeded,
    RateLimited,
    ServerError,
    TransportError,
)

OnBusy = Literal["queue", "reject", "interrupt", "fork"]
"""What to do where another turn of the same conversation is running."""
ON_BUSY: tuple[str, ...] = get_args(OnBusy)


_DAY = 86400.0
"""The longest pause between two requests."""


def _fields(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{attribute.name} must be a mapping of names to values, not {shown(value)}")


def _statuses(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, frozenset | set) or not all(isinstance(item, int) for item in cast("set[object]", value)):
        raise InvalidInput(f"{attribute.name} must be a set of whole numbers, not {shown(cast('object', value))}")


def _stop_words(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if not isinstance(value, tuple) or not all(isinstance(word, str) and word for word in value):  # pyright: ignore[reportUnknownVariableType]
        raise InvalidInput(f"stop must be a tuple of non-empty texts, not {shown(cast('object', value))}")


def _text(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise InvalidInput(f"{attribute.name} must be a non-empty text, not {shown(value)}")


def _switch(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f"{attribute.name} must be True or False, not {shown(value)}")


@frozen(kw_only=True)
class Options:
    """How the model should answer. None leaves the choice to the backend."""

    temperature: float | None = field(default=None, validator=number(0, 2))
    top_p: float | None = field(default=None, validator=number(0, 1))
    max_tokens: int | None = field(default=None, validator=whole(1))
    """The most tokens of one reply."""
    stop: tuple[str, ...] = field(default=(), validator=_stop_words)
    seed: int | None = field(default=None, validator=whole(0))
    presence_penalty: float | None = field(default=None, validator=number(-2, 2))
    frequency_penalty: float | None = field(default=None, validator=number(-2, 2))
    reasoning_effort: str | None = field(default=None, validator=_text)
    """low, medium or high where the backend has the switch."""
    tool_choice: str | None = field(default=None, validator=_text)
    """auto, required, none, or the name of a tool: what the model has to do first; it is free once a tool has run."""
    parallel_tool_calls: bool | None = field(default=None, validator=_switch)
    """Whether one reply may call several tools."""
    extra: Mapping[str, Any] = field(factory=dict[str, Any], validator=_fields)
    """Fields for the wire as they are; they win over everything else."""

    def over(self, base: Options) -> Options:
        """These options, with `base` where these say nothing."""
        said = {name: value for name, value in asdict(self, recurse=False).items() if value not in (None, ())}
        return evolve(base, **{**said, "extra": {**base.extra, **self.extra}})


@frozen(kw_only=True)
class Timeouts:
    """Seconds, on the monotonic clock. None is without limit."""

    connect: float | None = field(default=10.0, validator=number(0.001))
    first_byte: float | None = field(default=300.0, validator=number(0.001))
    """From the request to the head of its answer: a local server may load a model and read a long prompt meanwhile."""
    idle: float | None = field(default=60.0, validator=number(0.001))
    """Between two pieces of content; comments and blank lines do not count."""
    total: float | None = field(default=None, validator=number(0.001))
    """For one whole request, its answer included."""

    @classmethod
    def of(cls, value: float | Timeouts | None) -> Timeouts:
        """A number limits every wait for the backend; None keeps the defaults."""
        match value:
            case None:
                return cls()
            case Timeouts():
                return value
            case _:
                made = cls(first_byte=value, idle=value)
                return evolve(made, connect=min(value, 10.0))


@frozen(kw_only=True)
class RetryPolicy:
    """When a request that failed before anything was shown is sent again."""

    max_attempts: int = field(default=4, validator=whole(1, optional=False))
    """Requests in all, the first included."""
    base_delay: float = field(default=0.5, validator=number(0, _DAY, optional=False))
    max_delay: float = field(default=8.0, validator=number(0, _DAY, optional=False))
    max_retry_after: float = field(default=120.0, validator=number(0, _DAY, optional=False))
    """A backend that asks for a longer wait than this gets none: the error is raised at once."""
    statuses: frozenset[int] = field(default=frozenset({429, 502, 503, 504}), validator=_statuses)


@frozen(kw_only=True)
class Limits:
    """Bounds that protect the caller from an answer without end."""

    max_line_bytes: int = field(default=1 << 20, validator=whole(1024, optional=False))
    """One line of a stream."""
    max_reply_bytes: int = field(default=64 << 20, validator=whole(1024, optional=False))
    """One whole answer on the wire; a quarter of it where no content comes before the end, as in one JSON document."""
    max_reply_chars: int = field(default=16 << 20, validator=whole(1, optional=False))
    """Text and reasoning of one reply."""
    max_wait: float | None = field(default=None, validator=number(0))
    """Seconds that `on_busy="queue"` waits for its place; None waits as long as it takes."""


def _errors(instance: object, attribute: Attribute[Any], value: Any) -> None:
    kinds = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (None,)
    if not all(isinstance(kind, type) and issubclass(kind, AgentKitError) for kind in kinds):
        raise InvalidInput(
            f"{attribute.name} must be a tuple of agentkit's error classes, not {shown(cast('object', value))}"
        )


def _after_output(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value not in ("continue", "stop"):
        raise InvalidInput(f"after_output is 'continue' or 'stop', not {shown(value)}")


@frozen(kw_only=True)
class Fallback:
    """When a conversation with several backends leaves one for the next."""

    errors: tuple[type[AgentKitError], ...] = field(
        default=(
            TransportError,
            AuthError,
            RateLimited,
            QuotaExceeded,
            ContextOverflow,
            ServerError,
            JobFailed,
            ProtocolError,
        ),
        validator=_errors,
    )
    """After these, once the retries are used up."""
    after_output: Literal["continue", "stop"] = field(default="continue", validator=_after_output)
    """A reply that breaks off after its first words is continued by the next backend, or ends as interrupted."""
    threshold: int = field(default=3, validator=whole(1, optional=False))
    """A backend that failed so often in a row is passed over for a while."""
    cool_down: float = field(default=30.0, validator=number(0, _DAY, optional=False))
    """Seconds of that while."""
