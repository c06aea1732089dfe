"""What the tests of the tool loop share: scripted replies that call, requests that are looked at, tools that wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from agentkit import Message, ToolCall, ToolResult, assistant
from agentkit.events import Event
from agentkit.provider import ChatRequest
from agentkit.testing import ScriptedProvider
from agentkit.testing._scripted import Scripted

LONG = 20.0
"""Seconds that nothing here takes, however slow the machine."""


def calls(*named: str | tuple[str, dict[str, Any]] | ToolCall) -> Message:
    """A reply that calls these, with the ids c1, c2 and so on."""
    made = [
        each if isinstance(each, ToolCall) else ToolCall(f"c{place}", *((each, {}) if isinstance(each, str) else each))
        for place, each in enumerate(named, 1)
    ]
    return assistant(*made)


class CutShort(ScriptedProvider):
    """Some of its answers end at the limit of tokens."""

    def __init__(self, answers: Iterable[Scripted], cut: Sequence[int]) -> None:
        super().__init__(answers)
        self._cut = cut
        self._given = 0

    def next_answer(self) -> list[bytes | float]:
        lines = super().next_answer()
        if self._given in self._cut:
            lines[-1] = b'{"finish": "length"}\n'
        self._given += 1
        return lines


class Script:
    """A scripted backend that takes only requests in which each call has exactly one result."""

    def __init__(self, *answers: Scripted, cut: Sequence[int] = ()) -> None:
        self.provider = CutShort(answers, cut)

    @property
    def requests(self) -> list[ChatRequest]:
        for request in self.provider.requests:
            check(request.messages)
        return self.provider.requests

    def told(self, number: int = -1) -> dict[str, str]:
        """The results that a request held, by the ids of their calls."""
        return {each.call_id: each.content for each in results(self.requests[number].messages)}


def results(messages: Iterable[Message]) -> list[ToolResult]:
    return [part for message in messages for part in message.parts if isinstance(part, ToolResult)]


def check(messages: Sequence[Message]) -> None:
    """Each call has exactly one result, before anything else is said; no result lacks its call; no id stands twice."""
    waiting: set[str] = set()
    seen: set[str] = set()
    for message in messages:
        if message.role == "tool":
            for part in message.parts:
                assert isinstance(part, ToolResult)
                assert part.call_id in waiting, f"{part.call_id} is not waited for"
                waiting.discard(part.call_id)
            continue
        assert not waiting, f"{waiting} have no result"
        for call in message.tool_calls:
            assert call.id not in seen
            assert 0 < len(call.id) <= 40
            assert isinstance(json.loads(call.arguments_json), dict)
            seen.add(call.id)
            waiting.add(call.id)
    assert not waiting, f"{waiting} have no result"


def names(events: Iterable[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


class Gate:
    """A tool that runs until it is let go, and counts how many run."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()
        self.now = self.most = self.all = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)
        self.begun.set()

    def __exit__(self, *what: object) -> None:
        with self._lock:
            self.now -= 1


def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + LONG
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)
