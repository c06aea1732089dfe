"""What a text is in the middle of at its end: a fence, a table, a JSON document. Each character is looked at once."""

from __future__ import annotations

import re

from attrs import evolve, frozen

_FENCE = re.compile(r"\s*(?P<mark>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_OPENS_JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*(?:[\[{\"\]]|-?\d|true|false|null))")
_JSON_MARK = re.compile(r'["\\{}\[\]]')
_LINE = 320
"""Characters of a line that decide what it is."""


@frozen
class Fence:
    """An open block of code."""

    mark: str
    info: str
    start: int
    """Where its content begins."""
    nested: int = 0
    """Fences within it that have an info string and are open: models write pages that hold blocks."""
    has_content: bool = False


@frozen
class Table:
    """A table under way: its first row, and the second line where that is the rule below the header."""

    header: str
    rule: str = ""
    rows: int = 1


class JsonTrail:
    """How deep a JSON document is open."""

    __slots__ = ("_beginning", "_escaped", "depth", "in_text", "is_json")

    def __init__(self) -> None:
        self.is_json: bool | None = None
        """Unknown while too little is there."""
        self.depth = 0
        self.in_text = False
        self._escaped = False
        self._beginning = ""

    @property
    def is_open(self) -> bool:
        return self.is_json is True and (self.depth > 0 or self.in_text)

    def feed(self, text: str) -> None:
        if self.is_json is None:
            self._beginning += text
            head = self._beginning.lstrip()
            self.is_json = True if _OPENS_JSON.match(head) else (None if _undecided(head) else False)
            if self.is_json:
                text, self._beginning = self._beginning, ""
        if self.is_json:
            self._follow(text)

    def _follow(self, text: str) -> None:
        at = 0
        if self._escaped and text:
            at, self._escaped = 1, False
        while found := _JSON_MARK.search(text, at):
            at = found.end()
            mark = found[0]
            if mark == "\\":
                self._escaped = at == len(text) and self.in_text
                at += self.in_text
            elif mark == '"':
                self.in_text = not self.in_text
            elif not self.in_text:
                self.depth = max(0, self.depth + (1 if mark in "{[" else -1))
                if self.depth == 0:
                    self.is_json = False
                    return


def _undecided(head: str) -> bool:
    return not head or (head[0] in "{[" and (not head[1:].strip() or head[1:].strip() in ("-", *_WORDS)))


_WORDS = tuple(word[:end] for word in ("true", "false", "null") for end in range(1, len(word)))


class Shape:
    """Follows a reply as it grows. Any cutting of the text gives the same."""

    def __init__(self, text: str = "") -> None:
        self.length = 0
        self.line = ""
        """The last line as far as it is there; its beginning only, where it is long."""
        self.fence: Fence | None = None
        self.table: Table | None = None
        self._whole = JsonTrail()
        self._fenced = JsonTrail()
        self.feed(text)

    def feed(self, text: str) -> None:
        *lines, rest = text.split("\n")
        for line in lines:
            self._extend(line)
            self.length += 1
            self._end_line()
        if rest:
            self._extend(rest)

    @property
    def json(self) -> JsonTrail | None:
        """The document that is open at the end, in a fence or as the whole reply."""
        if self._whole.is_open:
            return self._whole
        return self._fenced if self.fence is not None and self._fenced.is_open else None

    @property
    def in_fence(self) -> bool:
        """Within a block, which the last line, as far as it is there, does not close."""
        return self.fence is not None and not (self.fence.nested == 0 and _closes(self.fence, self.line))

    def _extend(self, piece: str) -> None:
        self.length += len(piece)
        self._whole.feed(piece)
        if self.fence is not None:
            self._fenced.feed(piece)
        if len(self.line) < _LINE:
            self.line += piece[: _LINE - len(self.line)]

    def _end_line(self) -> None:
        line, self.line = self.line, ""
        self._whole.feed("\n")
        if self.fence is not None:
            self._fenced.feed("\n")
            self.fence = _within(self.fence, line)
            return
        found = _FENCE.match(line)
        if found is not None and not self._whole.is_open:
            self.fence = Fence(found["mark"], found["info"].strip(), self.length)
            self._fenced = JsonTrail()
        self._follow_table(line)

    def _follow_table(self, line: str) -> None:
        if not line.lstrip().startswith("|"):
            self.table = None
        elif self.table is None:
            self.table = Table(line)
        elif self.table.rows == 1 and _RULE.match(line):
            self.table = evolve(self.table, rule=line, rows=2)
        else:
            self.table = evolve(self.table, rows=self.table.rows + 1)


def _closes(fence: Fence, line: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence.mark) and not bare.strip(fence.mark[0])


def _within(fence: Fence, line: str) -> Fence | None:
    """The fence after one more line."""
    if _closes(fence, line):
        return evolve(fence, nested=fence.nested - 1) if fence.nested else None
    found = _FENCE.match(line)
    if found is not None and found["mark"][0] == fence.mark[0] and found["info"].strip():
        return evolve(fence, nested=fence.nested + 1, has_content=True)
    return fence if fence.has_content or not line.strip() else evolve(fence, has_content=True)
