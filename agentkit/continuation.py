"""How a cut reply is continued: the settings of it, and what those who watch are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, cast, get_args

from attrs import Attribute, field, frozen

from agentkit._checks import function, number, one_of, plain_function, whole
from agentkit.errors import AgentKitError, InvalidInput
from agentkit.usage import Usage

Way: TypeAlias = Literal["auto", "native", "raw", "echo", "overlap"]
WAYS: tuple[str, ...] = get_args(Way)
"""`auto` takes the best that the backend can do, and the next one where that fails."""
OnError: TypeAlias = Literal["raise", "return_partial", "retry"]
ON_ERROR: tuple[str, ...] = get_args(OnError)
_DAY = 86400.0


@frozen(kw_only=True)
class Progress:
    """What is known before another attempt."""

    attempt: int
    """Of the continuation, from 1."""
    max_attempts: int
    strategy: str
    reason: str
    """Why the reply counts as cut."""
    text: str
    """All of it so far."""
    usage: Usage
    """Of all attempts so far."""


PromptMaker: TypeAlias = Callable[[int, int, str, str], str]
"""From attempt, most attempts, text so far and question to what is said to the model."""
ErrorJudge: TypeAlias = Callable[[AgentKitError, Progress], OnError]


def _prompt(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if callable(value):
        plain_function(attribute.name, value)
    elif value is not None and not (isinstance(value, str) and value.strip()):
        raise InvalidInput(f"prompt must be a text, or a function that makes one, not {value!r:.80}")


def _delay(instance: object, attribute: Attribute[Any], value: Any) -> None:
    pair = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value, value)
    good = [isinstance(each, int | float) and not isinstance(each, bool) and 0 <= each <= _DAY for each in pair]
    if len(pair) != 2 or not all(good) or cast("float", pair[0]) > cast("float", pair[1]):  # noqa: PLR2004 - from and to
        raise InvalidInput(f"delay must be a number of seconds, or a range (from, to) of them, not {value!r:.80}")


@frozen(kw_only=True)
class Continuation:
    """When and how a reply that was cut by a limit is continued, so that one whole reply comes of it."""

    max_attempts: int = field(default=8, validator=whole(0, optional=False))
    """Requests after the first one; 0 leaves a cut reply as it is."""
    strategy: Way = field(default="auto", validator=one_of(WAYS))
    detect: bool = True
    """A reply that ends inside a block of code, a table or a JSON document counts as cut, whatever the backend says."""
    on_disconnect: Literal["stop", "continue"] = field(default="stop", validator=one_of(("stop", "continue")))
    """A reply whose connection breaks after its first words ends as interrupted, or is continued like a cut one."""
    ensure_complete: bool = False
    """A reply that is cut all the same is raised as `IncompleteReply`, which carries it."""
    on_error: OnError | ErrorJudge = field(
        default="raise", validator=one_of(("raise", "return_partial"), or_function=True)
    )
    """An error of a continuation is raised, with all the text on it; or the reply is returned as far as it came; or a
    function says which, or `retry`."""
    prompt: str | PromptMaker | None = field(default=None, validator=_prompt)
    """What is said to the model in place of agentkit's own words, where it must be asked to go on."""
    on_progress: Callable[[Progress], object] | None = field(default=None, validator=function)
    """Called before each continuation."""
    delay: float | tuple[float, float] = field(default=0.0, validator=_delay)
    """Seconds before each continuation; of a range, one that depends on the turn."""
    max_tokens: int | None = field(default=None, validator=whole(1))
    """Tokens of the whole reply, all attempts together, after which no other one is made."""
    max_seconds: float | None = field(default=None, validator=number(0))
    """Seconds after which no other attempt is made."""
    max_cost: float | None = field(default=None, validator=number(0))
    """What the reply may cost before no other attempt is made; `price` says what it does cost."""
    price: Callable[[Usage], float] | None = field(default=None, validator=function)
    """The cost of what was used, in the unit of `max_cost`."""

    def __attrs_post_init__(self) -> None:
        if self.max_cost is not None and self.price is None:
            raise InvalidInput("max_cost needs price=, a function from Usage to what it costs")
