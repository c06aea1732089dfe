"""Conversation and AsyncConversation: two thin faces over one engine.

They differ only in the driver that runs the flow; what both share is in `_face`. Logic belongs in the engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from attrs import evolve

from agentkit._engine.beginning import Rewind, Task
from agentkit._engine.deciding import Decision, deciding
from agentkit._engine.turn import turn
from agentkit._engine.undo import undo
from agentkit._face import Face, index_of, question
from agentkit._runtime.session import Session
from agentkit._runtime.steps import Steps
from agentkit._runtime.transport import StopSignal
from agentkit.events import Reply
from agentkit.messages import Message, Prompt, ToolCall
from agentkit.options import Options

if TYPE_CHECKING:
    from agentkit._engine.writing import Ask
    from agentkit._runtime.aio import AsyncTurn, AsyncTurnParts, AsyncValueTurn
    from agentkit._runtime.blocking import Turn, TurnParts, ValueTurn
    from agentkit._runtime.writer import Writer
    from agentkit.pending import AsyncPendingCall, PendingCall
    from agentkit.writing import WriteProgress, Written


T = TypeVar("T")


class _Shared(Face):
    """What asking for values and writing long texts need of a conversation, whichever way it is called."""

    def _asking(
        self, prompt: Prompt, into: Any, attempts: int, turn_id: str | None, options: Options | None
    ) -> tuple[Task, Callable[[Reply], Any]]:
        from agentkit._runtime.asking import asking

        return asking(self._task(ask=question(prompt), turn_id=turn_id, options=options), into, attempts)

    def _writer(self, on_progress: Callable[[WriteProgress], object] | None, *wanted: Any) -> Writer:
        from agentkit._engine.writing import Wanted
        from agentkit._runtime.writer import writer_for

        self._check_open()
        return writer_for(Wanted(*wanted), self._journal, self._opened.store, self._name, on_progress)

    def _chapter(self, ask: Ask, options: Options | None) -> Task:
        """The turn of a chapter. The chapters before it do not go along: its question holds what it needs of them."""
        task = self._task(ask=ask.message, turn_id=ask.turn_id, options=options)
        alone = evolve(task.context, max_pairs=0, policy="drop_oldest") if ask.chapter else task.context
        return evolve(
            task, context=alone, tools={}, supply=None, on_busy="queue" if task.on_busy == "fork" else task.on_busy
        )


class Conversation(_Shared):
    """A conversation with a model, for blocking code. Safe to use from many threads; turns run one after the other."""

    _may_be_async = False

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

    @property
    def pending(self) -> tuple[PendingCall, ...]:
        """The calls that wait for a decision. Once all are decided, `resume()` goes on, also in another process."""
        from agentkit.pending import PendingCall

        return tuple(PendingCall(call, self._decide, self._tools) for call in self._journal().pending)

    def _decide(self, call: ToolCall, decision: Decision) -> None:
        _ = self._turn(self._task(), flow=deciding(call.id, decision)).finish()

    def fork(self, *, at: int | None = None, name: str | None = None) -> Conversation:
        """A new conversation that begins with the messages before `at` (all of them, if None). Copies nothing."""
        return self._fork(at, name)

    @overload
    def ask(
        self,
        prompt: Prompt,
        *,
        into: type[T],
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> T: ...
    @overload
    def ask(
        self,
        prompt: Prompt,
        *,
        into: object,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> Any: ...
    def ask(
        self,
        prompt: Prompt,
        *,
        into: Any,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> Any:
        """Ask for a value: of a class with fields, a list, a number, whatever a tool could take as an argument.

        Args:
            prompt: What to ask.
            into: The type of the value; `str` is the text of the reply.
            attempts: How often it is asked for. A reply that does not come to a value is sent back with the reason.
            turn_id: Makes the turn idempotent, as with `send`.
            options: How the model should answer.

        Raises:
            InvalidReply: no reply came to a value; the last one is on it.
            IncompleteReply: the reply was cut, stopped or withheld, or a call waits for a decision.
        """
        turn = self.stream_ask(prompt, into=into, attempts=attempts, turn_id=turn_id, options=options)
        _ = turn.finish()
        return turn.value

    @overload
    def stream_ask(
        self,
        prompt: Prompt,
        *,
        into: type[T],
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> ValueTurn[T]: ...
    @overload
    def stream_ask(
        self,
        prompt: Prompt,
        *,
        into: object,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> ValueTurn[Any]: ...
    def stream_ask(
        self,
        prompt: Prompt,
        *,
        into: Any,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> ValueTurn[Any]:
        """The same as `ask`, to watch: `PartialValue` says what the value is so far, `turn.value` what it came to."""
        from agentkit._runtime.blocking import ValueTurn

        task, value_of = self._asking(prompt, into, attempts, turn_id, options)
        return ValueTurn(self._parts(task), value_of)

    def write(
        self,
        task: str | None = None,
        *,
        words: int | None = None,
        outline: str | Iterable[str] | bool | None = None,
        into: str | os.PathLike[str] | None = None,
        append: bool = False,
        on_progress: Callable[[WriteProgress], object] | None = None,
        options: Options | None = None,
    ) -> Written:
        """Write a long text, chapter by chapter, each of them a turn of this conversation.

        Called again with the same arguments, also in another process, it goes on where it stopped; without a task, with
        the last text that was begun. What was written is neither asked for nor written again.

        Args:
            task: What to write.
            words: How long it is to be.
            outline: The titles of the chapters, as a list or a text; True asks the model for them, False writes without
                any; None asks where the text is long enough for several.
            into: A file that the text is added to as it comes. One that holds something else is refused.
            append: Add to such a file all the same.
            on_progress: Called about once a second.
            options: How the model should answer.

        Raises:
            InvalidInput: an argument is wrong, or the file cannot be written; nothing was asked for.
            AgentKitError: a turn failed, or the file could not be written any more; what came is kept.
        """
        writer = self._writer(on_progress, task, words, outline, into, append)
        try:
            while (ask := writer.next()) is not None:
                writer.tell(ask)
                with self._turn(self._chapter(ask, options)) as running:
                    for event in running:
                        writer.hear(event)
                writer.over(running.reply)
        finally:
            writer.close()
        return writer.written()

    def close(self) -> None:
        """Free what the conversation holds. It stays in its store."""
        self._close()

    def _turn(self, task: Task, flow: Any = turn) -> Turn:
        from agentkit._runtime.blocking import Turn

        return Turn(*self._parts(task, flow))

    def _parts(self, task: Task, flow: Any = turn) -> TurnParts:
        from agentkit._runtime.blocking import World

        signal = StopSignal()
        session = Session(self._opened.store, self._name, self._limiter, signal.set)
        world = World(self._transport, session, signal)
        steps = Steps(flow(task, self._live_journal()), session, world.perform, self._opened.enter(), self._explain)
        return steps, world, signal, lambda: self._so_far(task), self._lost


class AsyncConversation(_Shared):
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

    @property
    def pending(self) -> tuple[AsyncPendingCall, ...]:
        """The calls that wait for a decision. Once all are decided, `resume()` goes on, also in another process."""
        from agentkit.pending import AsyncPendingCall

        return tuple(AsyncPendingCall(call, self._decide, self._tools) for call in self._journal().pending)

    async def _decide(self, call: ToolCall, decision: Decision) -> None:
        _ = await self._turn(self._task(), flow=deciding(call.id, decision)).finish()

    async def fork(self, *, at: int | None = None, name: str | None = None) -> AsyncConversation:
        """A new conversation that begins with the messages before `at` (all of them, if None). Copies nothing."""
        from agentkit._runtime.aio import in_thread

        return await in_thread(self._fork, at, name)

    @overload
    async def ask(
        self,
        prompt: Prompt,
        *,
        into: type[T],
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> T: ...
    @overload
    async def ask(
        self,
        prompt: Prompt,
        *,
        into: object,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> Any: ...
    async def ask(
        self,
        prompt: Prompt,
        *,
        into: Any,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> Any:
        """Ask for a value: of a class with fields, a list, a number, whatever a tool could take as an argument.

        Args:
            prompt: What to ask.
            into: The type of the value; `str` is the text of the reply.
            attempts: How often it is asked for. A reply that does not come to a value is sent back with the reason.
            turn_id: Makes the turn idempotent, as with `send`.
            options: How the model should answer.

        Raises:
            InvalidReply: no reply came to a value; the last one is on it.
            IncompleteReply: the reply was cut, stopped or withheld, or a call waits for a decision.
        """
        turn = self.stream_ask(prompt, into=into, attempts=attempts, turn_id=turn_id, options=options)
        _ = await turn.finish()
        return turn.value

    @overload
    def stream_ask(
        self,
        prompt: Prompt,
        *,
        into: type[T],
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> AsyncValueTurn[T]: ...
    @overload
    def stream_ask(
        self,
        prompt: Prompt,
        *,
        into: object,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> AsyncValueTurn[Any]: ...
    def stream_ask(
        self,
        prompt: Prompt,
        *,
        into: Any,
        attempts: int = 3,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> AsyncValueTurn[Any]:
        """The same as `ask`, to watch: `PartialValue` says what the value is so far, `turn.value` what it came to."""
        from agentkit._runtime.aio import AsyncValueTurn

        task, value_of = self._asking(prompt, into, attempts, turn_id, options)
        return AsyncValueTurn(self._parts(task), value_of)

    async def write(
        self,
        task: str | None = None,
        *,
        words: int | None = None,
        outline: str | Iterable[str] | bool | None = None,
        into: str | os.PathLike[str] | None = None,
        append: bool = False,
        on_progress: Callable[[WriteProgress], object] | None = None,
        options: Options | None = None,
    ) -> Written:
        """Write a long text, chapter by chapter, each of them a turn of this conversation.

        Called again with the same arguments, also in another process, it goes on where it stopped; without a task, with
        the last text that was begun. What was written is neither asked for nor written again.

        Args:
            task: What to write.
            words: How long it is to be.
            outline: The titles of the chapters, as a list or a text; True asks the model for them, False writes without
                any; None asks where the text is long enough for several.
            into: A file that the text is added to as it comes. One that holds something else is refused.
            append: Add to such a file all the same.
            on_progress: Called about once a second.
            options: How the model should answer.

        Raises:
            InvalidInput: an argument is wrong, or the file cannot be written; nothing was asked for.
            AgentKitError: a turn failed, or the file could not be written any more; what came is kept.
        """
        from agentkit._runtime.aio import in_thread

        writer = await in_thread(self._writer, on_progress, task, words, outline, into, append)
        try:
            while (ask := await in_thread(writer.next)) is not None:
                writer.tell(ask)
                async with self._turn(self._chapter(ask, options)) as running:
                    async for event in running:
                        writer.hear(event)
                writer.over(running.reply)
        finally:
            await in_thread(writer.close)
        return writer.written()

    async def close(self) -> None:
        """Free what the conversation holds. It stays in its store."""
        self._close()

    def _turn(self, task: Task, flow: Any = turn) -> AsyncTurn:
        from agentkit._runtime.aio import AsyncTurn

        return AsyncTurn(*self._parts(task, flow))

    def _parts(self, task: Task, flow: Any = turn) -> AsyncTurnParts:
        from agentkit._runtime.aio import AsyncWorld

        session = Session(self._opened.store, self._name, self._limiter, lambda: None)
        world = AsyncWorld(self._async_transport, session)
        steps = Steps(flow(task, self._live_journal()), session, world.perform_now, self._opened.enter(), self._explain)
        return steps, world, lambda: self._so_far(task), self._lost
