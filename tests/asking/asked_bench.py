"""What the tests of `ask` share: types, scripted backends that differ in what they can do, and their answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen, validators

from agentkit import Message, ToolCall, assistant
from agentkit.provider import Capabilities, ChatRequest
from agentkit.store import Discarded, Record
from agentkit.stores.memory import MemoryStore
from agentkit.testing import ScriptedProvider
from agentkit.testing._scripted import Scripted


@frozen
class Step:
    what: str
    minutes: int = 5


@frozen
class Plan:
    """A plan for one morning."""

    title: str
    steps: list[Step]


@frozen
class Rating:
    stars: int = field(validator=[validators.ge(1), validators.le(5)])


DAY = {"title": "Day", "steps": [{"what": "swim", "minutes": 30}]}
PLAN = Plan("Day", [Step("swim", 30)])

CAN: Mapping[str, Mapping[str, bool]] = {
    "native": {},
    "call": {"json_mode": False},
    "words": {"json_mode": False, "tool_choice": False},
    "bare": {"json_mode": False, "tools": False, "tool_choice": False},
}
"""What a backend lacks that is asked in this way; a bare one has no tools at all."""


class Able(ScriptedProvider):
    """A scripted backend that can do so much."""

    def __init__(self, answers: Iterable[Scripted], way: str = "native", *, prefix: bool = True, **can: Any) -> None:
        super().__init__(answers, prefix=prefix)
        self._can = {**CAN[way], **can}

    def capabilities(self, model: str, /) -> Capabilities:
        return evolve(super().capabilities(model), **self._can)


def said(value: object, way: str = "native", *, place: int = 1, name: str = "answer") -> Scripted:
    """A reply that brings a value in this way."""
    if way == "call":
        return assistant(given(value, place=place, name=name))
    return value if isinstance(value, str) else json.dumps(value)


def given(value: object, *, place: int = 1, name: str = "answer") -> ToolCall:
    """The call that brings a value; a text is taken for arguments as the model wrote them."""
    return ToolCall.parse(f"a{place}", name, value if isinstance(value, str) else json.dumps(value))


def roles(messages: Iterable[Message]) -> str:
    """One letter for each message."""
    return "".join(message.role[0] for message in messages)


def texts(request: ChatRequest) -> list[str]:
    return [message.text for message in request.messages]


def kinds(events: Iterable[object]) -> list[str]:
    """The classes of the events, those that follow each other told once."""
    names = [type(event).__name__ for event in events]
    return [name for place, name in enumerate(names) if not place or names[place - 1] != name]


def records(store: MemoryStore, name: str) -> list[Record]:
    return [entry.record for entry in store.read(name)]


def discarded(store: MemoryStore, name: str) -> list[Discarded]:
    return [record for record in records(store, name) if isinstance(record, Discarded)]
