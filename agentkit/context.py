"""What of a conversation goes into a request: the user's settings for it. The plan that follows is in the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeAlias, get_args

from attrs import Attribute, field, frozen

from agentkit._checks import plain_function, whole
from agentkit.errors import InvalidInput
from agentkit.messages import Message
from agentkit.tokens import TokenCounter

PolicyName = Literal["drop_oldest", "summarize", "keep_first_and_last"]
POLICIES: tuple[str, ...] = get_args(PolicyName)


@frozen
class Group:
    """What is left out together or not at all: a message of the user and all that answers it."""

    index: int
    """Where it begins in the history."""
    messages: tuple[Message, ...]
    tokens: int
    """At most."""
    pinned: bool = False
    """It stays, whatever is said of it."""


PolicyFunction: TypeAlias = Callable[[Sequence[Group], int], Iterable[int]]
"""From the groups sent so far, oldest first, and the tokens that they are to come to: the places in that list of those
to leave out. The last group, which holds the question, and pinned ones stay. Where too much is left, the oldest
go; so a function can never make a request that does not fit."""


def _share(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise InvalidInput(f"{attribute.name} must be a number above 0 and at most 1, not {value!r}")


def _policy(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if callable(value):
        plain_function(attribute.name, value)
    elif value not in POLICIES:
        raise InvalidInput(f"policy is one of {', '.join(POLICIES)}, or a function; not {value!r}")


_COUNTS = ("kind", "margin", "base", "text", "message", "tools")


def _counter(instance: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None and (isinstance(value, type) or not all(hasattr(value, name) for name in _COUNTS)):
        raise InvalidInput(f"counter must be a TokenCounter, such as counter_from_file() makes, not {value!r:.80}")


@frozen(kw_only=True)
class ContextPolicy:
    """How much of a conversation goes into a request, and what is left out first. Left out is not lost: the journal
    keeps it, and a message that is pinned (`pin(message)`) always goes along."""

    window: int | None = field(default=None, validator=whole(1))
    """Tokens that prompt and reply share; None is what the backend says."""
    reserve: int | None = field(default=None, validator=whole(0))
    """Tokens of the window that are kept for the reply; None is the reply's `max_tokens`, or a quarter of the window
    and at most 4,096."""
    policy: PolicyName | PolicyFunction = field(default="drop_oldest", validator=_policy)
    trigger: float = field(default=1.0, validator=_share)
    """Something is left out once the prompt comes to more than this share of its room."""
    keep: float = field(default=0.5, validator=_share)
    """And then so much that it comes to at most this share, so that the next requests begin alike: a backend reads
    again only what has changed. `max_history` and `max_pairs` are trimmed to the same share."""
    keep_first: int = field(default=1, validator=whole(1, optional=False))
    """How many groups "keep_first_and_last" keeps at the beginning."""
    max_history: int | None = field(default=None, validator=whole(1))
    """Messages of the history that go along at most, the question included."""
    max_pairs: int | None = field(default=None, validator=whole(0))
    """Earlier questions that go along at most, each with what answers it."""
    shorten_tool_results: int | None = field(default=None, validator=whole(1))
    """Before anything is left out, results of tools in earlier groups are cut to about so many tokens each."""
    summary_tokens: int = field(default=512, validator=whole(16, optional=False))
    """The most that a summary may come to."""
    counter: TokenCounter | None = field(default=None, validator=_counter)
    """What prompts are counted with; None is the counter of the model."""

    def __attrs_post_init__(self) -> None:
        if self.keep > self.trigger:
            raise InvalidInput(f"keep={self.keep} is above trigger={self.trigger}: trimming would never end")
        if self.window is not None and self.reserve is not None and self.reserve >= self.window:
            raise InvalidInput(f"reserve={self.reserve} leaves nothing of window={self.window} for the prompt")


def pin(message: Message) -> Message:
    """The same message, marked to go along with every request, together with the group it is in."""
    return message.with_meta("agentkit", pinned=True)


def pinned(message: Message) -> bool:
    """The message is marked so."""
    return bool(message.meta.get("agentkit", {}).get("pinned"))
