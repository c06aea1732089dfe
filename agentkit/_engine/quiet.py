"""A flow that is run for its result: its effects are done, its events are nobody's."""

from __future__ import annotations

from typing import Any, TypeVar

from agentkit.effects import Effect, Flow

T = TypeVar("T")


def quiet(flow: Flow[T]) -> Flow[T]:
    """The same flow without its events."""
    answer: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            step = flow.send(answer) if thrown is None else flow.throw(thrown)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer = thrown = None
        if isinstance(step, Effect):
            try:
                answer = yield step
            except BaseException as error:  # noqa: BLE001 - it belongs to the flow
                thrown = error
