"""A stage for flows that run tools: a backend that calls until it is given results, and tools that run at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from stepping import SSE, Stage, delta, event, finish

from agentkit.effects import Abandon, Await, Effect, Launch, News, Open, Raised, Read, Reported, Returned, Supply
from agentkit.store import Record
from agentkit.tools import AnyTool, ToolContext


def called(*named: str, text: str = "") -> bytes:
    """The body of a reply that calls these tools."""
    made = [
        {"index": place, "id": f"c{place + 1}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for place, name in enumerate(named)
    ]
    return (
        (delta(text) if text else b"")
        + event({"choices": [{"index": 0, "delta": {"tool_calls": made}}]})
        + finish("tool_calls")
    )


class ToolStage(Stage):
    """Answers as the world would, in one thread; `before` and `after` see each effect."""

    def __init__(self, journal: list[Record] | None = None, calls: Iterable[str] = ("one", "two")) -> None:
        super().__init__((), journal)
        self.calls = list(calls)
        self.before: Callable[[Effect[Any]], None] = lambda effect: None
        self.after: Callable[[Effect[Any]], None] = lambda effect: None
        self.news: list[News] = []
        self.waiting: set[int] = set()
        self.step = 0.0
        """Seconds that each wait takes."""
        self.slow: set[str] = set()
        """Tools that never end."""
        self._unread: list[bytes] = []
        self._done: list[Record] | None = None

    def answer(self, effect: Effect[Any]) -> Any:
        self.before(effect)
        made = self._answered(effect)
        self.after(effect)
        return made

    def _answered(self, effect: Effect[Any]) -> Any:
        if isinstance(effect, Launch | Await | Abandon | Supply | Open | Read):
            self.effects.append(effect)
        match effect:
            case Launch():
                self._launch(effect)
                return self.now
            case Await():
                self.now += self.step
                told, self.news = self.news, []
                self.waiting -= {each.place for each in told if not isinstance(each, Reported)}
                return told, self.now
            case Abandon():
                places = self.waiting if effect.places is None else set(effect.places)
                told, self.news = self.news, []
                self.waiting = self.waiting - places
                return told
            case Supply():
                return effect.tools()
            case Open():
                said = json.loads(effect.request.body)["messages"]
                self._unread = [delta("done") + finish() if said[-1]["role"] == "tool" else called(*self.calls)]
                return SSE, self.now
            case Read():
                return (self._unread.pop(0) if self._unread else b""), self.now
            case _:
                return super().answer(effect)

    def _launch(self, effect: Launch) -> None:
        self.waiting.add(effect.place)
        if effect.call.tool.name in self.slow:
            return
        context = ToolContext(
            call_id=effect.context.call_id,
            key=effect.context.key,
            report=lambda message: self.news.append(Reported(effect.place, message)),
        )
        try:
            value = effect.call.run(context)
        except Exception as error:
            self.news.append(Raised(effect.place, error))
        else:
            self.news.append(Returned(effect.place, value))


def tools(*made: AnyTool) -> dict[str, AnyTool]:
    return {each.name: each for each in made}
