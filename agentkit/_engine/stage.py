"""A turn while it is answered, and what it has done with tools: values that its parts hand to each other."""

from __future__ import annotations

from attrs import define, field, frozen

from agentkit._engine.accumulate import Builder
from agentkit._engine.beginning import Task
from agentkit._engine.course import Course
from agentkit._engine.journal import Journal, TurnState
from agentkit.errors import ToolError
from agentkit.events import Notice
from agentkit.messages import Message
from agentkit.usage import FinishReason, Outcome


@frozen
class Verdict:
    """Why the turn ends with these calls, in place of asking the model again."""

    outcome: Outcome
    reason: str = ""


@define
class Tally:
    """What the turn has done with tools since it was begun or resumed, and what it has told."""

    rounds: int = 0
    calls: int = 0
    corrections: int = 0
    """How often the model was told that its reply does not come to a value."""
    began: float | None = None
    errors: list[ToolError] = field(factory=list[ToolError])
    told: set[Notice] = field(factory=set[Notice])


@define
class Stage:
    """A turn while it is answered."""

    task: Task
    journal: Journal
    state: TurnState
    name: str
    """Of the conversation that it runs in."""
    tally: Tally = field(factory=Tally)


@define
class Round:
    """The reply under way: what came of it, and where it stands."""

    builder: Builder
    course: Course
    reply: Message | None = None
    """The whole of it, once its calls are to be run."""

    @property
    def is_whole(self) -> bool:
        """The reply is neither cut nor withheld."""
        return self.course.stopped is None and self.builder.finish_reason is not FinishReason.FILTERED


def begun(stage: Stage, partial: Message | None = None) -> Round:
    """A reply that has not come yet, or has come to this."""
    task, state = stage.task, stage.state
    course = Course(task.continuation, task.options, state.asked.text, state.turn_id, stage.journal.unfit)
    text, reasoning = ("", "") if partial is None else (partial.text, partial.reasoning)
    return Round(Builder(state.turn_id, text=text, reasoning=reasoning, told=stage.tally.told), course)
