"""Which faults are still to come in a conversation, and what a script said in it: the memory between requests.

Not safe for threads by itself; the simulator holds its lock around every call.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from attrs import define, field

from agentkit.sim.plan import Fault, Plan
from agentkit.sim.thread import Thread

_MOST = 4096
"""Conversations that are remembered."""

V = TypeVar("V")


class Recent(Generic[V]):
    """The values of the last few thousand keys."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, V] = OrderedDict()

    def get(self, key: str) -> V | None:
        return self._values.get(key)

    def put(self, key: str, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > _MOST:
            self._values.popitem(last=False)

    def pop(self, key: str) -> V | None:
        return self._values.pop(key, None)

    def values(self) -> tuple[V, ...]:
        """All of them, the oldest first."""
        return tuple(self._values.values())


@define
class _Count:
    """What has happened in one reply."""

    happened: dict[Fault, int] = field(factory=dict[Fault, int])
    given: bool = False


class FaultBook:
    """Counts faults per reply: a reply that has been given, and is asked for anew, meets them anew."""

    def __init__(self) -> None:
        self._counts: Recent[_Count] = Recent()

    def take(self, thread: Thread, plan: Plan, length: int) -> tuple[Fault, ...]:
        """The faults that happen in this request; `length` is the number of its new tokens."""
        key = thread.origin
        count = self._counts.get(key)
        if count is None or (thread.fresh and count.given):
            count = _Count()
            if thread.prefix is not None:
                count.happened = {fault: fault.times or 0 for fault in plan.faults}
            self._counts.put(key, count)
        due = [fault for fault in plan.faults if _due(fault, count, length)]
        now = _first(due)
        for fault in now:
            count.happened[fault] = count.happened.get(fault, 0) + 1
        count.given = all(fault.kind == "wait" for fault in now)
        return now


def _due(fault: Fault, count: _Count, length: int) -> bool:
    left = fault.times is None or count.happened.get(fault, 0) < fault.times
    return left and (fault.after is None or fault.after < length)


def _first(due: list[Fault]) -> tuple[Fault, ...]:
    """Up to the first fault that ends the answer: what comes after it has not happened."""
    ends = sorted(filter(_ends, due), key=_place)
    if not ends:
        return tuple(due)
    return tuple(fault for fault in due if fault is ends[0] or (fault not in ends and _place(fault) <= _place(ends[0])))


def _ends(fault: Fault) -> bool:
    return fault.kind in ("fail", "drop") or (fault.kind == "end" and fault.after is not None)


def _place(fault: Fault) -> int:
    return -1 if fault.after is None else fault.after


class Scripted:
    """Commands for the next replies, and what they made the simulator say, so that it can be continued."""

    def __init__(self) -> None:
        self.queue: deque[Plan] = deque()
        self._said: Recent[Plan] = Recent()
        self._shapes: Recent[Mapping[str, Any]] = Recent()

    def shape(self, thread: Thread, given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The schema that the reply follows: a document that was begun is gone on with, whoever still asks for one."""
        if given is not None:
            self._shapes.put(thread.fingerprint, given)
        return given if given is not None or thread.prefix is None else self._shapes.get(thread.fingerprint)

    def plan(self, thread: Thread, spoken: Plan) -> Plan:
        """The plan for this request; takes the next command."""
        before = self._said.get(thread.fingerprint) if thread.prefix is not None else None
        base = before.over(spoken) if before is not None else spoken
        if not self.queue:
            return base
        made = self.queue.popleft()
        if made.speech is not None or made.calls or made.habit:
            self._said.put(thread.fingerprint, made.over(before or Plan()).content())
        return made.over(base)
