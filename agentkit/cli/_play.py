"""A turn on the screen: its events as they come, Ctrl-C that stops it, and what is said at its end."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Mapping
from types import FrameType, MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from attrs import frozen

from agentkit.cli import _codes
from agentkit.cli._activity import Activity
from agentkit.cli._errors import exit_code, explain
from agentkit.cli._screen import Screen
from agentkit.cli._settings import Choice
from agentkit.errors import AgentKitError, IncompleteReply
from agentkit.events import (
    ApprovalNeeded,
    Continuing,
    Event,
    Notice,
    ReasoningDelta,
    Reply,
    Retrying,
    TextDelta,
    ToolCallFinished,
    ToolCallStarted,
    ToolProgress,
)
from agentkit.usage import Outcome

if TYPE_CHECKING:
    from agentkit import Turn


@frozen
class Played:
    """What a turn came to."""

    reply: Reply | None
    error: AgentKitError | None = None
    stopped: bool = False
    """By Ctrl-C."""

    @property
    def words(self) -> int:
        return len(self.reply.text.split()) if self.reply is not None else 0

    @property
    def tokens(self) -> int:
        return self.reply.usage.output_tokens if self.reply is not None else 0

    @property
    def complete(self) -> bool:
        return self.error is None and self.reply is not None and self.reply.outcome is Outcome.COMPLETE

    @property
    def waits(self) -> bool:
        """For the user to decide about calls."""
        return self.error is None and self.reply is not None and self.reply.outcome is Outcome.AWAITING_APPROVAL


class Stopper:
    """While it is entered, Ctrl-C stops the turn and keeps its partial reply; a second one breaks off at once."""

    def __init__(self, turn: Turn) -> None:
        self.pressed = False
        self._turn = turn
        self._before: Any = None
        # The handler runs in the middle of anything, so it may take no lock: this queue is made for that.
        self._presses: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Stopper:
        self._watcher.start()
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self._presses.put("")
        self._watcher.join()

    def _press(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        self._presses.put("stop")

    def _watch(self) -> None:
        if self._presses.get():
            self._turn.stop()


class Unshown:
    """Drops what the user has seen already from the beginning of a reply that goes on; a new beginning stays."""

    def __init__(self, seen: str) -> None:
        self._seen = seen
        self._matched = 0
        self.anew = False

    def rest(self, text: str) -> str:
        """What of `text` is to be shown now."""
        left = self._seen[self._matched :]
        if not left:
            return text
        if text.startswith(left) or left.startswith(text):
            self._matched += min(len(text), len(left))
            return text[len(left) :]
        self.anew = True
        held, self._seen = self._seen[: self._matched], ""
        return held + text


def play(
    turn: Turn, screen: Screen, *, seen: str = "", given: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Played:
    """Run a turn and show it. Its failure is returned, not raised. `given` is what the user has made of calls."""
    rounds: list[Continuing] = []
    activity = Activity(screen, given)
    try:
        failure, stopped = _watched(turn, screen, Unshown(seen), rounds, activity)
    finally:
        activity.rest()
        screen.clear()
    screen.end_reply()
    reply = turn.reply if failure is None else failure.reply
    played = Played(reply, failure, stopped)
    if rounds and screen.shared and played.complete:
        screen.note(_in_short(rounds, played.tokens))
    return played


def _watched(
    turn: Turn, screen: Screen, unshown: Unshown, rounds: list[Continuing], activity: Activity
) -> tuple[AgentKitError | None, bool]:
    """Show the events of a turn; its failure, and whether Ctrl-C was pressed."""
    failure: AgentKitError | None = None
    with Stopper(turn) as stopper, turn:
        try:
            for event in turn:
                if isinstance(event, ToolCallStarted | ToolProgress | ToolCallFinished | ApprovalNeeded):
                    activity.show(event)
                    continue
                activity.rest()
                _show(event, screen, unshown)
                if isinstance(event, Continuing):
                    rounds.append(event)
        except AgentKitError as error:
            failure = error
    return failure, stopper.pressed


def _show(event: Event, screen: Screen, unshown: Unshown) -> None:
    match event:
        case TextDelta():
            screen.reply(unshown.rest(event.text))
        case ReasoningDelta():
            screen.thinking(event.text)
        case Retrying():
            screen.note(f"{event.error}; trying again in {event.delay:.1f} s")
        case Continuing():
            screen.passing(_round(event))
        case Notice():
            screen.note(event.message)
        case _:
            pass


def _round(event: Continuing) -> str:
    return f"... continuing {event.attempt}/{event.max_attempts}, {event.strategy}, {event.tokens:,} tokens"


def _in_short(rounds: list[Continuing], tokens: int) -> str:
    """The same of all rounds, where each was seen only while it lasted."""
    ways = ", ".join(dict.fromkeys(event.strategy for event in rounds))
    return f"continued {len(rounds)} time{'' if len(rounds) == 1 else 's'}, {ways}, {tokens:,} tokens"


def tell(played: Played, screen: Screen, *, choice: Choice, what_now: str) -> None:
    """Say how a turn ended, unless all is well. `what_now` is what the user can type about a cut reply."""
    if played.error is not None:
        screen.error(explain(played.error, choice))
    if played.complete or played.waits or isinstance(played.error, IncompleteReply):
        return
    said = _ending(played)
    if said:
        screen.warn(f"{said} {what_now}".rstrip())


def _ending(played: Played) -> str:
    words = f"{played.words} word{'' if played.words == 1 else 's'}"
    outcome = played.reply.outcome if played.reply is not None else Outcome.FAILED
    match outcome:
        case _ if played.stopped:
            return f"reply stopped, {words} kept."
        case Outcome.TRUNCATED if played.reply is not None and played.reply.message.tool_calls:
            return f"stopped before it runs more tools: {_reason(played)}."
        case Outcome.TRUNCATED if not played.words:
            return "the token limit was used up before the first word: raise --max-tokens."
        case Outcome.TRUNCATED:
            return f"reply cut after {words}: {_reason(played)}."
        case Outcome.FILTERED:
            return f"the backend's filter ended the reply after {words}."
        case Outcome.INTERRUPTED:
            return f"reply interrupted, {words} kept."
        case _:
            return ""


def _reason(played: Played) -> str:
    return (played.reply.reason if played.reply is not None else None) or "the backend's limit of tokens"


def code_of(played: Played) -> int:
    """The exit code that tells a script how the turn ended."""
    if played.stopped and not played.complete:
        return _codes.INTERRUPTED
    if played.error is not None:
        return exit_code(played.error)
    if played.waits:
        return _codes.WAITING
    return _codes.OK if played.complete else _codes.INCOMPLETE
