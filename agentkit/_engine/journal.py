"""The projection of a journal: what its records come to. Changed only by `apply`, record by record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, assert_never

from attrs import define, evolve, field

from agentkit._engine.accumulate import reply_parts
from agentkit._engine.fitting import Desk
from agentkit._engine.history import History
from agentkit.errors import AgentKitError
from agentkit.events import Reply, Segment
from agentkit.messages import Message, ToolCall, ToolResult
from agentkit.store import (
    Configured,
    Decided,
    Discarded,
    Entry,
    Failure,
    Imported,
    PartialReply,
    Record,
    Replied,
    Rewound,
    Summarized,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnResumed,
    TurnStarted,
    UnknownRecord,
)
from agentkit.usage import FinishReason, Outcome, Usage

NOTHING = Message("assistant", ())

_InTurn: TypeAlias = TurnResumed | PartialReply | Replied | ToolStarted | ToolFinished | Decided | Discarded | TurnEnded


@define
class TurnState:
    """One turn, as far as the journal tells."""

    turn_id: str
    asked: Message
    start: int
    """How many messages came before it."""
    messages: list[Message] = field(factory=list[Message])
    resumed: bool = False
    earlier: Message | None = None
    """What the reply had come to before it was begun anew."""
    text: list[str] = field(factory=list[str])
    reasoning: list[str] = field(factory=list[str])
    outcome: Outcome | None = None
    """None while it runs, and where its process died."""
    finish_reason: FinishReason = FinishReason.UNKNOWN
    usage: Usage = Usage()
    segments: tuple[Segment, ...] = ()
    failure: Failure | None = None
    reason: str = ""
    started: set[str] = field(factory=set[str])
    """Calls whose tools have begun to run, by their ids."""
    keys: dict[str, str] = field(factory=dict[str, str])
    """The keys that these tools were given, by the ids of the calls."""
    decided: dict[str, Decided] = field(factory=dict[str, Decided])
    results: dict[str, ToolResult] = field(factory=dict[str, ToolResult])
    """Of the calls of the last reply, as they came; they become messages in the order of the calls."""

    def open_calls(self) -> tuple[ToolCall, ...]:
        """The calls of the last reply that have no result."""
        answered = set(self.results)
        for message in reversed(self.messages):
            if message.role == "assistant":
                return tuple(call for call in message.tool_calls if call.id not in answered)
            answered.update(part.call_id for part in message.parts if isinstance(part, ToolResult))
        return ()

    def last_results(self) -> list[tuple[ToolCall, ToolResult]]:
        """The calls of the last reply with their results, as far as these are messages."""
        results: dict[str, ToolResult] = {}
        for message in reversed(self.messages):
            if message.role == "assistant":
                return [(call, results[call.id]) for call in message.tool_calls if call.id in results]
            results.update((part.call_id, part) for part in message.parts if isinstance(part, ToolResult))
        return []

    def undecided(self) -> tuple[ToolCall, ...]:
        """The open calls that wait for the user: nothing was decided, or they have begun since. As they would run."""
        waiting = (call for call in self.open_calls() if call.id not in self.decided or call.id in self.started)
        return tuple(as_decided(call, self.decided.get(call.id)) for call in waiting)

    def decide(self, record: Decided) -> None:
        """What the user says of a call holds until it begins to run, its arguments for longer."""
        before = self.decided.get(record.call_id)
        if before is not None and record.arguments is None:
            record = evolve(record, arguments=before.arguments)
        self.decided[record.call_id] = record
        self.started.discard(record.call_id)

    def ordered_results(self) -> list[Message]:
        """The results that came so far, as messages."""
        calls = next((message.tool_calls for message in reversed(self.messages) if message.tool_calls), ())
        order = {call.id: place for place, call in enumerate(calls)}
        known = sorted(self.results.values(), key=lambda result: order.get(result.call_id, len(order)))
        return [Message("tool", (result,)) for result in known]

    def running(self) -> Message | None:
        """What was delivered since the last whole message."""
        parts = reply_parts("".join(self.text), "".join(self.reasoning))
        return Message("assistant", parts, {"agentkit": {"interrupted": True}}) if parts else None

    def partial(self) -> Message | None:
        """What the reply has come to. One begun anew counts once it has more words than the one before it."""
        return longer(self.earlier, self.running())

    def settle(self) -> None:
        """The partial has become a message, or nothing."""
        self.earlier = None
        self.text.clear()
        self.reasoning.clear()

    def last_reply(self) -> Message:
        """The last message of the assistant in this turn, cut or whole."""
        said = [message for message in self.messages if message.role == "assistant"]
        return self.partial() or (said[-1] if said else NOTHING)


def as_decided(call: ToolCall, decided: Decided | None) -> ToolCall:
    """The call as the user wants it to run."""
    if decided is None or decided.arguments is None:
        return call
    return evolve(call, arguments=decided.arguments, raw=None, broken=False)


def longer(earlier: Message | None, later: Message | None) -> Message | None:
    """The one with more text; the later one where they are equal."""
    if earlier is None or later is None:
        return earlier or later
    return earlier if len(earlier.text) > len(later.text) else later


class Journal:
    """What a conversation has come to: its history, its turns, its standing instructions."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Know nothing, so that all is read anew."""
        self.torn = False
        """An interruption has hit the middle of a change: read it anew."""
        self.version = 0
        self.settled = 0
        """The last version at which no turn was running."""
        self.system: str | None = None
        self.imported: tuple[Message, ...] = ()
        self.history = History()
        self.usage = Usage()
        self.turns: dict[str, TurnState] = {}
        self.running: TurnState | None = None
        self.summary: tuple[int, str] | None = None
        """Up to which message, and what these come to."""
        self.desks: dict[str, Desk] = {}
        """What is remembered of the requests to each backend, likewise."""
        self.last_desk: Desk | None = None
        self.unfit: set[tuple[str, str]] = set()
        """Backends, and ways of continuing that were seen to fail with them; known as long as the process lives."""

    def desk(self, backend: str) -> Desk:
        """The desk of the backend that is about to be asked."""
        self.last_desk = self.desks.setdefault(backend, Desk())
        return self.last_desk

    def counted(self, usage: Usage | None, reply: Message | None = None) -> None:
        """What the backend that was asked last has counted; `reply` is the message, where it is all that came of it."""
        if self.last_desk is not None:
            self.last_desk.answered(usage, reply)

    def replay(self, entries: Sequence[Entry]) -> None:
        """Apply what is new among `entries`."""
        for entry in entries:
            if entry.version > self.version:
                self.apply(entry.record)
                self.advance(entry.version)

    def advance(self, version: int) -> None:
        self.version = version
        if self.running is None:
            self.settled = version

    def apply(self, record: Record) -> None:
        match record:
            case Configured():
                self.system = record.system
            case Imported():
                self.imported = record.messages
                self.history = self.history.add(*record.messages)
            case Rewound():
                self.history = self.history.first(record.keep)
                self.summary = None if self.summary is None or self.summary[0] > record.keep else self.summary
            case Summarized():
                self.summary = (record.upto, record.text)
            case TurnStarted():
                self._start(record)
            case UnknownRecord():
                pass
            case _:
                self._in_turn(record)

    def _start(self, record: TurnStarted) -> None:
        turn = TurnState(record.turn_id, record.message, start=len(self.history))
        self.turns[record.turn_id] = self.running = turn
        self._add(turn, record.message)

    def _add(self, turn: TurnState, message: Message) -> None:
        turn.messages.append(message)
        self.history = self.history.add(message)

    def _in_turn(self, record: _InTurn) -> None:
        turn = self.turns.get(record.turn_id)
        if turn is None:
            return
        match record:
            case PartialReply():
                turn.text.append(record.text)
                turn.reasoning.append(record.reasoning)
            case Replied():
                self._flush(turn)
                self._add(turn, record.message)
                self._paid(turn, record.usage)
                turn.settle()
                turn.segments = ()
            case Discarded():
                self._paid(turn, record.usage)
                turn.settle()
            case TurnResumed():
                self._resume(turn, record)
            case TurnEnded():
                self._end(turn, record)
            case _:
                self._of_tools(turn, record)

    def _of_tools(self, turn: TurnState, record: ToolStarted | ToolFinished | Decided) -> None:
        match record:
            case ToolStarted():
                turn.started.add(record.call_id)
                turn.keys[record.call_id] = record.key
            case Decided():
                turn.decide(record)
            case ToolFinished() if any(call.id == record.result.call_id for call in turn.open_calls()):
                turn.results[record.result.call_id] = record.result
                if not turn.open_calls():
                    self._flush(turn)
            case ToolFinished():
                pass  # nobody waits for it
            case _:
                assert_never(record)

    def _paid(self, turn: TurnState, usage: Usage) -> None:
        self.usage += usage
        turn.usage += usage

    def _flush(self, turn: TurnState) -> None:
        """The results that came become messages, in one order with those that came before a pause."""
        while turn.results and turn.messages[-1].role == "tool":
            earlier = turn.messages.pop()
            self.history = self.history.first(len(self.history) - 1)
            turn.results.update((part.call_id, part) for part in earlier.parts if isinstance(part, ToolResult))
        for message in turn.ordered_results():
            self._add(turn, message)
        turn.results.clear()

    def _resume(self, turn: TurnState, record: TurnResumed) -> None:
        """The cut message goes back to being a partial one, or steps back for a new one."""
        self.running = turn
        turn.resumed = True
        turn.outcome = None
        last = turn.messages[-1]
        if last.role == "assistant" and not last.tool_calls:
            cut = turn.messages.pop()
            self.history = self.history.first(len(self.history) - 1)
            if record.anew:
                turn.earlier = cut
            else:
                turn.text[:] = [cut.text]
                turn.reasoning[:] = [cut.reasoning]

    def _end(self, turn: TurnState, record: TurnEnded) -> None:
        self._flush(turn)
        partial = turn.partial()
        if partial is not None:
            self._add(turn, partial)
        turn.settle()
        turn.outcome = record.outcome
        turn.finish_reason = record.finish_reason
        turn.segments = record.segments
        turn.failure = record.failure
        turn.reason = record.reason
        self._paid(turn, record.usage)
        self.running = None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The history, and what a turn that is not over has delivered."""
        if self.running is None:
            return tuple(self.history)
        partial = self.running.partial()
        return (*self.history, *self.running.ordered_results(), *(() if partial is None else (partial,)))

    @property
    def pending(self) -> tuple[ToolCall, ...]:
        """The calls that wait for a decision of the user."""
        turn = self.last_turn
        if turn is None or turn.outcome is not Outcome.AWAITING_APPROVAL:
            return ()
        return turn.undecided()

    @property
    def last_turn(self) -> TurnState | None:
        """The turn that history ends with; None where it ends with something else."""
        for turn in reversed(self.turns.values()):
            if self.is_last(turn):
                return turn
        return None

    def is_last(self, turn: TurnState) -> bool:
        """History ends with this turn."""
        end = turn.start + len(turn.messages)
        return turn.start < end == len(self.history) and self.history[turn.start] is turn.messages[0]

    def reply(self, turn: TurnState, conversation: str, error: AgentKitError | None = None) -> Reply:
        """What the turn came to."""
        return Reply(
            message=turn.last_reply(),
            messages=tuple(turn.messages),
            outcome=turn.outcome or Outcome.INTERRUPTED,
            finish_reason=turn.finish_reason,
            usage=turn.usage,
            turn_id=turn.turn_id,
            conversation=conversation,
            segments=turn.segments,
            error=error,
            reason=turn.reason or None,
        )
