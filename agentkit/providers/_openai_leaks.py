"""What servers leave in the text of a reply that is no text, taken out as the chunks come.

There is one reader, that of harmony. The other leaks are rewritten to the control tokens they stand for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Chunk, Decoder, Finish
from agentkit.providers._harmony import Harmony, Piece
from agentkit.providers._openai_dialect import Leak
from agentkit.usage import FinishReason

_THOUGHT = "<|channel|>analysis<|message|>"
_OVER = "<|end|>"
_MOST_BLANKS = 64


class Rewriter(Protocol):
    """Turns text into text, piece by piece; what is left over comes with `close`."""

    def feed(self, text: str, /) -> str: ...

    def close(self) -> str: ...


class ThinkTags:
    """`<think>...</think>` at the beginning of a reply, without the white space before what is thought and said."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._held = ""
        self._state: Literal["start", "opened", "in", "done"] = "start"

    def feed(self, text: str) -> str:
        if self._state == "done":
            return text
        self._held += text
        made = ""
        if self._state == "start":
            made = self._start()
        if self._state == "opened":
            self._held = self._held.lstrip()
            self._state = "in" if self._held else "opened"
        return made + self._thought() if self._state == "in" else made

    def close(self) -> str:
        held, self._held = self._held, ""
        return held

    def _start(self) -> str:
        begin = self._held.lstrip()
        if len(self._held) - len(begin) > _MOST_BLANKS:
            return self._finish()
        if begin.startswith("<think>"):
            self._held = begin.removeprefix("<think>")
            self._state = "opened"
            return _THOUGHT
        return "" if "<think>".startswith(begin) else self._finish()

    def _thought(self) -> str:
        thought, tag, rest = self._held.partition("</think>")
        if tag:
            self._held = thought + _OVER + rest
            return self._finish()
        keep = _KEPT.search(thought)
        self._held = keep[0] if keep else ""
        return thought[: len(thought) - len(self._held)]

    def _finish(self) -> str:
        self._state = "done"
        held, self._held = self._held, ""
        return held


def _begun(word: str) -> str:
    return "|".join(re.escape(word[:size]) for size in range(len(word) - 1, 0, -1))


_KEPT = re.compile(rf"(?:{_begun('</think>')})\Z")
_CALL = r"commentary to=functions\.[\w.-]{1,64}\s{0,2}"
_CUT_CALL = r"assistantcommentary to=functions\."
_NEXT = re.compile(rf"assistant(final|analysis|{_CALL}(?:json|code)?(?=\{{))")
_MAY_BE_NEXT = re.compile(
    rf"(?:assistant{_CALL}(?:{_begun('json')}|{_begun('code')}|json|code)?|{_begun('assistantfinal')}"
    rf"|{_begun('assistantanalysis')}|{_begun('assistantcommentary to=functions.')}|{_CUT_CALL})\Z"
)
_FIRST = ("analysis", "commentary to=functions.")


class BareWords:
    """Harmony whose tokens a server stripped: `analysisWe need ...assistantfinalHello`. Over when the answer begins."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._held = ""
        self._state: Literal["start", "in", "done"] = "start"

    def feed(self, text: str) -> str:
        if self._state == "done":
            return text
        self._held += text
        if self._state == "start":
            self._start()
        match self._state:
            case "start":
                return ""
            case "in":
                return self._in()
            case _:
                return self.close()

    def close(self) -> str:
        held, self._held = self._held, ""
        return "" if self._state == "in" and re.match(_CUT_CALL, held) else held

    def _start(self) -> None:
        """An ordinary text may begin with the word "analysis": in a leak its thought follows without a blank."""
        held = self._held
        if any(word.startswith(held) for word in _FIRST):
            return
        leaks = held.startswith(_FIRST[1]) or (held.startswith(_FIRST[0]) and held[len(_FIRST[0])].isalnum())
        self._state = "in" if leaks else "done"
        if leaks:
            self._held = "assistant" + held

    def _in(self) -> str:
        made = ""
        while match := _NEXT.search(self._held):
            if self._undecided() < match.start():
                break
            made += f"{self._held[: match.start()]}{_OVER}<|start|>assistant<|channel|>{match[1]}<|message|>"
            self._held = self._held[match.end() :]
            if match[1] == "final":
                self._state = "done"
                return made + self.close()
        place = self._undecided()
        made += self._held[:place]
        self._held = self._held[place:]
        return made

    def _undecided(self) -> int:
        """Where the text begins of which more must come."""
        found = _MAY_BE_NEXT.search(self._held)
        return found.start() if found else len(self._held)


class CleaningDecoder:
    """The decoder of an answer whose text may leak: its text goes through the rewriters and the reader of harmony."""

    __slots__ = ("_calls", "_decoder", "_harmony", "_ids", "_leaked", "_over", "_rewriters")

    def __init__(self, decoder: Decoder, leaks: Collection[Leak]) -> None:
        self._decoder = decoder
        self._rewriters: list[Rewriter] = []
        if "think" in leaks:
            self._rewriters.append(ThinkTags())
        if "words" in leaks:
            self._rewriters.append(BareWords())
        self._harmony = Harmony()
        self._calls: dict[tuple[str, int], int] = {}
        self._leaked: list[int] = []
        self._ids: set[str] = set()
        self._over = False

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        """Chunks that `data` completes."""
        return self._clean(self._decoder.feed(data))

    def close(self) -> Sequence[Chunk]:
        """The last chunks, at the end of the bytes."""
        return self._clean(self._decoder.close())

    def _clean(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        out: list[Chunk] = []
        for chunk in chunks:
            match chunk:
                case TextDelta(text):
                    self._read(text, out)
                case CallDelta():
                    self._ids.add(chunk.id)
                    out.append(self._numbered("sent", chunk))
                case ReasoningDelta() | Notice():
                    out.append(chunk)
                case _:
                    self._end(out)
                    out.append(self._why(chunk) if isinstance(chunk, Finish) else chunk)
        return out

    def _read(self, text: str, out: list[Chunk]) -> None:
        for rewriter in self._rewriters:
            text = rewriter.feed(text)
        self._add(self._harmony.feed(text), out)

    def _end(self, out: list[Chunk]) -> None:
        """Let go of what is held back, before whatever can only be said at the end."""
        if self._over:
            return
        self._over = True
        text = ""
        for rewriter in self._rewriters:
            text = rewriter.feed(text) + rewriter.close()
        self._add([*self._harmony.feed(text), *self._harmony.close()], out)
        for index in self._leaked:
            number = index
            while (name := f"call_{number}") in self._ids:
                number += 1
            self._ids.add(name)
            out.append(CallDelta(index, name))

    def _add(self, pieces: Sequence[Piece], out: list[Chunk]) -> None:
        for piece in pieces:
            if isinstance(piece, CallDelta):
                call = self._numbered("leaked", piece)
                if piece.name:
                    self._leaked.append(call.index)
                out.append(call)
            else:
                out.append(piece)

    def _numbered(self, source: str, call: CallDelta) -> CallDelta:
        """Calls that were sent and calls that leaked are counted together, in the order they come."""
        index = self._calls.setdefault((source, call.index), len(self._calls))
        return call if index == call.index else CallDelta(index, call.id, call.name, call.arguments)

    def _why(self, finish: Finish) -> Finish:
        if self._leaked and finish.reason is FinishReason.STOP:
            return Finish(FinishReason.TOOL_CALLS, finish.raw)
        return finish
