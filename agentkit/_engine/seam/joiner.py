"""The seam of one attempt: takes the continuation as it arrives, and says what of it is to be shown."""

from __future__ import annotations

import re
from typing import assert_never

from attrs import evolve, frozen

from agentkit._engine.seam.decision import OTHER_WORDS, Cut, Decision, decide
from agentkit._engine.seam.overlap import TAIL, is_whole_again
from agentkit._engine.seam.restart import CERTAIN, Walk, begins_json, is_periodic, likeness
from agentkit._engine.seam.shape import Shape
from agentkit._engine.seam.strategy import Echo, Native, Overlap, Raw, Strategy

UNDECIDED = "undecided"
MOST_HELD = 2600
"""Characters held back before what they are is decided with what is there."""
_FIRST = 16
_CERTAIN_WHOLE = 24
"""Characters of a text that does not come twice by chance."""
_CLOSE = re.compile(r"\n[ \t]*(?:`{3,}|~{3,})[ \t]*\n")
_BEGUN = re.compile(r"\n[ \t]*(?:`*|~*)[ \t]*\Z")
MOST_DOUBTED = 160
_ANEW = "the reply began anew and did not come to where it was cut"


@frozen(kw_only=True)
class Join:
    """How an attempt was joined, for its segment."""

    how: str = UNDECIDED
    """In words."""
    overlap: int = 0
    """Characters of the text that the attempt repeated."""
    dropped: int = 0
    """All characters of the attempt that were not shown."""
    preamble: str = ""
    """What was dropped before the repetition, or before the first character that was shown."""
    inserted: str = ""
    """Space, or a comma in JSON, that the attempt lacked."""
    failure: str | None = None
    """Why this strategy does not work here; nothing of the attempt was shown then."""

    @property
    def is_bare(self) -> bool:
        """What was shown repeats nothing of the text, which would prove that it goes on from there."""
        return self.how != UNDECIDED and self.failure is None and not self.overlap


class Seam:
    """Joins one continuation to the text before it. Nothing that was shown is taken back.

    `text` is the partial reply as it was sent; `shape` is that of the whole reply so far, and follows what is shown.
    """

    def __init__(self, text: str, strategy: Strategy, shape: Shape | None = None) -> None:
        self.shape = Shape(text) if shape is None else shape
        self.joined = Join()
        self._text = text
        self._held = ""
        self._mark = _FIRST
        self._walk: Walk | None = None
        self._seen: list[str] = []
        self._unfence: Unfence | None = None
        self._repeats: bool | None = False
        self._is_anew = False
        self._cut: Cut | None = None
        self._flows = False
        match strategy:
            case Native():
                self._repeats = strategy.repeats_prefix
                self._walk = self._beginning()
            case Raw():
                self._walk = self._beginning()
            case Echo():
                self._cut = Cut(text, self.shape, strategy.quote)
            case Overlap():
                self._cut = Cut(text, self.shape, "")
            case _:
                assert_never(strategy)
        if not text or (self._walk is not None and self._repeats is not True and is_periodic(text)):
            self._flow("joined as it is")

    def _beginning(self) -> Walk:
        """Space counts at the beginning of a text; in JSON it never does."""
        return Walk(self._text, 0) if self.shape.json is None else Walk(self._text, 0, exact=0)

    def feed(self, text: str) -> str:
        """What is to be shown now."""
        return self._show(self._take(text))

    def close(self) -> str:
        """What is left to be shown at the end of the attempt."""
        shown = "" if self._flows or self.joined.failure is not None else self._finish()
        if self._unfence is not None:
            shown = self._unfence.feed(shown) + self._unfence.close()
        return self._show(shown, last=True)

    def _show(self, text: str, *, last: bool = False) -> str:
        if self._unfence is not None and not last:
            text = self._unfence.feed(text)
        if text:
            self.shape.feed(text)
        return text

    def _take(self, text: str) -> str:
        if self._flows:
            return text
        if self.joined.failure is not None or not text:
            return ""
        if self._walk is not None:
            return self._go_along(self._walk, text)
        self._held += text
        if self._cut is None:
            return self._doubt(self._held, after=len(self._held))
        return self._settle()

    def _settle(self) -> str:
        """Judge the beginning at each of the fixed lengths that it has come to."""
        cut = self._cut
        while cut is not None and len(self._held) >= self._mark:
            mark = self._mark
            decision = decide(cut, self._held[:mark], final=mark >= MOST_HELD)
            if decision is not None:
                return self._apply(decision)
            self._mark = min(mark + (16 if mark < 64 else 64), MOST_HELD)  # noqa: PLR2004 - the first are the likeliest
        return ""

    def _apply(self, decision: Decision) -> str:
        held, self._held = self._held, ""
        self.joined = Join(
            how=decision.how,
            overlap=decision.overlap,
            dropped=decision.drop,
            preamble=held[: decision.drop - decision.overlap],
            inserted=decision.insert,
            failure=decision.failure,
        )
        if decision.failure is not None:
            return ""
        if decision.unfence:
            self._unfence = Unfence()
        if decision.walk is not None:
            self._is_anew = True
            self._walk = Walk(self._text, decision.walk, exact=0)
            return self._go_along(self._walk, held[decision.drop :])
        self._flow(decision.how)
        return decision.insert + held[decision.drop :]

    def _finish(self) -> str:
        shown = ""
        if self._cut is not None and self._walk is None and self._held:
            decision = decide(self._cut, self._held, final=True)
            shown = "" if decision is None else self._apply(decision)
        elif self._cut is None and self._walk is None:
            shown = self._doubt(self._held, after=len(self._held), final=True)
        walk = self._walk
        if walk is None or self._flows:
            return shown
        certain = walk.walked >= CERTAIN or self._is_anew
        if self._repeats is True and certain and not walk.is_through:
            self.joined = evolve(self.joined, how="ended within what it repeats")
            return ""
        return self._left(walk, "", final=True)

    def _go_along(self, walk: Walk, text: str) -> str:
        place = walk.take(text)
        self._seen.append(text if place is None else text[:place])
        return "" if place is None else self._left(walk, text[place:])

    def _left(self, walk: Walk, rest: str, *, final: bool = False) -> str:
        """The walk has ended: the text is through, or another word came, or no more."""
        seen = "".join(self._seen)
        self._seen.clear()
        if walk.is_through and self._is_repetition(rest):
            self.joined = evolve(self.joined, overlap=walk.walked, dropped=self.joined.dropped + len(seen))
            self._flow("restart" if self._is_anew or self._repeats is False else "prefix repeated")
            return rest
        if walk.is_through or (walk.walked < CERTAIN and not self._is_anew) or walk.is_refrain(strict=self._is_anew):
            return self._doubt(seen + rest, after=walk.walked, final=final)
        return self._fail(_ANEW)

    def _doubt(self, said: str, *, after: int, final: bool = False) -> str:
        """Show what began as the text does, unless it goes on to tell the same in other words."""
        alike = after >= _FIRST and likeness(self._text, said[:MOST_DOUBTED], final=final)
        if self._cut is None and self.shape.json is not None:
            anew = begins_json(self.shape.json, self._text, said, final=final)
            if anew:
                return self._fail(_ANEW)
            alike = None if anew is None else alike
        if alike is None:
            self._walk, self._held = None, said
            return ""
        if alike:
            return self._fail(OTHER_WORDS)
        self._flow("joined as it is")
        return said

    def _fail(self, why: str) -> str:
        self.joined = evolve(self.joined, how="restart", failure=why)
        return ""

    def _is_repetition(self, rest: str) -> bool:
        """All of the text came once more, and is not one thing that is said again and again."""
        if self._repeats is True:
            return True
        if self._repeats is False and not self._is_anew and len(self._text) < _CERTAIN_WHOLE:
            return False
        return len(self._text) > TAIL or is_whole_again(self._text, rest)

    def _flow(self, how: str) -> None:
        self._flows = True
        self._walk = None
        self.joined = evolve(self.joined, how=how)


class Unfence:
    """Lets a continuation through but for the line that closes a fence whose opening was dropped."""

    def __init__(self) -> None:
        self._buffer = ""
        self._is_done = False

    def feed(self, text: str) -> str:
        if self._is_done:
            return text
        self._buffer += text
        found = _CLOSE.search(self._buffer)
        if found is not None:
            self._is_done = True
            return self._buffer[: found.start()] + self._rest(self._buffer[found.end() :])
        begun = _BEGUN.search(self._buffer)
        place = len(self._buffer) if begun is None else begun.start()
        shown, self._buffer = self._buffer[:place], self._buffer[place:]
        return shown

    def close(self) -> str:
        left, self._buffer = self._buffer, ""
        return "" if self._is_done or _CLOSE.match(left + "\n") else left

    @staticmethod
    def _rest(text: str) -> str:
        return "\n" + text if text.strip() else ""
