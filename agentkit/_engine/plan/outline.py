"""The messages of a history as they can be sent, with what they cost: grows with the history, message by message."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from operator import add, sub
from typing import NamedTuple

from attrs import frozen

from agentkit._engine.history import History, repair
from agentkit.context import pinned
from agentkit.messages import Message, ToolResult
from agentkit.tokens import TokenCounter, cost, count, uncertain


class Sum(NamedTuple):
    """What some messages come to. Sums of neighbours are differences of sums from the beginning."""

    tokens: int = 0
    margin: int = 0
    doubtful: int = 0
    """How many messages hold what no vocabulary can count."""
    messages: int = 0
    """Without those of the system."""
    questions: int = 0
    system: int = 0
    user: int = 0
    assistant: int = 0
    tool: int = 0

    @property
    def upper(self) -> int:
        return self.tokens + self.margin

    def plus(self, other: Sum) -> Sum:
        return Sum._make(map(add, self, other))

    def minus(self, other: Sum) -> Sum:
        return Sum._make(map(sub, self, other))


NOTHING = Sum()
_ROLES = Sum._fields[-4:]


def sum_of(counter: TokenCounter, message: Message, *, live: bool = False) -> Sum:
    """What one message comes to."""
    doubtful = uncertain(message)
    counted = count(counter, cost(counter, message, live=live), uncertain=doubtful)
    tokens, role = counted.value, message.role
    kinds = (int(doubtful), int(role != "system"), int(asks(message)))
    return Sum(tokens, counted.margin, *kinds, *[tokens if role == each else 0 for each in _ROLES])


def asks(message: Message) -> bool:
    """A question: a message of the user that does not bring the results of tools."""
    return message.role == "user" and not follows(message)


def follows(message: Message) -> bool:
    """It belongs to the call before it, if there is one."""
    return not message.parts or any(isinstance(part, ToolResult) for part in message.parts)


@frozen
class Row:
    """A message that can be sent, and where it belongs; places are those of rows in the outline.

    A unit is one message, or one with calls and their results. A group is a question with all that answers it.
    """

    message: Message
    source: int
    """Its place in the history; that of the message before it where repair made it up."""
    unit: int
    group: int
    total: Sum
    """Of all rows up to and including this one."""
    pinned: bool


class Outline:
    """A value, as `History` is: growing gives a new one, and both share what they have in common."""

    __slots__ = ("_length", "_messages", "_rows", "_taken", "counter", "history")

    def __init__(self, counter: TokenCounter) -> None:
        self.counter = counter
        self.history = History()
        self._rows: list[Row] = []
        self._messages: list[Message] = []
        self._length = 0
        self._taken: tuple[dict[str, int], dict[str, int]] = ({}, {})
        """The ids of calls: of those before the last unit, and of all."""

    @classmethod
    def of(cls, counter: TokenCounter, history: History) -> Outline:
        return cls(counter).following(history)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, place: int) -> Row:
        return self._rows[place]

    def messages(self, start: int, stop: int) -> list[Message]:
        """The messages of these rows."""
        return self._messages[start:stop]

    def sum(self, start: int, stop: int) -> Sum:
        """What the rows from `start` up to `stop` come to."""
        if start >= stop:
            return NOTHING
        end = self._rows[stop - 1].total
        return end if start == 0 else end.minus(self._rows[start - 1].total)

    def place(self, source: int) -> int:
        """The first row that comes from this place of the history, or from a later one."""
        return bisect_left(self._rows, source, hi=self._length, key=lambda row: row.source)

    def last_group(self) -> int:
        """Where the group under way begins."""
        return self._rows[self._length - 1].group if self._length else 0

    def live(self) -> Iterator[tuple[int, int]]:
        """Rows of the turn under way in which thinking counts, with what it adds; the last one first."""
        for place in range(self._length - 1, -1, -1):
            message = self._messages[place]
            if message.role == "user":
                return
            extra = cost(self.counter, message, live=True) - cost(self.counter, message)
            if extra:
                yield place, extra

    def following(self, history: History) -> Outline:
        """The outline of `history`: what it has in common with the one before is not looked at again."""
        if history.common(self.history) == len(self.history) == len(history):
            return self
        start = self._start(history)
        made = self._first(self.place(start))
        made.history = history
        made._take(start, history.since(start))  # noqa: SLF001 - it is one of us
        return made

    def kept(self, history: History) -> int:
        """How many of the rows stay as they are where `history` is followed."""
        return self.place(self._start(history))

    def _start(self, history: History) -> int:
        """Where `history` must be looked at anew: a unit that has changed begins there, or a new one."""
        start = history.common(self.history)
        if start < len(self.history):
            start = max(start - 1, 0)
        while 0 < start < len(history) and follows(history[start]):
            start -= 1
        return start

    def _first(self, keep: int) -> Outline:
        """The first rows of this one, ready to grow: copied where something comes after them already."""
        made = Outline(self.counter)
        whole = keep == len(self._rows)
        made._rows = self._rows if whole else self._rows[:keep]
        made._messages = self._messages if whole else self._messages[:keep]
        made._length = keep
        made._taken = self._taken_before(keep)
        return made

    def _taken_before(self, keep: int) -> tuple[dict[str, int], dict[str, int]]:
        if keep == self._length:
            return self._taken
        if keep == self._rows[self._length - 1].unit:
            return self._taken[0], self._taken[0]
        taken = {call.id: 1 for message in self._messages[:keep] for call in message.tool_calls}
        return taken, taken

    def _take(self, start: int, messages: tuple[Message, ...]) -> None:
        begin, calls = 0, False
        for place, message in enumerate(messages):
            if place > begin and not (calls and follows(message)):
                self._take_unit(start + begin, messages[begin:place])
                begin, calls = place, False
            calls = calls or bool(message.tool_calls)
        if messages:
            self._take_unit(start + begin, messages[begin:])

    def _take_unit(self, source: int, unit: tuple[Message, ...]) -> None:
        taken = self._taken[1]
        after = dict(taken) if any(message.tool_calls for message in unit) else taken
        self._taken = (taken, after)
        first = self._length
        sources = {id(message): source + offset for offset, message in enumerate(unit)}
        fit = repair(unit, after)
        group = first if fit and asks(fit[0]) else self.last_group()
        for message in fit:
            source = max(source, sources.get(id(message), source))
            total = self.sum(0, self._length).plus(sum_of(self.counter, message))
            self._rows.append(Row(message, source, first, group, total, pinned(message)))
            self._messages.append(message)
            self._length += 1
