"""Joining a continuation to what it continues."""

from __future__ import annotations

from collections.abc import Sequence

from agentkit.events import ReasoningDelta, TextDelta
from agentkit.provider import Chunk


class PrefixEcho:
    """Drops what a continuation repeats of the text before it, as the chunks arrive.

    Only a repetition of the whole prefix is dropped. What merely begins like it is held back until that is known, and
    then passed on.
    """

    def __init__(self, text: str, reasoning: str) -> None:
        self._text = _Repeat(text)
        self._reasoning = _Repeat(reasoning)

    def pass_on(self, chunk: Chunk) -> Sequence[Chunk]:
        match chunk:
            case TextDelta():
                rest = self._text.take(chunk.text)
                return (TextDelta(rest),) if rest else ()
            case ReasoningDelta():
                rest = self._reasoning.take(chunk.text)
                return (ReasoningDelta(rest),) if rest else ()
            case _:
                thought, said = self._reasoning.held(), self._text.held()
                held: list[Chunk] = [ReasoningDelta(thought)] if thought else []
                if said:
                    held.append(TextDelta(said))
                return (*held, chunk)


class _Repeat:
    __slots__ = ("_matched", "_prefix")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._matched = 0

    def take(self, text: str) -> str:
        """What of `text` is to be shown now, with what was held back before it."""
        if not self._prefix:
            return text
        begin = self._matched
        expected = self._prefix[begin : begin + len(text)]
        if text.startswith(expected):
            self._matched += len(expected)
            if self._matched == len(self._prefix):
                self._prefix = ""
            return text[len(expected) :]
        return self.held() + text

    def held(self) -> str:
        """Give up the comparison; what was held back so far."""
        held, self._prefix = self._prefix[: self._matched] if self._prefix else "", ""
        return held
