"""The decoder of an answer in which calls stand as text: the same chunks as from a backend that has tools."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Chunk, Decoder, Finish
from agentkit.tools._call_reader import CallReader
from agentkit.usage import FinishReason


class PromptedDecoder:
    """Reads the calls out of the text of another decoder."""

    __slots__ = ("_called", "_decoder", "_is_over", "_reader")

    def __init__(self, decoder: Decoder, names: Collection[str]) -> None:
        self._decoder = decoder
        self._reader = CallReader(names)
        self._called = False
        self._is_over = False

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        """Chunks that `data` completes."""
        return self._read(self._decoder.feed(data))

    def close(self) -> Sequence[Chunk]:
        """The last chunks, at the end of the bytes."""
        return self._read(self._decoder.close())

    def _read(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        out: list[Chunk] = []
        for chunk in chunks:
            match chunk:
                case TextDelta(text):
                    self._add(self._reader.feed(text), out)
                case ReasoningDelta() | Notice():
                    out.append(chunk)
                case _:
                    self._end(out)
                    out.append(self._why(chunk) if isinstance(chunk, Finish) else chunk)
        return out

    def _end(self, out: list[Chunk]) -> None:
        """Let go of what is held back, before whatever can only be said at the end."""
        if not self._is_over:
            self._is_over = True
            self._add(self._reader.close(), out)

    def _add(self, pieces: Sequence[Chunk], out: list[Chunk]) -> None:
        self._called = self._called or any(isinstance(piece, CallDelta) for piece in pieces)
        out.extend(pieces)

    def _why(self, finish: Finish) -> Finish:
        if self._called and finish.reason is FinishReason.STOP:
            return Finish(FinishReason.TOOL_CALLS, finish.raw)
        return finish
