"""Harmony, the format that gpt-oss models write, where a server lets it through as text. Pure and incremental.

Only a whole header (`<|channel|>analysis<|message|>` and its variants) changes what the text is, and only a closing
token before such a header, inside an opened channel or at the very end is dropped: a text that speaks of the tokens
stays as it is. What may become a header is held back until that is decided, some `LONGEST` characters at most.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from agentkit.events import ReasoningDelta, TextDelta
from agentkit.provider import CallDelta

LONGEST = 256

Piece: TypeAlias = TextDelta | ReasoningDelta | CallDelta
_Into = Literal["plain", "closed", "text", "reasoning", "call"]

_TOKEN = re.compile(r"<\|(start|end|message|channel|constrain|return|call)\|>")
_CUT = re.compile(r"<(?:\|[a-z]{0,9}\|?)?\Z")
_CLOSING = frozenset({"end", "return", "call"})
_CLOSED = r"(?:<\|(?:end|return|call)\|>\s*)*"
_TO = r"(?: ?to=[^\s<]*)?"
_START = rf"{_CLOSED}(?:<\|start\|>(?:assistant)?{_TO}\s*)?"
_BEFORE: dict[str, re.Pattern[str]] = {
    "start": re.compile(_CLOSED),
    "channel": re.compile(_START),
    "constrain": re.compile(rf"{_START}<\|channel\|>\w+{_TO}\s*"),
}
_MAY_GO_ON = re.compile(rf"{_CLOSED}(?:<\|(?:start|channel|constrain)\|>[\w .:/=-]*)*")
_HEADER = re.compile(
    rf"{_CLOSED}(?:<\|start\|>(?:assistant)?(?: ?to=(?P<before>[^\s<]+))?\s*)?"
    r"<\|channel\|>(?P<channel>analysis|commentary|final)(?: ?to=(?P<after>[^\s<]+))?"
    r"\s*(?:<\|constrain\|>)?\s*\w*\s*"
)
_NAMES = "|".join(name[:size] for name in ("analysis", "commentary", "final") for size in range(len(name), 0, -1))
_BEGUN = re.compile(rf"{_START}(?:<\|channel\|>(?:{_NAMES})?{_TO}\s*(?:<\|constrain\|>)?\s*\w*)?\s*")


class Harmony:
    """Text as it comes into text, reasoning and tool calls. Calls are counted from 0, and have a name but no id."""

    __slots__ = ("_call", "_cut", "_header", "_into")

    def __init__(self) -> None:
        self._cut = ""  # what may be the beginning of a control token
        self._header = ""  # whole tokens and words that may become a header
        self._into: _Into = "plain"
        self._call = -1

    def feed(self, text: str) -> list[Piece]:
        """What `text` completes."""
        if self._into == "plain" and not self._cut and not self._header and "<" not in text:
            return [TextDelta(text)] if text else []
        out: list[Piece] = []
        text = self._cut + text
        found = _CUT.search(text)
        self._cut = found[0] if found else ""
        for place, piece in enumerate(_TOKEN.split(text[: len(text) - len(self._cut)])):
            if place % 2:
                self._token(piece, out)
            elif piece:
                self._words(piece, out)
        return out

    def close(self) -> list[Piece]:
        """What is left at the end; a header that was cut, and a closing token, are not."""
        out: list[Piece] = []
        header, cut = self._header, self._cut
        self._header = self._cut = ""
        if not (header and _BEGUN.fullmatch(header)):
            self._say(header + cut, out)
        return out

    def _token(self, name: str, out: list[Piece]) -> None:
        token = f"<|{name}|>"
        if name in _CLOSING:
            self._closing(token, out)
        elif name == "message" and (match := _HEADER.fullmatch(self._header)):
            self._header = ""
            self._open(match, out)
        elif name in _BEFORE:
            if not _BEFORE[name].fullmatch(self._header):
                self._give_up(out)
            self._header += token
        else:
            self._give_up(out)
            self._say(token, out)

    def _closing(self, token: str, out: list[Piece]) -> None:
        if not _BEFORE["start"].fullmatch(self._header):
            self._give_up(out)
        if self._into == "plain":
            self._header += token
            self._bound(out)
        else:
            self._into = "closed"

    def _words(self, text: str, out: list[Piece]) -> None:
        if self._header:
            self._header += text
            self._bound(out)
        else:
            self._say(text, out)

    def _bound(self, out: list[Piece]) -> None:
        if len(self._header) > LONGEST or not _MAY_GO_ON.fullmatch(self._header):
            self._give_up(out)

    def _give_up(self, out: list[Piece]) -> None:
        """It was no header: then it is what it looks like."""
        text, self._header = self._header, ""
        self._say(text, out)

    def _open(self, header: re.Match[str], out: list[Piece]) -> None:
        name = header["before"] or header["after"]
        if name:
            self._into = "call"
            self._call += 1
            out.append(CallDelta(self._call, name=name.removeprefix("functions.")))
        else:
            self._into = "reasoning" if header["channel"] == "analysis" else "text"

    def _say(self, text: str, out: list[Piece]) -> None:
        if self._into == "closed" and (text := text.lstrip()):
            self._into = "plain"
        if not text:
            return
        match self._into:
            case "reasoning":
                out.append(ReasoningDelta(text))
            case "call":
                out.append(CallDelta(self._call, arguments=text))
            case _:
                out.append(TextDelta(text))


def cleaned(text: str) -> str:
    """The text without the harmony that leaked into it: only what was said."""
    if "<|" not in text:
        return text
    harmony = Harmony()
    pieces = (*harmony.feed(text), *harmony.close())
    return "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
