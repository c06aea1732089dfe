"""Calls out of the text of a model that was told how to write them. Pure and incremental: any cutting gives the same.

A call begins at the start of a line, perhaps behind a fence or a quotation mark, and holds JSON; everything else that
speaks of tools is text. What may become a call is held back until that is decided. A call that is cut or malformed
comes out with what was written in place of its arguments, which is no JSON object, so that it is never run.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, TypeAlias

from agentkit.events import Notice, TextDelta
from agentkit.provider import CallDelta
from agentkit.tools._prompted import CALL, END_OF_CALL, RESULT
from agentkit.tools._written_calls import NAMELESS, JsonEnd, Written, broken_call, calls_in

Piece: TypeAlias = TextDelta | CallDelta | Notice

INVENTED = Notice("the model went on as if its call had been answered; that part was left out")
_MOST_BLANKS = 64
_LEAST_MARK = len("<tool")


def _begun(word: str) -> str:
    return "|".join(re.escape(word[:size]) for size in range(len(word), 0, -1))


_LINE = r"(?<![^\n])[ \t]{0,16}"
_FENCE = r"```[\w-]{0,16}[ \t]{0,16}\n\s{0,16}"
_QUOTE = r"[`\"'*>]{1,3}[ \t]{0,4}"
_MARK = f"{_begun(CALL)}|{_begun(RESULT)}"
_OPENING = re.compile(rf"{_LINE}(?P<before>{_FENCE}|{_QUOTE})?{CALL}")
_MAY_OPEN = re.compile(rf"{_LINE}(?:(?:{_FENCE}|{_QUOTE})?(?P<mark>{_MARK})?|```[\w-]{{0,16}}[ \t]{{0,16}})\Z")
_RESULT = re.compile(rf"{_LINE}{RESULT[:-1]}[ >]")
_LEAD = re.compile(r"\s{0,64}(?:```[\w-]{0,16}\s{0,16}|`{1,2}\s{0,4})?")
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_CLOSING = "`\"'*"


class CallReader:
    """Text as it comes into text and calls. Calls are counted from 0."""

    __slots__ = (
        "_back",
        "_calls",
        "_closers",
        "_end",
        "_fresh",
        "_held",
        "_in_marks",
        "_names",
        "_quoted",
        "_said",
        "_state",
    )

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = names
        self._state: Literal["text", "opened", "bare", "body", "after", "over"] = "text"
        self._held = ""  # what is not decided
        self._back = ""  # what goes before it if it turns out to be text
        self._fresh = True  # what is held begins a line
        self._quoted = False  # the call stands in a fence or in quotation marks
        self._closers: str = ""  # what may close these
        self._in_marks = False
        self._end = JsonEnd()
        self._said = False
        self._calls = 0

    def feed(self, text: str) -> list[Piece]:
        """What `text` completes."""
        out: list[Piece] = []
        if self._state == "text" and not (self._held or self._fresh or "\n" in text or text[-1:].isspace()):
            self._say(text, out)
            return out
        self._held += text
        self._work(out)
        return out

    def close(self) -> list[Piece]:
        """What is left at the end of the reply. A mark that was cut is not said."""
        out: list[Piece] = []
        while self._state in ("opened", "bare", "body"):
            self._cut(out)
            self._work(out)
        if self._state == "text":
            found = _MAY_OPEN.search(self._held, self._first_line())
            is_cut = found is not None and len(found["mark"] or "") >= _LEAST_MARK
            rest = self._held[: found.start()] if found is not None and is_cut else self._held
            self._say(rest.rstrip() if is_cut or self._calls else rest, out)
        self._state, self._held = "over", ""
        return out

    def _work(self, out: list[Piece]) -> None:
        steps = {
            "text": self._text,
            "opened": self._opened,
            "bare": self._bare,
            "body": self._body,
            "after": self._after,
            "over": self._over,
        }
        while steps[self._state](out):
            pass

    # --- each step says whether there is more to do

    def _text(self, out: list[Piece]) -> bool:
        first = self._first_line()
        opening = _OPENING.search(self._held, first)
        invented = _RESULT.search(self._held, first) if self._calls else None
        if invented and (opening is None or invented.start() < opening.start()):
            self._say(self._held[: self._before_blanks(invented.start())], out)
            out.append(INVENTED)
            self._state = "over"
        elif opening:
            self._open(opening, out)
        else:
            found = _MAY_OPEN.search(self._held, first)
            place = self._before_blanks(found.start() if found else len(self._held))
            self._say(self._held[:place], out)
            self._held = self._held[place:]
            return False
        return True

    def _open(self, opening: re.Match[str], out: list[Piece]) -> None:
        place = self._before_blanks(opening.start())
        self._say(self._held[:place], out)
        self._back += self._held[place : opening.end()]
        self._held = self._held[opening.end() :]
        before = str(opening["before"] or "")
        self._quoted, self._in_marks = bool(before), True
        self._closers = "".join(sign for sign in before if sign in _CLOSING)
        self._state = "opened"

    def _opened(self, out: list[Piece]) -> bool:
        lead = _LEAD.match(self._held)
        place = lead.end() if lead else 0
        rest = self._held[place:]
        if not rest:
            return False
        if rest[0] in "{[":
            self._closers += "`" * str(self._held[:place]).count("`")
            self._back, self._held = self._back + self._held[:place], rest
            self._begin()
        elif self._is_name(rest):
            self._state = "bare"
        elif self._may_be_name(rest):
            return False
        else:
            self._is_text("", out)
        return True

    def _is_name(self, rest: str) -> bool:
        word = _WORD.match(rest)
        return word is not None and word.end() < len(rest) and word[0] in self._names and not self._quoted

    def _may_be_name(self, rest: str) -> bool:
        return not self._quoted and any(name.startswith(rest) for name in self._names)

    def _begin(self) -> None:
        self._state, self._end = "body", JsonEnd(CALL, END_OF_CALL)

    def _bare(self, out: list[Piece]) -> bool:
        """The name stands alone before its arguments; that form was not asked for, so the model is told to mend it."""
        place = self._held.find(END_OF_CALL)
        if place < 0:
            return False
        raw, self._held = self._held[:place], self._held[place:]
        self._call([(_first_word(raw), raw)], out)
        self._state = "after"
        return True

    def _body(self, out: list[Piece]) -> bool:
        place = self._end.find(self._held)
        if place is None:
            return False
        raw, self._held = self._held[:place], self._held[place:]
        self._settle(raw, None if self._end.cut else calls_in(raw), out)
        return True

    def _after(self, out: list[Piece]) -> bool:
        rest = self._held = self._held.lstrip()
        if not rest or (END_OF_CALL.startswith(rest) and rest != END_OF_CALL):
            return False
        if rest.startswith(END_OF_CALL):
            self._held, self._in_marks = rest[len(END_OF_CALL) :], False
        elif rest[0] in self._closers:
            self._held, self._closers = rest[1:], self._closers.replace(rest[0], "", 1)
        elif self._in_marks and rest[0] in "{[":
            self._back = ""
            self._begin()
        else:
            self._state, self._fresh = "text", True
            self._back = "\n\n" if self._said else ""
        return True

    def _over(self, out: list[Piece]) -> bool:
        self._held = ""
        return False

    # --- what they do

    def _cut(self, out: list[Piece]) -> None:
        """The reply ends within a call, or within what was taken for one."""
        raw, mark, rest = self._held.partition(END_OF_CALL)
        self._held = mark + rest
        if self._state == "bare":
            self._call([(_first_word(raw), raw)], out)
            self._state = "after"
        else:
            self._settle(raw, None, out)

    def _settle(self, raw: str, calls: list[Written] | None, out: list[Piece]) -> None:
        """An example in a fence is no call, unless it calls a tool that there is."""
        calls = calls or [broken_call(raw)]
        if self._quoted and not all(name in self._names for name, _ in calls):
            self._is_text(raw, out)
        else:
            self._call(calls, out)
            self._state = "after"

    def _is_text(self, raw: str, out: list[Piece]) -> None:
        text, self._back = self._back + raw, ""
        self._state = "text"
        self._say(text, out)

    def _call(self, calls: list[Written], out: list[Piece]) -> None:
        self._back = ""
        for name, arguments in calls:
            out.append(CallDelta(self._calls, f"call_{self._calls}", name, arguments))
            self._calls += 1

    def _say(self, text: str, out: list[Piece]) -> None:
        if text:
            before, self._back = self._back, ""
            out.append(TextDelta(before + text))
            self._said, self._fresh = True, text.endswith("\n")

    def _first_line(self) -> int:
        """Where the first line begins in what is held."""
        return 0 if self._fresh else self._held.find("\n") + 1 or len(self._held)

    def _before_blanks(self, place: int) -> int:
        """Blanks before a call are no part of the text."""
        first = place
        while first > 0 and place - first < _MOST_BLANKS and self._held[first - 1].isspace():
            first -= 1
        return first


def _first_word(text: str) -> str:
    word = _WORD.match(_LEAD.sub("", text, 1))
    return word[0] if word else NAMELESS
