"""A reply at its end: what all steps of a performance come to, for answers that are sent whole. Pure."""

from __future__ import annotations

from attrs import define, field

from agentkit.sim.stage import Performance
from agentkit.sim.talk import Break, Call, CallPiece, CallStart, Drop, End, Pause, Reason, Speak, Step
from agentkit.sim.wire import SimResponse


@define
class Whole:
    """Collects a whole reply."""

    texts: list[str] = field(factory=list[str])
    thoughts: list[str] = field(factory=list[str])
    heads: list[Call] = field(factory=list[Call])
    pieces: list[list[str]] = field(factory=list[list[str]])
    waited: float = 0.0
    """Seconds of all pauses."""
    outcome: Drop | Break | End | None = None

    @classmethod
    def of(cls, performance: Performance) -> Whole:
        """Play it to its end."""
        made = cls()
        for step in performance.steps():
            made.play(step)
        return made

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def reasoning(self) -> str:
        return "".join(self.thoughts)

    @property
    def calls(self) -> tuple[Call, ...]:
        """With as much of their arguments as was made."""
        said = zip(self.heads, self.pieces, strict=True)
        return tuple(Call(head.id, head.name, "".join(pieces)) for head, pieces in said)

    def play(self, step: Step) -> None:
        match step:
            case Reason(text):
                self.thoughts.append(text)
            case Speak(text):
                self.texts.append(text)
            case CallStart(_, call):
                self.heads.append(call)
                self.pieces.append([])
            case CallPiece(index, text):
                self.pieces[index].append(text)
            case Pause(seconds):
                self.waited += seconds
            case Drop() | Break() | End():
                self.outcome = step


def broken(answered: SimResponse, performance: Performance) -> SimResponse:
    """Half of the answer, and then the connection breaks; where it breaks at once, not even the head."""
    at_once = any(fault.kind == "drop" and fault.after == 0 for fault in performance.faults)
    items = tuple(answered.body)
    before = tuple(item for item in items if isinstance(item, Pause))
    whole = b"".join(item for item in items if isinstance(item, bytes))
    half = () if at_once else (whole[: len(whole) // 2],)
    return SimResponse(200, answered.headers, iter((*before, *half, Drop())))
