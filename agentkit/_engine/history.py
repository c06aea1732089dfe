"""The messages of a conversation as a persistent value, and what makes a list of messages fit to send."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from attrs import evolve

from agentkit.messages import Message, ToolCall, ToolResult


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


UNANSWERED = "No result: the tool was not run to its end."

_ID_CHARS, _NAME_CHARS = 40, 64
_FIT = re.compile(r"[A-Za-z0-9_-]+")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")
_ROOM = 8
"""Characters that a number behind an id may take."""

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
        results, rest = _answering(message, waiting)
        if results is not None:
            repaired.append(results)
        if rest is None:
            continue
        _answer_all(waiting, repaired)
        if rest.role == "assistant" and rest.tool_calls:
            rest, waiting = _calling(rest, taken)
        repaired.append(rest)
    _answer_all(waiting, repaired)
    return repaired


def _answering(message: Message, waiting: _Waiting) -> tuple[Message | None, Message | None]:
    """The results in the message that somebody waits for, and the rest of it; either may be nothing."""
    given = [part for part in message.parts if isinstance(part, ToolResult)]
    if not given:
        return None, message if message.parts else None
    results = tuple(_fit_results(given, waiting))
    if message.role == "tool" and results == message.parts:
        return message, None
    rest = tuple(part for part in message.parts if not isinstance(part, ToolResult))
    return (
        message.memo(f"results {[it.call_id for it in results]}", lambda _: Message("tool", results))
        if results
        else None,
        message.memo("rest", lambda it: evolve(it, parts=rest)) if rest else None,
    )


def _fit_results(given: Sequence[ToolResult], waiting: _Waiting) -> Iterator[ToolResult]:
    for result in given:
        pair = next((pair for pair in waiting if pair[0] == result.call_id), None)
        if pair is not None:
            waiting.remove(pair)
            yield result if pair[0] == pair[1] else evolve(result, call_id=pair[1])


def _calling(message: Message, taken: dict[str, int]) -> tuple[Message, _Waiting]:
    """The message with ids and names that every backend takes, and its calls, which wait for their results now."""
    parts = tuple(_fit_call(part, taken) if isinstance(part, ToolCall) else part for part in message.parts)
    waiting = [
        (kept.id, sent.id)
        for kept, sent in zip(message.parts, parts, strict=True)
        if isinstance(kept, ToolCall) and isinstance(sent, ToolCall)
    ]
    if all(kept is sent for kept, sent in zip(message.parts, parts, strict=True)):
        return message, waiting
    return message.memo(f"calling {waiting}", lambda it: evolve(it, parts=parts)), waiting


def _fit_call(call: ToolCall, taken: dict[str, int]) -> ToolCall:
    call_id = wanted = call.id if _fits(call.id, _ID_CHARS) else _UNFIT.sub("", call.id)[:_ID_CHARS] or "call"
    while call_id in taken:
        taken[wanted] += 1
        call_id = f"{wanted[: _ID_CHARS - _ROOM]}-{taken[wanted]}"
    taken[call_id] = 1
    name = call.name if _fits(call.name, _NAME_CHARS) else _UNFIT.sub("_", call.name)[:_NAME_CHARS] or "unknown"
    return call if (call_id, name) == (call.id, call.name) else evolve(call, id=call_id, name=name)


def _fits(word: str, most: int) -> bool:
    return len(word) <= most and _FIT.fullmatch(word) is not None


def _answer_all(waiting: _Waiting, into: list[Message]) -> None:
    into.extend(Message("tool", (ToolResult(sent, UNANSWERED, is_error=True),)) for _, sent in waiting)
    waiting.clear()
