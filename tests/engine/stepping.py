"""Drive a flow by hand: a script of answers to its effects, and a journal that is a plain list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from agentkit._engine.beginning import Rewind, Task
from agentkit._engine.journal import Journal
from agentkit._engine.line import Line
from agentkit.effects import (
    Acquire,
    Append,
    Close,
    Divert,
    Effect,
    Flow,
    Keep,
    Look,
    Now,
    Open,
    Read,
    Release,
    Reserve,
)
from agentkit.events import Event
from agentkit.messages import user
from agentkit.provider import ResponseHead
from agentkit.providers.openai_chat import SIM, OpenAIChat
from agentkit.store import Entry, Record

SSE = ResponseHead(200, {"content-type": "text/event-stream"})
PROVIDER = OpenAIChat(base_url="http://127.0.0.1:1/v1", dialect=SIM)


def task(ask: str | None = "hello", **changes: Any) -> Task:
    line = Line(**{"provider": PROVIDER, "model": "m", **changes.pop("line", {})})
    return Task(
        **{
            "turn_id": "t1",
            "conversation": "c",
            "lines": (line,),
            "ask": None if ask is None else user(ask),
            **changes,
        }
    )


def delta(text: str, **more: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text, **more}, "finish_reason": None}]})


def finish(reason: str = "stop") -> bytes:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}) + b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


class Stage:
    """Answers effects: `network` holds what each `Open` and `Read` finds, the rest keeps a journal."""

    def __init__(self, network: Iterable[Any] = (), journal: list[Record] | None = None, busy: int = 0) -> None:
        self.network = list(network)
        self.records: list[Record] = list(journal or [])
        self.busy = busy
        self.now = 0.0
        self.effects: list[Effect[Any]] = []
        self.events: list[Event] = []
        self.on_append: Callable[[Append], None] = lambda append: None

    @property
    def kinds(self) -> list[str]:
        return [type(effect).__name__ for effect in self.effects]

    def answer(self, effect: Effect[Any]) -> Any:
        self.effects.append(effect)
        match effect:
            case Open() | Read():
                return self._network(effect)
            case Append():
                self.on_append(effect)
                self.records.extend(effect.records)
                return len(self.records)
            case Acquire() if self.busy:
                self.busy -= 1
                return None
            case Acquire():
                return self.entries()[effect.after :]
            case Look():
                return self.entries()
            case Divert():
                self.records = self.records[: effect.at]
                return "c-fork"
            case Reserve():
                return 0.0
            case Now():
                return self.now
            case _:
                return None

    def entries(self) -> list[Entry]:
        return [Entry(number, 0.0, record) for number, record in enumerate(self.records, 1)]

    def _network(self, effect: Effect[Any]) -> Any:
        found = self.network.pop(0)
        if isinstance(found, tuple):
            found, self.now = found
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, ResponseHead) == isinstance(effect, Open)
        return found, self.now

    def run(self, flow: Flow[Any], *, stop_after: int | None = None, throw: BaseException | None = None) -> Any:
        """Step the flow to its end; after `stop_after` events, `throw` goes into it instead of an answer."""
        answer: Any = None
        thrown: BaseException | None = None
        while True:
            try:
                step = flow.send(answer) if thrown is None else flow.throw(thrown)
            except StopIteration as end:
                return end.value
            answer = thrown = None
            if isinstance(step, Effect):
                try:
                    answer = self.answer(step)
                except BaseException as error:
                    thrown = error
            else:
                self.events.append(step)
                if len(self.events) == stop_after:
                    thrown = throw


__all__ = [
    "PROVIDER",
    "SSE",
    "Close",
    "Journal",
    "Keep",
    "Release",
    "Rewind",
    "Stage",
    "delta",
    "event",
    "finish",
    "task",
]
