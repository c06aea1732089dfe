"""The seams of one attempt among its chunks: one for the text, one for the reasoning."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit._engine.seam.joiner import Join, Seam
from agentkit._engine.seam.shape import Shape
from agentkit._engine.seam.strategy import Native, Strategy
from agentkit.events import ReasoningDelta, TextDelta
from agentkit.provider import Chunk, Fault, Finish


class Joint:
    """Passes the chunks of an attempt on, without what they repeat.

    Reasoning goes on by itself only where the backend was given it: with any other strategy the model thinks afresh,
    and a new thought begins after a blank line.
    """

    def __init__(self, text: str, strategy: Strategy, *, reasoning: str = "", shape: Shape | None = None) -> None:
        self._text = Seam(text, strategy, shape)
        self._thought = Seam(reasoning, strategy) if isinstance(strategy, Native) else None
        self._gap = "\n\n"[len(reasoning) - len(reasoning.rstrip("\n")) :] if reasoning else ""

    @property
    def joined(self) -> Join:
        return self._text.joined

    def pass_on(self, chunk: Chunk) -> Sequence[Chunk]:
        match chunk:
            case TextDelta():
                said = self._text.feed(chunk.text)
                if said == chunk.text:
                    return (chunk,)
                return (TextDelta(said),) if said else ()
            case ReasoningDelta():
                return self._thinking(chunk.text if self._thought is None else self._thought.feed(chunk.text))
            case Finish() | Fault():
                return (*self.held(), chunk)
            case _:
                return (chunk,)

    def held(self) -> Sequence[Chunk]:
        """What was held back; there is no more to come."""
        thought, said = "" if self._thought is None else self._thought.close(), self._text.close()
        return (*self._thinking(thought), *((TextDelta(said),) if said else ()))

    def _thinking(self, thought: str) -> Sequence[Chunk]:
        if not thought:
            return ()
        goes_on = self._thought is not None and self._thought.joined.overlap > 0
        gap, self._gap = "" if goes_on else self._gap, ""
        return (ReasoningDelta(gap + thought),)
