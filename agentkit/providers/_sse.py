"""Event streams and JSON lines: bytes in, frames out. No I/O, no JSON, and no knowledge of what the frames mean.

Bytes are split at CR, LF and CRLF only, so U+2028 and U+0085 survive. Every cutting of the bytes gives the same items.

One deviation from the standard of event streams is deliberate: an event that still waits for its blank line when the
stream ends is delivered, because real servers leave that line out. And what the standard ignores, a line with an
unknown field name, is reported as a `Stray`, because real servers write their errors there.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

BOM = b"\xef\xbb\xbf"


class Frame(NamedTuple):
    """One event, or one line of JSON."""

    data: str
    event: str = ""
    id: str = ""
    """The last id that the stream gave, as the standard has it."""
    replaced: bool = False
    """Bytes that are no UTF-8 were replaced by U+FFFD."""


class Stray(NamedTuple):
    """A line that is no field of an event stream."""

    line: str
    replaced: bool = False


class TooLong(NamedTuple):
    """A line or an event is larger than `limit` bytes. Always the last item."""

    limit: int


Item: TypeAlias = Frame | Stray | TooLong


def decoded(data: bytes) -> tuple[str, bool]:
    """The text, and whether bytes in it had to be replaced."""
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), True


class _Tail:
    """The beginning of a line whose end has not come; kept in pieces, so that many small ones cost no copying."""

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def lines(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes."""
        *lines, rest = data.split(b"\n")
        if lines and self.size:
            lines[0] = self.take() + lines[0]
        if rest:
            self._pieces.append(rest)
            self.size += len(rest)
        return lines

    def take(self) -> bytes:
        """What is there, and forget it."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return whole


class JSONLines:
    """Reads lines that end in LF or CRLF; blank ones are skipped."""

    __slots__ = ("_limit", "_over", "_tail")

    def __init__(self, *, max_line: int) -> None:
        self._limit = max_line
        self._tail = _Tail()
        self._over = False

    def feed(self, data: bytes) -> list[Item]:
        """Frames that `data` completes."""
        items: list[Item] = []
        if not self._over:
            for line in self._tail.lines(data):
                if not self._line(line, items):
                    return items
            if self._tail.size > self._limit:
                self._refuse(items)
        return items

    def close(self) -> list[Item]:
        """The last line, where nothing ends it."""
        items: list[Item] = []
        if not self._over:
            self._line(self._tail.take(), items)
            self._over = True
        return items

    def _line(self, line: bytes, items: list[Item]) -> bool:
        if len(line) > self._limit:
            self._refuse(items)
            return False
        if line := line.strip(b" \t\r"):
            text, replaced = decoded(line)
            items.append(Frame(text, replaced=replaced))
        return True

    def _refuse(self, items: list[Item]) -> None:
        items.append(TooLong(self._limit))
        self._over = True


class EventStream:
    """Reads an event stream as the WHATWG standard defines it, with the deviation named above."""

    __slots__ = (
        "_between",
        "_cr",
        "_data",
        "_event",
        "_id",
        "_limit",
        "_over",
        "_replaced",
        "_size",
        "_start",
        "_tail",
    )

    def __init__(self, *, max_line: int) -> None:
        self._limit = max_line
        self._tail = _Tail()
        self._start: bytes | None = b""  # what may become a byte order mark; None once that is decided
        self._cr = False  # the last byte was a CR: an LF that follows belongs to it
        self._over = False
        self._between = False  # nothing of an event has come, so whole events can be read at once
        self._id = ""
        self._clear()

    def _clear(self) -> None:
        self._data: list[str] = []
        self._size = 0
        self._event = ""
        self._replaced = False

    def feed(self, data: bytes) -> list[Item]:
        """Items that `data` completes."""
        if self._between and data.endswith(b"\n\n") and len(data) <= self._limit:
            quick = self._whole_events(data)
            if quick is not None:
                return quick
        if self._over or not data:
            return []
        if self._start is not None:
            data = self._unmarked(data)
        if self._cr or b"\r" in data:
            data = self._line_feeds(data)
        items: list[Item] = []
        self._lines(self._tail.lines(data), items)
        if self._tail.size > self._limit and not self._over:
            self._refuse(items)
        self._between = not self._begun()
        return items

    def close(self) -> list[Item]:
        """The last event, where no blank line ends it."""
        items: list[Item] = []
        if not self._over:
            self._lines([(self._start or b"") + self._tail.take(), b""], items)
            self._over = True
            self._between = False
        return items

    def _begun(self) -> bool:
        part = self._tail.size or self._data or self._event or self._replaced
        return bool(part) or self._cr or self._over or self._start is not None

    def _unmarked(self, data: bytes) -> bytes:
        data = (self._start or b"") + data
        if len(data) < len(BOM) and BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(BOM)

    def _line_feeds(self, data: bytes) -> bytes:
        if self._cr and data:
            data = data.removeprefix(b"\n")
            self._cr = False
        if data:
            self._cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _whole_events(self, data: bytes) -> list[Item] | None:
        """The usual case, made quick: events, each most often one line of data; None for what is less usual."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return None
        if "\r" in text:
            return None
        items: list[Item] = []
        alone = text.find("\n") == len(text) - 2
        for block in (text[:-2],) if alone else text[:-2].split("\n\n"):
            if block.startswith("data: ") and "\n" not in block:
                items.append(Frame(block[6:], "", self._id))
            else:
                self._lines([*block.encode().split(b"\n"), b""], items)
        return items

    def _lines(self, lines: list[bytes], items: list[Item]) -> None:
        for line in lines:
            self._size += len(line)
            if self._size > self._limit:
                self._refuse(items)
                return
            if not line:
                self._dispatch(items)
            elif not line.startswith(b":"):
                self._field(line, items)
            if not self._data:
                self._size = 0

    def _field(self, line: bytes, items: list[Item]) -> None:
        name, _, rest = line.partition(b":")
        value, replaced = decoded(rest.removeprefix(b" "))
        match name:
            case b"data":
                self._data.append(value)
                self._replaced |= replaced
            case b"event":
                self._event = value
                self._replaced |= replaced
            case b"id":
                self._replaced |= replaced
                if "\0" not in value:
                    self._id = value
            case b"retry":
                pass
            case _:
                items.append(Stray(*decoded(line)))

    def _dispatch(self, items: list[Item]) -> None:
        if self._data:
            items.append(Frame("\n".join(self._data), self._event, self._id, self._replaced))
        self._clear()

    def _refuse(self, items: list[Item]) -> None:
        items.append(TooLong(self._limit))
        self._over = True
