"""Where tools run under an event loop: those that are async in tasks of it, the others in threads as ever."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Any

import anyio

from agentkit._runtime.bench import Bench
from agentkit._runtime.loop import Loop
from agentkit.effects import Launch, News, Raised, Returned
from agentkit.tools import ToolContext


class AsyncBench(Bench):
    """The same within an event loop."""

    def __init__(self, wake: Callable[[], None], loop: Loop) -> None:
        super().__init__(lambda: self._soon(wake))
        self._loop = loop
        self._cancels: dict[int, Callable[[], object]] = {}
        self._ended = anyio.Event()
        """A task has ended since this was made."""
        self._struck: set[int] = set()
        """Tasks that somebody else cancelled: where the loop ends, that says nothing of their tools."""

    async def quiet(self) -> None:
        """Wait until no task runs."""
        while self._cancels:
            self._ended = anyio.Event()
            await self._ended.wait()

    def abandon(self, places: Sequence[int] | None) -> list[News]:
        return [news for news in super().abandon(places) if news.place not in self._struck]

    def _soon(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is over, and its tasks with it
            self._loop.soon(call)

    def _start(self, effect: Launch, context: ToolContext, within: Context) -> None:
        if effect.call.tool.is_async:
            self._spawn(effect.place, partial(effect.call.run, context), within)
        else:
            super()._start(effect, context, within)

    def _awaited(self, place: int, value: Awaitable[Any]) -> None:
        within = copy_context()

        def go_on() -> None:
            if not self._is_gone(place):
                self._spawn(place, lambda: value, within)
            elif inspect.iscoroutine(value):
                value.close()

        self._soon(go_on)

    def _spawn(self, place: int, begin: Callable[[], Awaitable[Any]], within: Context) -> None:
        scope, cancelled = anyio.CancelScope(), anyio.get_cancelled_exc_class()
        self._cancels[place] = scope.cancel

        async def run() -> None:
            news: News | None = None
            try:
                with scope:
                    news = Returned(place, await begin())
            except BaseException as error:
                news = Raised(place, error)
                if isinstance(error, cancelled):
                    self._struck.add(place)
                    raise
            finally:
                self._cancels.pop(place, None)
                self._ended.set()
                if news is not None:
                    self._post(news)

        self._loop.spawn(run, within)

    def _cancel(self, places: set[int]) -> None:
        for place in places:
            cancel = self._cancels.get(place)
            if cancel is not None:
                self._soon(cancel)
