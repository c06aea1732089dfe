"""One request on the stage: what was queued for it goes wrong, whichever wire it came by and whatever it asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import evolve

from agentkit.sim.miscalls import miscalled
from agentkit.sim.plan import Fault
from agentkit.sim.spoil import spoiled
from agentkit.sim.stage import Performance, failure
from agentkit.sim.talk import Ask, Drop, Pause, Refused
from agentkit.sim.wire import House, SimResponse

T = TypeVar("T")


class Scene:
    """A stage for one request."""

    def __init__(self, house: House, queued: tuple[Fault, ...]) -> None:
        self._house = house
        self._queued = queued
        self._admitted = False
        self._faults = queued
        """All that are to happen to this answer."""
        self._performed = False

    @property
    def seed(self) -> int:
        return self._house.seed

    @property
    def window(self) -> int:
        return self._house.window

    @property
    def models(self) -> tuple[str, ...]:
        return self._house.models

    def keep(self, make: Callable[[], T], /) -> T:
        return self._house.keep(make)

    def admit(self) -> None:
        """Let the request in.

        Raises:
            Refused: an error was queued for it.
        """
        self._admitted = True
        refused = next((fault for fault in self._queued if fault.kind == "fail" and fault.after is None), None)
        if refused is not None:
            raise Refused(failure(refused), sum(fault.seconds for fault in self._queued if fault.kind == "wait"))

    def perform(self, ask: Ask, /) -> Performance:
        """Decide what happens."""
        performance = self._house.perform(ask)
        self._performed = True
        self._faults = (*self._queued, *performance.faults)
        return evolve(performance, faults=self._faults, reply=miscalled(performance.reply, self._faults))

    def finished(self, answer: SimResponse) -> SimResponse:
        """The answer, with what was to go wrong with its bytes."""
        if not self._admitted:
            self.admit()
        for fault in self._faults:
            match fault.kind:
                case "spoil":
                    answer = spoiled(answer, fault)
                case "wait" if not self._performed:
                    answer = evolve(answer, body=iter((Pause(fault.seconds), *answer.body)))
                case "drop" if not self._performed:
                    answer = evolve(answer, body=iter((Drop(),)))
                case _:
                    pass
        return answer
