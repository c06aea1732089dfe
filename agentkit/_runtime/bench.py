"""Where tools run: in threads of their own. Their news are collected until the turn asks for them.

A thread cannot be ended from outside, so a tool that nobody waits for any more is told so by its context, and what it
still says is dropped.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from functools import partial
from typing import Any

import attrs

from agentkit.effects import Launch, News, Raised, Reported, Returned
from agentkit.errors import InvalidInput
from agentkit.tools import ToolContext

_NEEDS_ASYNC = "the tool is async: use it with AsyncConversation"


class Bench:
    """The running tools of one turn."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        """Called from any thread when there is news."""
        self._news: deque[News] = deque()
        self._running: set[int] = set()
        """Changed by the turn alone, so that nothing a tool says is lost between two looks."""

    def launch(self, effect: Launch, within: Context) -> None:
        place = effect.place
        self._running.add(place)
        report, cancelled = partial(self._report, place), partial(self._is_gone, place)
        self._start(effect, attrs.evolve(effect.context, report=report, cancelled=cancelled), within)

    def take(self) -> list[News]:
        """The news since the last call, of those that are waited for."""
        news: list[News] = []
        while self._news:
            each = self._news.popleft()
            if each.place in self._running:
                news.append(each)
            if not isinstance(each, Reported):
                self._running.discard(each.place)
        return news

    def abandon(self, places: Sequence[int] | None) -> list[News]:
        """Wait for these no longer; what was said before is what is known of them."""
        news = self.take()
        gone = set(self._running) if places is None else self._running.intersection(places)
        self._running -= gone
        self._cancel(gone)
        return news

    def _start(self, effect: Launch, context: ToolContext, within: Context) -> None:
        run = partial(within.run, self._work, effect, context)
        threading.Thread(target=run, daemon=True, name=f"agentkit tool {effect.call.tool.name}").start()

    def _cancel(self, places: set[int]) -> None:
        """A thread sees it in its context."""

    def _work(self, effect: Launch, context: ToolContext) -> None:
        try:
            value = effect.call.run(context)
            is_awaited = inspect.isawaitable(value)
        except BaseException as error:  # noqa: BLE001 - whatever a tool raises is told, not only what is meant to be
            self._post(Raised(effect.place, error))
            return
        if is_awaited:
            self._awaited(effect.place, value)
        else:
            self._post(Returned(effect.place, value))

    def _awaited(self, place: int, value: Awaitable[Any]) -> None:
        if inspect.iscoroutine(value):
            value.close()
        self._post(Raised(place, InvalidInput(_NEEDS_ASYNC)))

    def _post(self, news: News) -> None:
        if not self._is_gone(news.place):
            self._news.append(news)
            self._wake()

    def _report(self, place: int, message: str) -> None:
        self._post(Reported(place, str(message)))

    def _is_gone(self, place: int) -> bool:
        return place not in self._running
