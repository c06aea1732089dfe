"""A flow under way, and how it is brought to its end whatever happens to those who read its events.

May hold what both drivers need of it. Nothing here refers to a turn: a turn may be dropped at any moment, also as part
of a cycle that the garbage collector takes apart, and what it was doing must still be committed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from agentkit._runtime.keeper import KEEPER
from agentkit._runtime.session import Session
from agentkit.effects import Effect, Flow, Step, Stopped
from agentkit.events import Reply

LONGEST_WAIT = 1.0


class Steps:
    """Steps one flow. A flow that has begun always ends, and with it the right to write is given back."""

    __slots__ = ("_explain", "_flow", "_on_end", "begun", "done", "perform_now", "reply", "session", "told")

    def __init__(
        self,
        flow: Flow[Reply],
        session: Session,
        perform_now: Callable[[Effect[Any]], Any],
        on_end: Callable[[], None],
        explain: Callable[[BaseException], None],
    ) -> None:
        self._flow = flow
        self._explain = explain
        self._on_end = on_end
        self.session = session
        self.perform_now = perform_now
        """Does an effect without waiting for the network, which the flow has been told to leave."""
        self.begun = False
        self.told = False
        """The flow knows that it is to stop."""
        self.done = False
        self.reply: Reply | None = None

    def next(self, answer: Any, thrown: BaseException | None) -> Step | None:
        """The next event or effect; None at the end."""
        while True:
            try:
                return self._flow.send(answer) if thrown is None else self._flow.throw(thrown)
            except StopIteration as end:
                self.reply = end.value
                self._end()
                return None
            except BaseException as error:
                if getattr(self._flow, "gi_frame", None) is None:
                    self._end()
                    self._explain(error)
                    raise
                thrown = error  # it came before the flow was entered, and belongs to it

    def _end(self) -> None:
        if not self.done:
            self.done = True
            self.session.release()
            self._on_end()

    def wind_up(self) -> None:
        """Bring the flow to its end here and now: it commits what it has; its further events are nobody's."""
        if self.done:
            return
        if not self.begun:
            self._flow.close()
            self._end()
            return
        self.told = True
        with suppress(Stopped):  # a flow that was giving back what it held has no more to say
            self._run_out()

    def _run_out(self) -> None:
        answer: Any = None
        thrown: BaseException | None = Stopped()
        while (step := self.next(answer, thrown)) is not None:
            answer = thrown = None
            if isinstance(step, Effect):
                try:
                    answer = self.perform_now(step)
                except BaseException as error:  # noqa: BLE001 - the flow decides what each means
                    thrown = error


def dropped(steps: Steps, stop: Callable[[], None]) -> None:
    """The turn that read from `steps` is gone. The keeper's thread does what is left to do, and is waited for.

    Not this thread: where a garbage collection dropped the turn, it may hold any lock. If it does hold one that is
    needed, the wait is for nothing, but it ends.
    """
    if steps.done:
        return
    stop()
    steps.session.context = None  # whoever comes next waits for the keeper
    try:
        KEEPER.call(steps.wind_up, wait=LONGEST_WAIT)
    except RuntimeError:  # no thread can be started while the interpreter ends
        steps.wind_up()
