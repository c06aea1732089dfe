"""What a plan has to keep to. Loads nothing of the planner, since these are made for each request."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import Factory, field, frozen

from agentkit._engine.history import aside
from agentkit.context import ContextPolicy
from agentkit.messages import Message, assistant
from agentkit.tokens import TokenCounter, ToolShape

ASKED = aside(
    "Summarize our conversation up to here, for yourself: you will go on with the summary in place of the messages. "
    "Keep names, numbers, decisions, open questions and what I asked you to remember. Answer with the summary alone."
)
LESS = 3, 4
"""A prompt that was too long is followed by one of at most three quarters."""
_RESERVE, _RESERVE_SHARE = 4096, 4
_UNSEEN, _UNSEEN_SHARE = 384, 20


def _pair(summary: Summary) -> tuple[Message, Message]:
    return ASKED, assistant(summary.text)


@frozen
class Summary:
    """What the messages of the history before `upto` come to."""

    upto: int
    text: str
    messages: tuple[Message, Message] = field(default=Factory(_pair, takes_self=True), init=False, eq=False, repr=False)
    """How it goes along: as it came about, a question and its answer, so that it has no more weight than these."""


@frozen(kw_only=True)
class Terms:
    """What a plan has to keep to."""

    counter: TokenCounter
    policy: ContextPolicy = ContextPolicy()
    model: str = ""
    backend: str = ""
    """Its address: what one has counted says nothing of another."""
    window: int | None = None
    """As the backend says; the policy's own wins."""
    at_most: int | None = None
    """Tokens of this prompt, where a refusal has taught us."""
    max_tokens: int | None = None
    """What the reply may take."""
    max_pairs: int | None = None
    """Earlier questions that the backend takes at most."""
    system: Message | None = None
    tools: Sequence[ToolShape] = ()
    extra: tuple[Message, ...] = ()
    """Messages after the history that are not part of it: the beginning of the reply, the words that ask to go on."""
    reduced: tuple[Message, Message] | None = None
    """What goes along of a reply under way that is too long, which is one of those, and all of it."""
    summary: Summary | None = None

    @property
    def given(self) -> tuple[object, ...]:
        """What goes along besides the history."""
        return self.system, self.tools, self.extra, self.summary

    @property
    def needs_tokens(self) -> bool:
        """What goes along depends on tokens, and not on numbers of messages and questions alone."""
        policy = self.policy
        by_tokens = callable(policy.policy) or policy.policy == "summarize" or policy.shorten_tool_results is not None
        return by_tokens or self.room is not None

    @property
    def whole(self) -> int | None:
        """The window."""
        return self.policy.window or self.window

    @property
    def reserve(self) -> int:
        """What is kept for the reply."""
        if self.policy.reserve is not None:
            return self.policy.reserve
        if self.max_tokens is not None:
            return self.max_tokens
        return min(_RESERVE, (self.whole or 0) // _RESERVE_SHARE)

    @property
    def room(self) -> int | None:
        """Tokens of the prompt at most."""
        rooms = (None if self.whole is None else self.whole - self.reserve, self.at_most)
        return min((room for room in rooms if room is not None), default=None)

    @property
    def pairs(self) -> int | None:
        limits = (self.policy.max_pairs, self.max_pairs)
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def moves_on(self) -> bool:
        """A message of the user comes after the history, so that no thinking in it counts any more."""
        return any(message.role == "user" for message in self.extra)

    @property
    def unseen(self) -> int:
        """Tokens that the backend may add without our knowledge, until it has counted once."""
        if self.whole is None or self.counter.kind == "server":
            return 0
        return min(_UNSEEN, self.whole // _UNSEEN_SHARE)

    def comparable(self, other: Terms) -> bool:
        """What a backend counted under the one says something under the other."""
        mine, theirs = (self.counter, self.model, self.backend), (other.counter, other.model, other.backend)
        return mine == theirs
