"""Conversation and AsyncConversation: two thin faces over one engine.

They differ only in the driver that runs the flow; what both share is in `_face`. Logic belongs in the engine.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agentkit._engine.beginning import Rewind, Task
from agentkit._engine.turn import turn
from agentkit._engine.undo import undo
from agentkit._face import Face, index_of, question
from agentkit._runtime.session import Session
from agentkit._runtime.steps import Steps
from agentkit._runtime.transport import StopSignal
from agentkit.events import Reply
from agentkit.messages import Message, Prompt
from agentkit.options import Options

if TYPE_CHECKING:
    from agentkit._runtime.aio import AsyncTurn
    from agentkit._runtime.blocking import Turn


class Conversation(Face):
    """A conversation with a model, for blocking code. Safe to use from many threads; turns run one after the other."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def send(self, prompt: Prompt, *, turn_id: str | None = None, options: Options | None = None) -> Reply:
        """Say something and wait for the reply.

        A `turn_id` makes the turn idempotent: sent again, also after a restart, it returns the same reply and no second
        request is made.

        Raises:
            AgentKitError: with `.reply`, which holds what was received before the failure.
        """
        return self.stream(prompt, turn_id=turn_id, options=options).finish()

    def stream(self, prompt: Prompt, *, turn_id: str | None = None, options: Options | None = None) -> Turn:
        """Say something and watch the reply come: `with chat.stream("...") as turn: for event in turn: ...`."""
        return self._turn(self._task(ask=question(prompt), turn_id=turn_id, options=options))

    def resume(self, *, options: Options | None = None) -> Reply:
        """Finish the last turn, if it was interrupted, cut or failed; otherwise return its reply."""
        return self.stream_resume(options=options).finish()

    def stream_resume(self, *, options: Options | None = None) -> Turn:
        """The same as `resume`, to watch. Its first delta is what the reply had come to."""
        return self._turn(self._task(options=options))

    def retry(self, *, options: Options | None = None) -> Reply:
        """Ask the last question again; the reply it had stays in the journal, out of sight."""
        return self.stream_retry(options=options).finish()

    def stream_retry(self, *, options: Options | None = None) -> Turn:
        """The same as `retry`, to watch."""
        return self._turn(self._task(rewind=Rewind(), options=options))

    def edit(self, index: int, prompt: Prompt, *, options: Options | None = None) -> Reply:
        """Say something else in place of message `index`, and go on from there; the old branch stays in the journal."""
        return self.stream_edit(index, prompt, options=options).finish()

    def stream_edit(self, index: int, prompt: Prompt, *, options: Options | None = None) -> Turn:
        """The same as `edit`, to watch."""
        return self._turn(
            self._task(ask=question(prompt), rewind=Rewind(index=index_of("index", index)), options=options)
        )

    def undo(self) -> tuple[Message, ...]:
        """Take back the last question and what came of it; returns those messages."""
        return self._turn(self._task(), flow=undo).finish().messages

    def fork(self, *, at: int | None = None, name: str | None = None) -> Conversation:
        """A new conversation that begins with the messages before `at` (all of them, if None). Copies nothing."""
        return self._fork(at, name)

    def close(self) -> None:
        """Free what the conversation holds. It stays in its store."""
        self._close()

    def _turn(self, task: Task, flow: Any = turn) -> Turn:
        from agentkit._runtime.blocking import Turn, World

        signal = StopSignal()
        session = Session(self._opened.store, self._name, self._limiter, signal.set)
        world = World(self._transport, session, signal)
        steps = Steps(flow(task, self._live_journal()), session, world.perform, self._opened.enter(), self._explain)
        return Turn(steps, world, signal, lambda: self._so_far(task), self._lost)


class AsyncConversation(Face):
    """A conversation with a model, for async code: asyncio and trio. Turns run one after the other."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, prompt: Prompt, *, turn_id: str | None = None, options: Options | None = None) -> Reply:
        """Say something and wait for the reply.

        A `turn_id` makes the turn idempotent: sent again, also after a restart, it returns the same reply and no second
        request is made.

        Raises:
            AgentKitError: with `.reply`, which holds what was received before the failure.
        """
        return await self.stream(prompt, turn_id=turn_id, options=options).finish()

    def stream(self, prompt: Prompt, *, turn_id: str | None = None, options: Options | None = None) -> AsyncTurn:
        """Say something and watch the reply: `async with chat.stream("...") as turn: async for event in turn: ...`."""
        return self._turn(self._task(ask=question(prompt), turn_id=turn_id, options=options))

    async def resume(self, *, options: Options | None = None) -> Reply:
        """Finish the last turn, if it was interrupted, cut or failed; otherwise return its reply."""
        return await self.stream_resume(options=options).finish()

    def stream_resume(self, *, options: Options | None = None) -> AsyncTurn:
        """The same as `resume`, to watch. Its first delta is what the reply had come to."""
        return self._turn(self._task(options=options))

    async def retry(self, *, options: Options | None = None) -> Reply:
        """Ask the last question again; the reply it had stays in the journal, out of sight."""
        return await self.stream_retry(options=options).finish()

    def stream_retry(self, *, options: Options | None = None) -> AsyncTurn:
        """The same as `retry`, to watch."""
        return self._turn(self._task(rewind=Rewind(), options=options))

    async def edit(self, index: int, prompt: Prompt, *, options: Options | None = None) -> Reply:
        """Say something else in place of message `index`, and go on from there; the old branch stays in the journal."""
        return await self.stream_edit(index, prompt, options=options).finish()

    def stream_edit(self, index: int, prompt: Prompt, *, options: Options | None = None) -> AsyncTurn:
        """The same as `edit`, to watch."""
        return self._turn(
            self._task(ask=question(prompt), rewind=Rewind(index=index_of("index", index)), options=options)
        )

    async def undo(self) -> tuple[Message, ...]:
        """Take back the last question and what came of it; returns those messages."""
        return (await self._turn(self._task(), flow=undo).finish()).messages

    async def fork(self, *, at: int | None = None, name: str | None = None) -> AsyncConversation:
        """A new conversation that begins with the messages before `at` (all of them, if None). Copies nothing."""
        from agentkit._runtime.aio import in_thread

        return await in_thread(self._fork, at, name)

    async def close(self) -> None:
        """Free what the conversation holds. It stays in its store."""
        self._close()

    def _turn(self, task: Task, flow: Any = turn) -> AsyncTurn:
        from agentkit._runtime.aio import AsyncTurn, AsyncWorld

        session = Session(self._opened.store, self._name, self._limiter, lambda: None)
        world = AsyncWorld(self._async_transport, session)
        steps = Steps(flow(task, self._live_journal()), session, world.perform_now, self._opened.enter(), self._explain)
        return AsyncTurn(steps, world, lambda: self._so_far(task), self._lost)
