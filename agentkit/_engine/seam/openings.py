"""What a continuation may begin with before it goes on: space, an ellipsis, a remark, a fence, a table's header."""

from __future__ import annotations

import re

from attrs import evolve, frozen

from agentkit._engine.seam.shape import Shape

PREAMBLE = 200
"""A longer line is no remark."""
_LINES = 2
_BEGINS = (
    "sure", "certainly", "of course", "okay", "ok", "understood", "absolutely", "here", "sorry",
    "let me", "let's", "i'll", "i will", "i am", "i'm", "picking", "as requested", "as you", "got it",
    "no problem", "alright", "yes", "below", "the rest", "the remainder", "the remaining", "this is",
    "nat\u00fcrlich",
    "klar", "gerne", "hier", "weiter", "bien s\u00fbr", "voici", "d'accord", "je continue", "suite",
    "claro", "por supuesto",
    "aqu\u00ed", "certo", "ecco", "\u043a\u043e\u043d\u0435\u0447\u043d\u043e", "\u0432\u043e\u0442",
    "\u043f\u0440\u043e\u0434\u043e\u043b\u0436", "\u0637\u0628\u0639", "\u0628\u0627\u0644\u0637\u0628\u0639",
    "\u0625\u0644\u064a\u0643", "\u5f53\u7136", "\u597d\u7684", "\u4ee5\u4e0b", "\u7ee7\u7eed", "\u63a5\u7740",
    "\u4e0b\u9762", "\u306f\u3044", "\u7d9a\u304d", "\u627f\u77e5",
)  # fmt: skip
"""How models begin a remark, in English, German, French, Spanish, Italian, Russian, Arabic, Chinese and Japanese."""
_CONTINUES = (
    "continu", "the rest", "remain", "left off", "stopped", "cut off", "resum", "picking up", "pick up", "fortsetz",
    "weiter", "suite", "el resto", "il resto", "\u043f\u0440\u043e\u0434\u043e\u043b\u0436",
    "\u0645\u062a\u0627\u0628\u0639\u0629", "\u0628\u0642\u064a\u0629",
    "\u7ee7\u7eed", "\u63a5\u7740", "\u4f59\u4e0b", "\u5269\u4f59", "\u7d9a\u304d",
)  # fmt: skip
_STEMS = ("continu", "resum", "apolog", "contin\u00fa", "fortsetz", "\u043f\u0440\u043e\u0434\u043e\u043b\u0436")
_REMARK = re.compile(
    rf"[\s*_>(\[]*(?:(?:{'|'.join(_BEGINS)})(?![^\W\d_\u2e80-\uffff])|{'|'.join(_STEMS)})", re.IGNORECASE
)
_ANSWERS = re.compile(
    r"(?:sure|certainly|of course|okay|ok|understood|absolutely|got it|no problem|alright|sorry"
    r"|nat\u00fcrlich|klar|gerne|bien s\u00fbr|d'accord|claro|por supuesto|certo"
    r"|\u043a\u043e\u043d\u0435\u0447\u043d\u043e|\u0628\u0627\u0644\u0637\u0628\u0639|\u5f53\u7136|\u597d\u7684|\u306f\u3044|\u627f\u77e5)(?![^\W\d_\u2e80-\uffff])",
    re.IGNORECASE,
)
"""Of these, the words that answer somebody."""
_GOES_ON = re.compile("|".join(_CONTINUES), re.IGNORECASE)
_FENCE_LINE = re.compile(r"[ \t]*(?:`{3,}|~{3,})(?P<info>[\w+#./-]*)[ \t]*\n")
_FENCE_BEGUN = re.compile(r"[ \t]*(?:`{1,2}|~{1,2}|(?:`{3,}|~{3,})[\w+#./-]*[ \t]*)?\Z")
_DOTS = re.compile(r"\s*(?:\.{3}|\u2026)\s*")
_SPACE = re.compile(r"\s*")
_NEWLINES = re.compile(r"(?:[ \t]*\n)*")
_COLON = re.compile(r"[^\n:\uff1a]{0,160}[:\uff1a][ \t]+(?=\S)")


@frozen
class Opening:
    """One way of reading the beginning: what goes on begins at `at`."""

    at: int
    remark: str = ""
    is_usual: bool = True
    """The remark is one that models make."""
    closes: bool = False
    """The open fence is closed first."""
    fence: str | None = None
    """The info string of a fence that is opened."""
    header: bool = False
    """The header of the open table is repeated."""

    @property
    def goes_on(self) -> bool:
        """The remark says that the text is continued."""
        return bool(_GOES_ON.search(self.remark))

    @property
    def answers(self) -> bool:
        """The remark begins as an answer does, with a capital where its script has them."""
        found = _ANSWERS.match(self.remark)
        return found is not None and not self.remark[0].islower()


@frozen
class Readings:
    """The ways of reading a beginning: a header that is there again, then the plainest first."""

    openings: tuple[Opening, ...]
    complete: bool
    """More text makes no further ones."""


def readings(shape: Shape, held: str, *, known: str | None) -> Readings:
    """`known`: where the first line may be a remark whatever it says, since what follows it can be verified, the text
    that it must not come from."""
    plain = [0, _end(_NEWLINES, held, 0), _end(_SPACE, held, 0)]
    dots = _DOTS.match(held)
    if dots is not None:
        plain.append(dots.end())
    found = [Opening(place) for place in dict.fromkeys(plain)]
    reader = _Reader(shape, held, known)
    reader.read()
    header = [opening for opening in reader.found if opening.header]
    return Readings((*header, *found, *reader.found), reader.complete)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


class _Reader:
    """Takes a beginning apart, from its first sign on."""

    def __init__(self, shape: Shape, held: str, known: str | None) -> None:
        self._shape = shape
        self._held = held
        self._known = known
        self._now = Opening(_end(_NEWLINES, held, 0))
        self.found: list[Opening] = []
        self.complete = True

    def read(self) -> None:
        if self._shape.in_fence:
            self._fence(closing=True)
        for _ in range(_LINES):
            if not self._remark():
                break
        self._fence(closing=False)
        self._header()

    def _went(self, opening: Opening) -> None:
        self._now = opening
        self.found.append(opening)

    def _fence(self, *, closing: bool) -> None:
        line = _FENCE_LINE.match(self._held, self._now.at)
        if line is None:
            self._wait(_FENCE_BEGUN.match(self._held, self._now.at) is not None)
        elif closing:
            if not line["info"]:
                self._now = evolve(self._now, at=_end(_NEWLINES, self._held, line.end()), closes=True)
        else:
            self._went(evolve(self._now, at=line.end(), fence=line["info"]))

    def _remark(self) -> bool:
        held, at = self._held, self._now.at
        end = held.find("\n", at)
        line = held[at : end if end >= 0 else len(held)]
        usual = _REMARK.match(line) is not None
        if not (usual or self._is_new(line)) or len(line) > PREAMBLE:
            return False
        self._now = evolve(self._now, is_usual=usual and self._now.is_usual)
        colon = _COLON.match(line)
        if colon is not None:
            self.found.append(evolve(self._now, at=at + colon.end(), remark=line[: colon.end()]))
        if end < 0:
            self._wait(might=True)
            return False
        self._went(evolve(self._now, at=_end(_NEWLINES, held, end), remark=self._now.remark + line))
        return True

    def _is_new(self, line: str) -> bool:
        """Of no known kind, but like a remark, and not from the text."""
        if self._known is None or not line[:1].isalnum() or line.strip() in self._known:
            return False
        return line.rstrip()[-1] in ":\uff1a\u2026!" or len(line) == len(self._held) - self._now.at

    def _header(self) -> None:
        table = self._shape.table
        if table is None or not table.rule or self._shape.in_fence:
            return
        wanted = f"{table.header}\n{table.rule}\n"
        there = self._held[self._now.at :]
        if there.startswith(wanted):
            self._went(evolve(self._now, at=self._now.at + len(wanted), header=True))
        else:
            self._wait(wanted.startswith(there))

    def _wait(self, might: bool) -> None:  # noqa: FBT001 - one fact
        self.complete = self.complete and not might
