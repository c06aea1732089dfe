"""What PixiGPT keeps: assistants, threads with their messages, runs. State and nothing of HTTP; safe for threads.

A run knows its end when it begins, and gets there by being asked for: the same calls see the same statuses, and there
is no need of a clock. What it says joins the thread when it completes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from agentkit.sim.faultbook import Recent

COMPLETED = "completed"
POLLS = 2
"""How often a run is asked for until it has ended, where no order says so."""
_CREATED = 1_700_000_000
_MOST_MESSAGES = 1000
"""Of one thread; the oldest are forgotten."""


@frozen(kw_only=True)
class Assistant:
    """Instructions under a name. Without a `tools_config` it has the tools of the service."""

    id: str
    created_at: int
    name: str
    instructions: str
    tools_config: str | None = None


@frozen(kw_only=True)
class Post:
    """One message of a thread."""

    id: str
    created_at: int
    thread_id: str
    role: str
    text: str
    reasoning: str | None = None
    attached: Mapping[str, Any] = field(factory=dict[str, Any])
    """Sources, media and code, as they are sent."""


@frozen(kw_only=True)
class Board:
    """One thread."""

    id: str
    created_at: int
    posts: tuple[Post, ...] = ()
    """The oldest first."""
    assistants: frozenset[str] = frozenset()
    """Who was asked to answer."""


@frozen(kw_only=True)
class Outcome:
    """What becomes of a run."""

    status: str = COMPLETED
    text: str = ""
    reasoning: str | None = None
    attached: Mapping[str, Any] = field(factory=dict[str, Any])
    polls: int = POLLS


@frozen(kw_only=True)
class Run:
    """One answer in the making."""

    id: str
    created_at: int
    thread_id: str
    assistant_id: str
    outcome: Outcome
    status: str = "queued"
    polled: int = 0
    message: Post | None = None


class Platform:
    """All of it, for one simulator."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Counter[str] = Counter()
        self._assistants: Recent[Assistant] = Recent()
        self._boards: Recent[Board] = Recent()
        self._runs: Recent[Run] = Recent()
        self.create_assistant("Pixi", "You are Pixi.", None)

    def create_assistant(self, name: str, instructions: str, tools_config: str | None) -> Assistant:
        with self._lock:
            made = Assistant(
                id=self._id("as"),
                created_at=self._time(),
                name=name,
                instructions=instructions,
                tools_config=tools_config,
            )
            self._assistants.put(made.id, made)
            return made

    def assistants(self) -> tuple[Assistant, ...]:
        with self._lock:
            return self._assistants.values()

    def assistant(self, name: str) -> Assistant | None:
        with self._lock:
            return self._assistants.get(name)

    def update_assistant(self, changed: Assistant) -> None:
        with self._lock:
            self._assistants.put(changed.id, changed)

    def delete_assistant(self, name: str) -> bool:
        with self._lock:
            return self._assistants.pop(name) is not None

    def create_thread(self) -> Board:
        with self._lock:
            made = Board(id=self._id("th"), created_at=self._time())
            self._boards.put(made.id, made)
            return made

    def threads(self, assistant_id: str | None = None) -> tuple[Board, ...]:
        """The newest first; with `assistant_id` those in which it was asked to answer."""
        with self._lock:
            found = sorted(self._boards.values(), key=lambda board: -board.created_at)
        return tuple(board for board in found if assistant_id is None or assistant_id in board.assistants)

    def thread(self, name: str) -> Board | None:
        with self._lock:
            return self._boards.get(name)

    def delete_thread(self, name: str) -> bool:
        """Its messages go with it."""
        with self._lock:
            return self._boards.pop(name) is not None

    def post(self, thread_id: str, messages: Iterable[tuple[str, str]]) -> tuple[Post, ...] | None:
        """Add messages, each a role and a text; None where the thread is gone."""
        with self._lock:
            board = self._boards.get(thread_id)
            if board is None:
                return None
            made = tuple(self._post(thread_id, role, text) for role, text in messages)
            self._add(board, *made)
            return made

    def begin(self, thread_id: str, assistant_id: str, outcome: Outcome) -> Run | None:
        """A new run; None where the thread is gone."""
        with self._lock:
            board = self._boards.get(thread_id)
            if board is None:
                return None
            self._boards.put(thread_id, evolve(board, assistants=board.assistants | {assistant_id}))
            run = Run(
                id=self._id("run"),
                created_at=self._time(),
                thread_id=thread_id,
                assistant_id=assistant_id,
                outcome=outcome,
            )
            self._runs.put(run.id, run)
            return run

    def poll(self, thread_id: str, run_id: str) -> Run | None:
        """The run, one step further."""
        with self._lock:
            board, run = self._boards.get(thread_id), self._runs.get(run_id)
            if board is None or run is None or run.thread_id != thread_id:
                return None
            if run.polled < run.outcome.polls:
                run = self._stepped(board, evolve(run, polled=run.polled + 1))
                self._runs.put(run_id, run)
            return run

    def _stepped(self, board: Board, run: Run) -> Run:
        ending = run.outcome
        if run.polled < ending.polls:
            return evolve(run, status="in_progress")
        if ending.status != COMPLETED:
            return evolve(run, status=ending.status)
        said = self._post(board.id, "assistant", ending.text)
        said = evolve(said, reasoning=ending.reasoning, attached=ending.attached)
        self._add(board, said)
        return evolve(run, status=COMPLETED, message=said)

    def _add(self, board: Board, *posts: Post) -> None:
        self._boards.put(board.id, evolve(board, posts=(*board.posts, *posts)[-_MOST_MESSAGES:]))

    def _post(self, thread_id: str, role: str, text: str) -> Post:
        return Post(id=self._id("msg"), created_at=self._time(), thread_id=thread_id, role=role, text=text)

    def _id(self, kind: str) -> str:
        self._made[kind] += 1
        return f"{kind}_{self._made[kind]}"

    def _time(self) -> int:
        """Nothing here has the same time as something older."""
        return _CREATED + self._made.total()
