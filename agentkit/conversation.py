"""Conversation and AsyncConversation: two thin faces over one engine.

What both share is in `_Face`: settings, state, and how a call becomes a task. The faces differ only in the driver that
runs the flow. Logic belongs in the engine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from copy import copy
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from agentkit._engine.beginning import Rewind, Task
from agentkit._engine.exchange import Line
from agentkit._engine.journal import Journal
from agentkit._engine.turn import turn
from agentkit._engine.undo import undo
from agentkit._runtime.backend import Backend, backend_for
from agentkit._runtime.opened import OpenStore
from agentkit._runtime.session import Session, holder_of, new_id
from agentkit._runtime.steps import Steps
from agentkit._runtime.transport import StopSignal
from agentkit.errors import ConversationClosed, InvalidInput
from agentkit.events import Reply
from agentkit.messages import Message, Prompt, message, well_formed
from agentkit.options import ON_BUSY, Limits, OnBusy, Options, RetryPolicy, Timeouts
from agentkit.provider import Provider
from agentkit.store import Store
from agentkit.usage import Usage

if TYPE_CHECKING:
    from agentkit._runtime.aio import AsyncTurn
    from agentkit._runtime.blocking import Turn
    from agentkit._runtime.ratelimit import RateLimiter
    from agentkit.sim import Simulator


class _Face:
    """What a conversation is, whichever way it is called."""

    def __init__(
        self,
        model: str | Provider | Simulator | None = None,
        *,
        system: str | None = None,
        store: str | Store | None = None,
        name: str | None = None,
        options: Options | None = None,
        messages: Iterable[Message] = (),
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        rate_limit: RateLimiter | None = None,
        on_busy: OnBusy = "queue",
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | Timeouts | None = None,
        http_client: Any = None,
    ) -> None:
        """Open a conversation.

        Args:
            model: "backend" or "backend/model"; a provider or simulator; None takes AGENTKIT_MODEL or the user's file.
            system: The standing instructions; None keeps those of a stored conversation, "" removes them.
            store: Where it is kept: None in memory, "sqlite" in the user's folder, "sqlite:///file.db", or a store.
            name: Its name in the store; a stored one is reopened. None makes a new one.
            options: How the model should answer.
            messages: A history to start from.
            limits: Bounds on what a backend may send.
            retry: When a failed request is sent again.
            rate_limit: Requests and tokens per time, shared by the conversations that are given the same one.
            on_busy: What a turn does while another one of this conversation runs: queue, reject, interrupt or fork.
            base_url: Where the backend is, instead of its usual address.
            api_key: Its key, instead of the one in the environment.
            timeout: Seconds to wait for the backend, or `Timeouts`.
            http_client: A ready httpx client to send requests with; it stays yours to close.

        Raises:
            InvalidInput: an argument is wrong.
            NotConfigured: no model is named anywhere.
        """
        if on_busy not in ON_BUSY:
            raise InvalidInput(f"on_busy must be one of {', '.join(ON_BUSY)}, not {on_busy!r}")
        _typed("system", system, str)
        _typed("name", name, str)
        _typed("options", options, Options)
        _typed("limits", limits, Limits)
        _typed("retry", retry, RetryPolicy)
        if rate_limit is not None and not callable(getattr(rate_limit, "reserve", None)):
            raise InvalidInput(f"rate_limit must be a RateLimiter, not {rate_limit!r}")
        if name is not None and not name:
            raise InvalidInput("a conversation's name cannot be empty; leave it out for a new one")
        self._backend: Backend = backend_for(model, base_url=base_url, api_key=api_key, http_client=http_client)
        self._line = Line(
            provider=self._backend.provider,
            timeouts=Timeouts.of(timeout),
            retry=retry or RetryPolicy(),
            limits=limits or Limits(),
            rate_limited=rate_limit is not None,
        )
        self._limiter = rate_limit
        self._options = options or Options()
        self._system = "" if system is not None and not system.strip() else system
        self._imports = _given(messages)
        self._on_busy: OnBusy = on_busy
        self._name = name or new_id()
        self._opened = OpenStore(store)
        _ = self._opened.enter()
        self._closed = False
        self._loaded: Journal | None = None
        self._loading = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._backend.provider.name!r}, {self._backend.model!r}, name={self._name!r})"

    @property
    def name(self) -> str:
        """The name of the conversation in its store."""
        return self._name

    @property
    def model(self) -> str:
        """The backend and its model, as they can be given to a new conversation."""
        return f"{self._backend.provider.name}/{self._backend.model}"

    @property
    def system(self) -> str | None:
        """The standing instructions."""
        return (self._system or None) if self._system is not None else self._journal().system

    @property
    def messages(self) -> tuple[Message, ...]:
        """The history, with what a turn that is not over has delivered so far; without the standing instructions."""
        journal = self._journal()
        if not journal.version:
            return self._imports
        holder = holder_of(self._opened.store, self._name)
        draft = holder.draft if holder is not None else None
        if draft is None or journal.running is None or journal.running.turn_id != draft.turn_id:
            return journal.messages
        said = draft.so_far()
        return journal.messages if said is None else (*journal.history, said)

    @property
    def usage(self) -> Usage:
        """What all turns cost together."""
        return self._journal().usage

    def _journal(self) -> Journal:
        """The state of the conversation, for reading; from the store, until a turn has read it there."""
        with self._loading:
            if self._loaded is not None and self._loaded.version:
                return self._loaded
            journal = Journal()
            journal.replay(self._opened.store.read(self._name))
            self._loaded = self._loaded or journal
            return journal

    def _live_journal(self) -> Journal:
        """The state that turns work on; the first one reads it from the store, once it holds the lease."""
        with self._loading:
            self._loaded = self._loaded or Journal()
            return self._loaded

    def _check_open(self) -> None:
        if self._closed:
            raise ConversationClosed(f"conversation {self._name!r} is closed; open it again by its name")

    def _task(
        self,
        *,
        ask: Message | None = None,
        rewind: Rewind | None = None,
        turn_id: str | None = None,
        options: Options | None = None,
    ) -> Task:
        self._check_open()
        _typed("turn_id", turn_id, str)
        _typed("options", options, Options)
        if turn_id is not None and not turn_id:
            raise InvalidInput("turn_id cannot be empty; leave it out for a new one")
        return Task(
            turn_id=turn_id or new_id(),
            named=turn_id is not None,
            conversation=self._name,
            line=self._line,
            model=self._backend.model,
            options=self._options if options is None else options.over(self._options),
            ask=ask,
            rewind=rewind,
            system=self._system,
            imports=self._imports,
            on_busy=self._on_busy,
        )

    def _so_far(self, task: Task) -> Reply | None:
        journal = self._journal()
        state = journal.turns.get(task.turn_id)
        return None if state is None else journal.reply(state, self._name)

    def _lost(self) -> None:
        """An interruption hit the middle of a turn: what is known of the conversation is read anew."""
        with self._loading:
            self._loaded = None

    def _fork(self, at: int | None, name: str | None) -> Self:
        self._check_open()
        journal = self._journal()
        count = len(self.messages)
        keep = count if at is None else _index("at", at)
        keep = keep + count if keep < 0 else keep
        if not 0 <= keep <= count:
            raise InvalidInput(f"no message {at!r} to fork at: the conversation has {count}")
        other = copy(self)
        name = name or f"{self._name}-{new_id()[:8]}"
        imports = self._imports if journal.version else self._imports[:keep]
        vars(other).update(_name=name, _imports=imports, _loaded=None, _loading=threading.Lock())
        if journal.version:
            self._opened.fork(self._name, name, known=journal.version, keep=keep if keep < count else None)
        elif self._opened.store.read(name):
            raise InvalidInput(f"a conversation {name!r} exists already; choose another name for the fork")
        _ = self._opened.enter()
        return other

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._opened.leave()


def _given(messages: object) -> tuple[Message, ...]:
    if not isinstance(messages, Iterable):
        raise InvalidInput(f"messages= takes Message values, not {messages!r}")
    given = tuple(cast("Iterable[object]", messages))
    for item in given:
        if not isinstance(item, Message):
            raise InvalidInput(f"messages= takes Message values, not {item!r}; from_openai() makes them from dicts")
    return tuple(well_formed(item) for item in cast("tuple[Message, ...]", given))


def _typed(name: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise InvalidInput(f"{name} must be of type {kind.__name__}, not {value!r}")


def _index(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"{name} must be the whole number of a message, not {value!r}")
    return value


def _question(prompt: Prompt) -> Message:
    asked = message("user", prompt)
    if asked.role != "user":
        raise InvalidInput(f"a turn begins with a message of the user, not of the {asked.role}: {asked.text[:60]!r}")
    return asked


class Conversation(_Face):
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
        return self._turn(self._task(ask=_question(prompt), turn_id=turn_id, options=options))

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
            self._task(ask=_question(prompt), rewind=Rewind(index=_index("index", index)), options=options)
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
        world = World(self._backend.transport(), session, signal)
        steps = Steps(flow(task, self._live_journal()), session, world.perform, self._opened.enter())
        return Turn(steps, world, signal, lambda: self._so_far(task), self._lost)


class AsyncConversation(_Face):
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
        return self._turn(self._task(ask=_question(prompt), turn_id=turn_id, options=options))

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
            self._task(ask=_question(prompt), rewind=Rewind(index=_index("index", index)), options=options)
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
        world = AsyncWorld(self._backend.async_transport(), session)
        steps = Steps(flow(task, self._live_journal()), session, world.perform_now, self._opened.enter())
        return AsyncTurn(steps, world, lambda: self._so_far(task), self._lost)
