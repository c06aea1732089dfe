"""What a conversation is, whichever way it is called: its settings, its state, and how a call becomes a task."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self, cast

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Rewind, Task
from agentkit._engine.journal import Journal
from agentkit._engine.line import Line
from agentkit._engine.outfit import Outfit
from agentkit._runtime.backend import backends_for, counter_of
from agentkit._runtime.opened import OpenStore
from agentkit._runtime.session import holder_of, new_id
from agentkit.config import transcript_path
from agentkit.context import ContextPolicy
from agentkit.continuation import Continuation
from agentkit.errors import AgentKitError, ConversationClosed, InvalidInput
from agentkit.events import Reply
from agentkit.manifest import Manifest
from agentkit.messages import Message, Prompt, message, well_formed
from agentkit.options import ON_BUSY, Fallback, Limits, OnBusy, Options, RetryPolicy, Timeouts
from agentkit.provider import Provider
from agentkit.store import Store
from agentkit.tooluse import ToolUse
from agentkit.usage import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from agentkit._runtime.logged import Log
    from agentkit._runtime.ratelimit import RateLimiter
    from agentkit._runtime.transport import AsyncTransport, Transport
    from agentkit.sim import Simulator
    from agentkit.tools import AnyTool, ToolSource


class Face:
    """What a conversation is, whichever way it is called."""

    _may_be_async = True
    """Tools may be."""

    def __init__(
        self,
        model: str | Provider | Simulator | Sequence[str | Provider | Simulator] | None = None,
        *,
        system: str | None = None,
        tools: Iterable[AnyTool | ToolSource | Callable[..., Any]] = (),
        tool_use: ToolUse | None = None,
        store: str | Store | None = None,
        name: str | None = None,
        options: Options | None = None,
        messages: Iterable[Message] = (),
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        rate_limit: RateLimiter | None = None,
        continuation: Continuation | None = None,
        context: ContextPolicy | None = None,
        fallback: Fallback | None = None,
        on_busy: OnBusy = "queue",
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float | Timeouts | None = None,
        http_client: Any = None,
        transcript: str | os.PathLike[str] | None = None,
    ) -> None:
        """Open a conversation.

        Args:
            model: "backend" or "backend/model"; a provider or simulator; a list of these, each of which stands in
                for those before it; None takes AGENTKIT_MODEL or the user's file.
            system: The standing instructions; None keeps those of a stored conversation, "" removes them.
            tools: What the model may call: functions, methods, classes with fields, and sources of several.
            tool_use: Who is asked before they run, how many at once, and when it is enough.
            store: Where it is kept: None in memory, "sqlite" in the user's folder, "sqlite:///file.db", or a store.
            name: Its name in the store; a stored one is reopened. None makes a new one.
            options: How the model should answer.
            messages: A history to start from.
            limits: Bounds on what a backend may send.
            retry: When a failed request is sent again.
            rate_limit: Requests and tokens per time, shared by the conversations that are given the same one.
            continuation: When and how a reply that was cut is continued; it is by default.
            context: How much of the history goes into a request, and what is left out first.
            fallback: When a list of backends goes on with the next one.
            on_busy: What a turn does while another one of this conversation runs: queue, reject, interrupt or fork.
            base_url: Where the backend is, instead of its usual address.
            api_key: Its key, instead of the one in the environment.
            timeout: Seconds to wait for the backend, or `Timeouts`.
            http_client: A ready httpx client to send requests with; it stays yours to close.
            transcript: A folder to log each request and its answer in; None takes AGENTKIT_TRANSCRIPT or the user's
                file, "" logs nothing.

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
        _typed("fallback", fallback, Fallback)
        _typed("continuation", continuation, Continuation)
        _typed("context", context, ContextPolicy)
        _typed("tool_use", tool_use, ToolUse)
        if rate_limit is not None and not callable(getattr(rate_limit, "reserve", None)):
            raise InvalidInput(f"rate_limit must be a RateLimiter, not {rate_limit!r}")
        if name is not None and not name:
            raise InvalidInput("a conversation's name cannot be empty; leave it out for a new one")
        self._backends = backends_for(model, base_url=base_url, api_key=api_key, http_client=http_client)
        self._lines = tuple(
            Line(
                provider=backend.provider,
                model=backend.model,
                at=place,
                learnt=backend.learnt,
                timeouts=Timeouts.of(timeout),
                retry=retry or RetryPolicy(),
                limits=limits or Limits(),
                rate_limited=rate_limit is not None,
                counters=counter_of,
            )
            for place, backend in enumerate(self._backends)
        )
        self._tools, self._supply = self._given_tools(tools)
        self._tool_use = tool_use or ToolUse()
        self._fallback = fallback or Fallback()
        self._continuation = continuation or Continuation()
        self._context = context or ContextPolicy()
        self._log = _log_in(transcript_path(transcript, named=_by_name(model)))
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

    def _given_tools(self, tools: Iterable[Any]) -> tuple[Mapping[str, AnyTool], Callable[[], Any] | None]:
        if isinstance(tools, str) or not isinstance(cast("object", tools), Iterable):
            raise InvalidInput(f"tools= takes a list of functions, tools and sources of tools, not {tools!r:.80}")
        items = tuple(tools)
        if not items:
            return {}, None
        from agentkit._runtime.given import given

        return given(items, may_be_async=self._may_be_async)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r}, name={self._name!r})"

    @property
    def name(self) -> str:
        """The name of the conversation in its store."""
        return self._name

    @property
    def model(self) -> str:
        """The backend that is preferred and its model, as they can be given to a new conversation."""
        return self._lines[0].informed().backend

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

    def search(self, words: str) -> tuple[int, ...]:
        """The places in `messages` of those that hold all of these words, in any order and case.

        What requests leave out is searched like the rest; so are thinking, calls and their results.

        Raises:
            InvalidInput: there are no words.
        """
        from agentkit._engine.search import found

        _typed("words", words, str)
        return found(self.messages, words)

    @property
    def usage(self) -> Usage:
        """What all turns cost together."""
        return self._journal().usage

    @property
    def manifest(self) -> Manifest | None:
        """What the last request of this object held, what was left out of it and why.

        Before its first one: what a request would hold now; None where nothing was said yet.
        """
        journal = self._journal()
        if journal.last_desk is not None or not journal.history:
            return None if journal.last_desk is None else journal.last_desk.manifest()
        return Outfit(self._task(), journal, Builder("")).foreseen(self._lines[0].informed(), self._options)

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
            lines=self._lines,
            fallback=self._fallback,
            continuation=self._continuation,
            context=self._context,
            tools=self._tools,
            supply=self._supply,
            use=self._tool_use,
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
        keep = count if at is None else index_of("at", at)
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

    def _explain(self, error: BaseException) -> None:
        """Say on an error of a backend what can be done about it."""
        if not isinstance(error, AgentKitError) or not error.backend:
            return
        for backend, line in zip(self._backends, self._lines, strict=True):
            if backend.settings is not None and error.backend in (line.backend, line.informed().backend):
                from agentkit._runtime.advice import attach

                attach(error, backend.settings, backend.provider.base_url)
                return

    def _transport(self, at: int) -> Transport:
        reached = self._backends[at].transport()
        return reached if self._log is None else self._log.over(reached, self._lines[at], self._name)

    def _async_transport(self, at: int) -> AsyncTransport:
        reached = self._backends[at].async_transport()
        return reached if self._log is None else self._log.over_async(reached, self._lines[at], self._name)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._opened.leave()


def _by_name(model: object) -> bool:
    """One of the backends is given by its name, or none is given at all."""
    given = cast("Sequence[object]", model if isinstance(model, list | tuple) else (model,))
    return any(each is None or isinstance(each, str) for each in given)


def _log_in(folder: Path | None) -> Log | None:
    if folder is None:
        return None
    from agentkit._runtime.logged import Log

    return Log(folder)


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


def index_of(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"{name} must be the whole number of a message, not {value!r}")
    return value


def question(prompt: Prompt) -> Message:
    asked = message("user", prompt)
    if asked.role != "user":
        raise InvalidInput(f"a turn begins with a message of the user, not of the {asked.role}: {asked.text[:60]!r}")
    return asked
