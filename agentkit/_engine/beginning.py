"""How a turn begins: what is to be done, what was left open before, and the records that say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from agentkit._engine.journal import Journal, TurnState
from agentkit._engine.line import Line
from agentkit.context import ContextPolicy
from agentkit.continuation import Continuation
from agentkit.effects import Append, Flow, do
from agentkit.errors import InvalidInput
from agentkit.messages import Message, ToolResult, message
from agentkit.options import Fallback, OnBusy, Options
from agentkit.store import Configured, Imported, Record, Rewound, ToolFinished, TurnEnded, TurnResumed, TurnStarted
from agentkit.tooluse import ToolUse
from agentkit.usage import Outcome

if TYPE_CHECKING:
    from agentkit.tools import AnyTool, Wanted

UNFINISHED = (None, Outcome.INTERRUPTED, Outcome.TRUNCATED, Outcome.FAILED, Outcome.AWAITING_APPROVAL)
PASSED_OVER = "Not run: the user went on with something else."


@frozen(kw_only=True)
class Rewind:
    """Where history goes back to before the turn: a message of the user, by its index, or the last one."""

    index: int | None = None


@frozen(kw_only=True)
class Task:
    """What a turn is to do."""

    turn_id: str
    named: bool = False
    """The caller gave the turn its id, and may be sending it once more."""
    conversation: str
    lines: tuple[Line, ...]
    """The ways to the backends, in the order to be tried."""
    fallback: Fallback = Fallback()
    continuation: Continuation = Continuation()
    context: ContextPolicy = ContextPolicy()
    tools: Mapping[str, AnyTool] = field(factory=dict[str, "AnyTool"])
    supply: Callable[[], Mapping[str, AnyTool]] | None = None
    """Gives the tools in place of those, where it takes time to know them."""
    use: ToolUse = ToolUse()
    wanted: Wanted[Any] | None = None
    """What the reply is to be made into."""
    answer: AnyTool | None = None
    """The tool that takes it, for backends that have tools and no JSON mode."""
    attempts: int = 1
    """How often it may be asked for."""
    besides: tuple[Message, ...] = ()
    """What the model is told behind history, and is no part of it."""
    options: Options = field(factory=Options)
    ask: Message | None = None
    """The question; None asks the one found by `rewind` again, or finishes the last turn."""
    rewind: Rewind | None = None
    system: str | None = None
    imports: tuple[Message, ...] = ()
    """Messages that a new conversation starts from."""
    on_busy: OnBusy = "queue"

    @property
    def callable(self) -> Mapping[str, AnyTool]:
        """All that may be called."""
        return self.tools if self.answer is None else {**self.tools, self.answer.name: self.answer}

    @property
    def line(self) -> Line:
        """The way to the backend that is preferred."""
        return self.lines[0]


def begin(task: Task, journal: Journal) -> Flow[TurnState]:
    """Put the question into the journal, or find the turn that it belongs to already; a finished one has an outcome.

    Raises:
        InvalidInput: there is nothing to resume or to ask again, or the turn id belongs to another question.
    """
    records = opening(task.system, task.imports, journal)
    fresh = task.turn_id not in journal.turns
    if fresh and task.ask is not None and task.rewind is None:
        started = TurnStarted(task.turn_id, task.ask, task.line.model)
        yield from write(journal, [*records, *_passed_over(journal), started])
        return journal.turns[task.turn_id]
    if records:
        yield from write(journal, records)
    if fresh and task.rewind is not None:
        keep = question_index(journal, task.rewind.index)
        # not the very message that the turn before began with: that one is known by it
        asked = evolve(message("user", task.ask or journal.history[keep]))
        yield from write(journal, [Rewound(keep), TurnStarted(task.turn_id, asked, task.line.model)])
        return journal.turns[task.turn_id]
    known = _known_turn(task, journal)
    if known.outcome in UNFINISHED and journal.is_last(known):
        yield from write(journal, [TurnResumed(known.turn_id, anew=not known.last_reply().text)])
    return known


def write(journal: Journal, records: list[Record], *, durable: bool = False) -> Flow[None]:
    """Store records, then let the journal know of them."""
    version = yield from do(Append(records, durable))
    journal.torn = True
    for record in records:
        journal.apply(record)
    journal.advance(version)
    journal.torn = False


def opening(instructions: str | None, imports: tuple[Message, ...], journal: Journal) -> list[Record]:
    """What has to be said before a turn: what the conversation starts from, and that a turn before it died.

    Raises:
        InvalidInput: messages were given for a conversation that has others.
    """
    records: list[Record] = []
    if imports and journal.version == 0:
        records.append(Imported(imports))
    elif imports and journal.imported != imports:
        raise InvalidInput(
            "the conversation has another history already: reopen it without messages=, or name a new one"
        )
    if instructions is not None and (instructions or None) != journal.system:
        records.append(Configured(instructions or None))
    if journal.running is not None:
        records.append(TurnEnded(journal.running.turn_id, Outcome.INTERRUPTED))
    return records


def _passed_over(journal: Journal) -> list[Record]:
    """The calls that waited for a decision wait no longer: something else is said. A result that was given is one."""
    turn = journal.last_turn
    if turn is None or turn.outcome is not Outcome.AWAITING_APPROVAL:
        return []
    given = {call.id: decided.answer for call in turn.open_calls() if (decided := turn.decided.get(call.id))}
    return [
        ToolFinished(turn.turn_id, given.get(call.id) or ToolResult(call.id, PASSED_OVER, is_error=True))
        for call in turn.open_calls()
    ]


def _known_turn(task: Task, journal: Journal) -> TurnState:
    """The turn that this one repeats or resumes."""
    known = journal.turns.get(task.turn_id, journal.last_turn)
    if known is None:
        raise InvalidInput(f"conversation {task.conversation!r} has no turn to resume; send a message first")
    if task.ask is not None and known.asked != task.ask:
        raise InvalidInput(f"turn_id {task.turn_id!r} belongs to another question: {known.asked.text[:60]!r}")
    return known


def question_index(journal: Journal, index: int | None) -> int:
    """The place of a message of the user: the one at `index`, or the last one."""
    length = len(journal.history)
    if index is None:
        for place in reversed(range(length)):
            if journal.history[place].role == "user":
                return place
        raise InvalidInput("the conversation has no message of the user yet")
    if not -length <= index < length:
        raise InvalidInput(f"no message {index!r}: the conversation has {length}")
    role = journal.history[index].role
    if role != "user":
        raise InvalidInput(f"message {index!r} is of the {role}; only a message of the user can be asked anew")
    return index % length
