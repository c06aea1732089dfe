"""The messages of a conversation as a persistent value, and what makes a list of messages fit to send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


UNANSWERED = "No result: the tool was not run to its end."


def repair(messages: Sequence[Message]) -> list[Message]:
    """The same messages, fit to send: each call has exactly one result right after it, and no result lacks its call.

    Deterministic, and leaves alone what is right already. Nothing of it is stored.
    """
    repaired: list[Message] = []
    waiting: dict[str, ToolCall] = {}
    for message in messages:
        if message.role == "tool":
            results = _answering(message, waiting)
            if results is not None:
                repaired.append(results)
            continue
        if waiting:
            _answer_all(waiting, repaired)
        repaired.append(message)
        if message.role == "assistant":
            for part in message.parts:
                if isinstance(part, ToolCall):
                    waiting[part.id] = part
    _answer_all(waiting, repaired)
    return repaired


def _answering(message: Message, waiting: dict[str, ToolCall]) -> Message | None:
    """The message without results that nobody waits for; None where nothing is left."""
    parts = tuple(
        part
        for part in message.parts
        if not isinstance(part, ToolResult) or waiting.pop(part.call_id, None) is not None
    )
    if len(parts) == len(message.parts):
        return message
    return evolve(message, parts=parts) if parts else None


def _answer_all(waiting: dict[str, ToolCall], into: list[Message]) -> None:
    into.extend(Message("tool", (ToolResult(call_id, UNANSWERED, is_error=True),)) for call_id in waiting)
    waiting.clear()
