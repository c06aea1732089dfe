"""A summary in place of what is left out: what to summarise, how to ask for it, and how it goes along afterwards."""

from __future__ import annotations

from attrs import frozen

from agentkit._engine.plan.fit import Marks, Scales, groups_of, least
from agentkit._engine.plan.outline import Outline, sum_of
from agentkit._engine.plan.selection import Selection, difference
from agentkit._engine.plan.terms import ASKED, Summary
from agentkit.messages import Message


@frozen(kw_only=True)
class SummaryTask:
    """A request for a summary. Its beginning is that of the request before, so that the backend need not read it again.

    Where it fails, the plan that came with it stands: what was to be summarised is left out.
    """

    upto: int
    messages: tuple[Message, ...]
    max_tokens: int

    def summary(self, text: str) -> Summary | None:
        """The summary that the answer is; None for an empty one."""
        return Summary(self.upto, text.strip()) if text.strip() else None


def apply_summary(outline: Outline, selection: Selection, upto: int) -> Selection:
    """The selection without what the summary stands for. What is pinned or of the system stays, and the last group."""
    end = outline.place(upto)
    groups = [spans for spans, stays in groups_of(outline, selection) if spans and not stays and spans[-1][1] <= end]
    return selection.without((span for spans in groups for span in spans), "summary")


def to_summarize(scales: Scales, before: Selection, after: Selection) -> tuple[int, Selection] | None:
    """What was left out between the two: up to which message of the history, and what to show of it together with what
    came before. None where nothing was left out, or where not even its last group would fit."""
    outline = scales.outline
    spans = before.spans(len(outline))
    dropped = [span for span in difference(spans, after.spans(len(outline))) if span[1] <= outline.last_group()]
    if not dropped:
        return None
    end = dropped[-1][1]
    block = before.without(difference(spans, [(0, end)]), "summary")
    groups = [group for group, _ in groups_of(outline, block) if group]
    asked = sum_of(outline.counter, ASKED).upper + scales.policy.summary_tokens
    target = Marks(tokens=None if scales.room is None else scales.room - asked)
    made = least(
        scales,
        target,
        len(groups) - 1,
        lambda count: block.without((span for group in groups[:count] for span in group), "window"),
    )
    return None if target.exceeded(scales.load(made)) else (outline[end].source, made)
