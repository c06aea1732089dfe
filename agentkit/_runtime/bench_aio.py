"""Where tools run under an event loop: those that are async in tasks of it, the others in threads as ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
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

    async def quiet(self) -> None:
        """Wait until no task runs."""
        while self._cancels:
            self._ended = anyio.Event()
            await self._ended.wait()

    def _soon(self, call: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop is over, and its tasks with it
            self._loop.soon(call)

    def _start(self, effect: Launch, context: ToolContext) -> None:
        if effect.call.tool.is_async:
            self._spawn(effect.place, partial(effect.call.run, context))
        else:
            super()._start(effect, context)

    def _awaited(self, place: int, value: Awaitable[Any]) -> None:
        self._soon(lambda: self._spawn(place, lambda: value))

    def _spawn(self, place: int, begin: Callable[[], Awaitable[Any]]) -> None:
        scope = anyio.CancelScope()
        self._cancels[place] = scope.cancel

        async def run() -> None:
            news: News | None = None
            try:
                with scope:
                    news = Returned(place, await begin())
            except BaseException as error:
                news = Raised(place, error)
                if isinstance(error, anyio.get_cancelled_exc_class()):
                    raise
            finally:
                self._cancels.pop(place, None)
                self._ended.set()
                if news is not None:
                    self._post(news)

        self._loop.spawn(run)

    def _cancel(self, places: set[int]) -> None:
        for place in places:
            cancel = self._cancels.get(place)
            if cancel is not None:
                self._soon(cancel)
