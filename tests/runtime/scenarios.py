"""One way to write a scenario for three runtimes: blocking, asyncio and trio.

A scenario is an async function that gets an `Opener`. For the blocking runtime the conversation is wrapped so that its
methods can be awaited, and the scenario is stepped without any event loop.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from agentkit import AsyncConversation, AsyncTurn, Conversation, Event, Turn, ValueTurn

RUNTIMES = ("blocking", "asyncio", "trio")

Scenario = Callable[["Opener"], Coroutine[Any, Any, None]]


class AwaitableTurn:
    """A blocking turn with the face of an async one."""

    def __init__(self, turn: Turn | ValueTurn[Any]) -> None:
        self.turn = turn
        self.stop = turn.stop

    async def __aenter__(self) -> AwaitableTurn:
        self.turn.__enter__()
        return self

    async def __aexit__(self, *what: Any) -> None:
        self.turn.__exit__(*what)

    def __aiter__(self) -> AwaitableTurn:
        return self

    async def __anext__(self) -> Event:
        try:
            return next(self.turn)
        except StopIteration:
            raise StopAsyncIteration from None

    async def finish(self) -> Any:
        return self.turn.finish()

    @property
    def reply(self) -> Any:
        return self.turn.reply

    @property
    def value(self) -> Any:
        assert isinstance(self.turn, ValueTurn)
        return self.turn.value


class AwaitableConversation:
    """A blocking conversation with the face of an async one."""

    def __init__(self, chat: Conversation) -> None:
        self.chat = chat

    async def __aenter__(self) -> AwaitableConversation:
        return self

    async def __aexit__(self, *what: Any) -> None:
        self.chat.close()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.chat, name)
        if not callable(value):
            return value
        if name.startswith("stream"):
            return lambda *arguments, **named: AwaitableTurn(value(*arguments, **named))

        async def call(*arguments: Any, **named: Any) -> Any:
            result = value(*arguments, **named)
            return AwaitableConversation(result) if isinstance(result, Conversation) else result

        return call


class Opener:
    """Opens conversations of one runtime, and does what differs between the runtimes."""

    def __init__(self, runtime: str, **settings: Any) -> None:
        self.runtime = runtime
        self.settings = settings

    def __call__(self, model: Any = None, **changes: Any) -> Any:
        settings = {**self.settings, **changes}
        chosen = settings.pop("model", None) if model is None else model
        settings.pop("model", None)
        if self.runtime == "blocking":
            return AwaitableConversation(Conversation(chosen, **settings))
        return AsyncConversation(chosen, **settings)

    async def together(self, *calls: Callable[[], Awaitable[Any]]) -> list[Any]:
        """Run calls at the same time; what each returned, or the exception it raised."""
        results: list[Any] = [None] * len(calls)
        if self.runtime == "blocking":
            import threading

            def in_thread(place: int) -> None:
                results[place] = outcome_of(calls[place])

            threads = [threading.Thread(target=in_thread, args=(place,)) for place in range(len(calls))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            return results

        async def in_task(place: int) -> None:
            try:
                results[place] = await calls[place]()
            except Exception as error:
                results[place] = error

        async with anyio.create_task_group() as tasks:
            for place in range(len(calls)):
                tasks.start_soon(in_task, place)
        return results

    async def sleep(self, seconds: float) -> None:
        if self.runtime == "blocking":
            time.sleep(seconds)
        else:
            await anyio.sleep(seconds)


def outcome_of(call: Callable[[], Awaitable[Any]]) -> Any:
    try:
        return step(call())
    except Exception as error:
        return error


def step(waiting: Any) -> Any:
    """Run a coroutine that never waits."""
    try:
        waiting.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a blocking scenario waited")


def play(runtime: str, scenario: Scenario, **settings: Any) -> None:
    opener = Opener(runtime, **settings)
    if runtime == "blocking":
        step(scenario(opener))
    else:
        anyio.run(partial(scenario, opener), backend=runtime)


async def collect(turn: Turn | AsyncTurn | Any, *, stop_after: int | None = None) -> list[Event]:
    """All events of a turn; after `stop_after` of them the turn is asked to stop."""
    events: list[Event] = []
    async for event in turn:
        events.append(event)
        if len(events) == stop_after:
            turn.stop()
    return events
