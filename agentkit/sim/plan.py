"""What a user asks of the simulator, as values: what to say, what to call, where to cut, what is to go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import evolve, field, frozen

FaultKind = Literal["fail", "drop", "end", "stall", "wait", "spoil"]
SizeUnit = Literal["bytes", "percent"]
Spoiling = Literal[
    "gzip", "split", "type", "ids", "usage", "giant", "broken", "drop", "end",
    "idless", "objects", "together", "stop", "void", "cut", "garbled", "blank", "misnamed",
]  # fmt: skip
"""What happens to the bytes, see `agentkit.sim.spoil`; from `cut` on to calls, see `agentkit.sim.miscalls`."""

THOUGHT = 24
"""Words of reasoning, where none are named."""


@frozen
class Say:
    """Exactly this text."""

    text: str


@frozen
class Write:
    """So many words of prose."""

    words: int


@frozen
class Count:
    """The numbers from 1 on."""

    to: int


Speech: TypeAlias = Say | Write | Count


@frozen(kw_only=True)
class CallOrder:
    """Which tool to call."""

    name: str | None
    """None: the first one offered."""
    times: int = 1
    every: bool = False
    arguments: str | None = None
    """JSON text; None: made from the schema."""


@frozen(kw_only=True)
class Fault:
    """Something that goes wrong."""

    kind: FaultKind
    after: int | None = None
    """New tokens before it; None: before the first byte."""
    times: int | None = 1
    """None: every time."""
    status: int = 500
    retry_after: float | None = None
    quota: bool = False
    """A quota is used up: waiting will not help."""
    seconds: float = 0.0
    how: Spoiling = "drop"
    """Where the bytes are spoiled: how."""
    size: float = 0.0
    unit: SizeUnit = "bytes"
    text: str = ""


@frozen(kw_only=True)
class Plan:
    """What the words ask for."""

    speech: Speech | None = None
    think: int = 0
    """Words of reasoning."""
    habit: str = ""
    """How a cut reply is gone on with, a name in `agentkit.sim.habits.HABITS`; as it should, where none is named."""
    shaping: str = ""
    """How a document that follows a schema is answered with, see `agentkit.sim.shaped`; as it should be, if empty."""
    calls: tuple[CallOrder, ...] = ()
    limit: int | None = None
    faults: tuple[Fault, ...] = ()
    quirks: Mapping[str, str] = field(factory=dict[str, str])
    """What only some backends can follow, see `agentkit.sim.quirks`."""

    def over(self, base: Plan) -> Plan:
        """This plan, with `base` where it is silent: what is said on the one hand, what happens to it on the other."""
        said = self.speech is not None or self.calls
        return Plan(
            speech=self.speech if said else base.speech,
            calls=self.calls if said else base.calls,
            think=self.think or base.think,
            habit=self.habit or base.habit,
            shaping=self.shaping or base.shaping,
            limit=self.limit or base.limit,
            faults=self.faults or base.faults,
            quirks={**base.quirks, **self.quirks},
        )

    def content(self) -> Plan:
        """Only what is said, and how it goes on."""
        return evolve(self, limit=None, faults=(), quirks={})
