"""The chunks of an answer in which calls stand as text, as those of a backend that has tools."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agentkit.events import TextDelta
from agentkit.provider import CallDelta, Chunk, Fault, Finish
from agentkit.tools._call_reader import CallReader
from agentkit.usage import FinishReason


class PromptedCalls:
    """Takes chunks as they come, and reads the calls out of the text."""

    __slots__ = ("_called", "_is_over", "_reader")

    def __init__(self, names: Collection[str]) -> None:
        self._reader = CallReader(names)
        self._called = False
        self._is_over = False

    def pass_on(self, chunk: Chunk) -> Sequence[Chunk]:
        """What the chunk comes to; what may become a call is held back until that is decided."""
        match chunk:
            case TextDelta():
                return self._noted(self._reader.feed(chunk.text))
            case Finish():
                held = self.held()
                return (*held, self._why(chunk))
            case Fault():
                return (*self.held(), chunk)
            case _:
                return (chunk,)

    def held(self) -> Sequence[Chunk]:
        """What is held back, before whatever can only be said at the end."""
        if self._is_over:
            return ()
        self._is_over = True
        return self._noted(self._reader.close())

    def _noted(self, pieces: Sequence[Chunk]) -> Sequence[Chunk]:
        self._called = self._called or any(isinstance(piece, CallDelta) for piece in pieces)
        return pieces

    def _why(self, finish: Finish) -> Finish:
        if self._called and finish.reason is FinishReason.STOP:
            return Finish(FinishReason.TOOL_CALLS, finish.raw)
        return finish
