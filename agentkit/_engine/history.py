"""The messages of a conversation as a persistent value, and what makes a list of messages fit to send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeAlias

from attrs import evolve

from agentkit.messages import Message, ToolCall, ToolResult, user


class History:
    """Messages in order. A value: adding gives a new one, and both share what they have in common.

    Adding to the newest value of a line is O(1); adding to an older one copies references once.
    """

    __slots__ = ("_items", "_length")

    def __init__(self, items: list[Message] | None = None, length: int = 0) -> None:
        self._items = items if items is not None else []
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Message]:
        return iter(self._items[: self._length])

    def __getitem__(self, index: int) -> Message:
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return self._items[index % self._length]

    def since(self, start: int) -> tuple[Message, ...]:
        """The messages from `start` on."""
        return tuple(self._items[start : self._length])

    def add(self, *messages: Message) -> History:
        """This history with more messages at its end. One writer per line: the conversation's lease sees to it."""
        items = self._items if len(self._items) == self._length else self._items[: self._length]
        items.extend(messages)
        return History(items, self._length + len(messages))

    def first(self, keep: int) -> History:
        """The first `keep` messages."""
        return History(self._items, min(keep, self._length))

    def common(self, other: History) -> int:
        """How many messages at the beginning are the same in both."""
        length = min(self._length, other._length)
        if self._items is other._items:
            return length
        return next((place for place in range(length) if self._items[place] is not other._items[place]), length)


def aside(text: str) -> Message:
    """What the engine says under the role of the user: no question of the user's, and not counted as one."""
    return user(text).with_meta("agentkit", aside=True)


UNANSWERED = "No result: the tool was not run to its end."

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_ID_CHARS, _NAME_CHARS, _ROOM = 40, 64, 8
"""Characters of an id, of a name, and those that a number behind an id may take."""

_Waiting: TypeAlias = list[tuple[str, str]]
"""Calls without a result: their ids as they are kept, and as they are sent."""


def repair(messages: Sequence[Message], taken: dict[str, int] | None = None) -> list[Message]:
    """The same messages, fit to send to any backend.

    Each call has exactly one result right after it, no result lacks its call, no id stands for two calls, and ids and
    names are such as the strictest backend takes. Deterministic, and leaves alone what is right already. Nothing of it
    is stored. `taken` holds the ids of the calls before these, and gets those of these.
    """
    repaired: list[Message] = []
    waiting: _Waiting = []
    taken = {} if taken is None else taken
    for message in messages:
        concerns_tools = message.memo("tools", _concerns_tools)
        rest: Message | None = message
        if concerns_tools:
            results, rest = _answering(message, waiting)
            if results is not None:
                repaired.append(results)
        if rest is None or not rest.parts:
            continue
        if waiting:
            _answer_all(waiting, repaired)
        if concerns_tools:
            rest, waiting = _calling(rest, taken)
        repaired.append(rest)
    _answer_all(waiting, repaired)
    return repaired


def _concerns_tools(message: Message) -> bool:
    return any(isinstance(part, ToolCall | ToolResult) for part in message.parts)


def _answering(message: Message, waiting: _Waiting) -> tuple[Message | None, Message | None]:
    """The results in the message that somebody waits for, and the rest of it; either may be nothing."""
    given = tuple(part for part in message.parts if isinstance(part, ToolResult))
    if not given:
        return None, message
    sent = tuple(_take(result.call_id, waiting) for result in given)
    fits = message.role == "tool" and len(given) == len(message.parts)
    if fits and all(result.call_id == call_id for result, call_id in zip(given, sent, strict=True)):
        return message, None
    results = message.memo(("results", sent), partial(_results, sent)) if any(sent) else None
    return results, None if len(given) == len(message.parts) else message.memo("without results", _without_results)


def _take(call_id: str, waiting: _Waiting) -> str | None:
    """The id under which this result is waited for; it is waited for no longer."""
    for place, (kept, sent) in enumerate(waiting):
        if kept == call_id:
            del waiting[place]
            return sent
    return None


def _results(sent: tuple[str | None, ...], message: Message) -> Message:
    given = (part for part in message.parts if isinstance(part, ToolResult))
    pairs = zip(given, sent, strict=True)
    return Message("tool", tuple(evolve(result, call_id=call_id) for result, call_id in pairs if call_id is not None))


def _without_results(message: Message) -> Message:
    return evolve(message, parts=tuple(part for part in message.parts if not isinstance(part, ToolResult)))


def _calling(message: Message, taken: dict[str, int]) -> tuple[Message, _Waiting]:
    """The message with ids and names that every backend takes, and its calls, which wait for their results now."""
    calls = message.tool_calls
    sent = tuple((_fit_id(call.id, taken), _fit_name(call.name)) for call in calls)
    waiting = [(call.id, call_id) for call, (call_id, _) in zip(calls, sent, strict=True)]
    if all((call.id, call.name) == names for call, names in zip(calls, sent, strict=True)):
        return message, waiting
    return message.memo(("calls", sent), partial(_renamed, sent)), waiting


def _renamed(sent: tuple[tuple[str, str], ...], message: Message) -> Message:
    left = iter(sent)

    def renamed(call: ToolCall) -> ToolCall:
        call_id, name = next(left)
        return evolve(call, id=call_id, name=name)

    return evolve(message, parts=tuple(renamed(part) if isinstance(part, ToolCall) else part for part in message.parts))


def _fit_id(call_id: str, taken: dict[str, int]) -> str:
    made = wanted = call_id if _ID.fullmatch(call_id) else _UNFIT.sub("", call_id)[:_ID_CHARS] or "call"
    while made in taken:
        taken[wanted] += 1
        made = f"{wanted[: _ID_CHARS - _ROOM]}-{taken[wanted]}"
    taken[made] = 1
    return made


def _fit_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else _UNFIT.sub("_", name)[:_NAME_CHARS] or "unknown"


def _answer_all(waiting: _Waiting, into: list[Message]) -> None:
    into.extend(Message("tool", (ToolResult(sent, UNANSWERED, is_error=True),)) for _, sent in waiting)
    waiting.clear()
