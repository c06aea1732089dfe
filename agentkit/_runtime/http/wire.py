"""The answer to one HTTP/1.1 request: bytes of the connection in, bytes of the body out. No I/O.

May hold how a head is read and how a body is delimited, and nothing else of HTTP. Strict where leniency would let an
answer be read in two ways. All chunks that one read brings leave as one piece, since most servers put each event of a
stream into a chunk of its own; that is why the parser of httpcore, which makes an object of each, is not used here.
"""

from __future__ import annotations

import re
from typing import Protocol, TypeAlias

import httpcore

MAX_LINE_BYTES = 16 << 10
"""Of the line before a chunk, and of all the lines after the last one."""

Headers: TypeAlias = list[tuple[bytes, bytes]]

_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_SIZE = rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n"
_FIRST_SIZE, _NEXT_SIZE = re.compile(_SIZE), re.compile(rb"\r\n" + _SIZE)
_TRAILER = re.compile(rb"(?:[^\r\n]+\r?\n)*\r?\n")
_NO_BODY = (204, 304)
_SWITCHING, _FINAL = 101, 200


def broken(what: str) -> httpcore.RemoteProtocolError:
    return httpcore.RemoteProtocolError(what)


class Body(Protocol):
    """How the end of a body is found. `complete` once it was; `surplus` where more came than belongs to it."""

    complete: bool
    surplus: bool

    def feed(self, data: bytes) -> bytes:
        """The content among `data`."""
        ...

    def check(self) -> None:
        """Raise what was found wrong behind content that was good."""
        ...

    def end(self) -> None:
        """The connection has ended."""
        ...


class Sized:
    """A body of so many bytes."""

    __slots__ = ("_left", "complete", "surplus")

    def __init__(self, size: int) -> None:
        self._left = size
        self.complete = not size
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        if len(data) > self._left:
            self.surplus = True
            data = data[: self._left]
        self._left -= len(data)
        self.complete = not self._left
        return data

    def check(self) -> None:
        pass

    def end(self) -> None:
        raise broken("the body is shorter than its length")


class UntilClose:
    """A body that lasts as long as its connection."""

    __slots__ = ("complete", "surplus")

    def __init__(self) -> None:
        self.complete = False
        self.surplus = True

    def feed(self, data: bytes) -> bytes:
        return data

    def check(self) -> None:
        pass

    def end(self) -> None:
        self.complete = True


class Chunked:
    """A body in chunks, each behind its size."""

    __slots__ = ("_last", "_left", "_rest", "_size", "_wrong", "complete", "surplus")

    def __init__(self) -> None:
        self.complete = False
        self.surplus = False
        self._left = 0
        """Bytes that the chunk at hand still lacks."""
        self._rest = b""
        """The beginning of a line."""
        self._size = _FIRST_SIZE
        self._last = False
        self._wrong: str | None = None

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            self.surplus = True
            return b""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self._last:
            if not self._left:
                line = self._size.match(data, at)
                if line is None:
                    self._keep(data[at:])
                    break
                at = line.end()
                self._left = int(line[1], 16)
                self._last = not self._left
                self._size = _NEXT_SIZE
            else:
                piece = data[at : at + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
                if data.startswith(b"\r\n", at) and not self._left:  # mostly the end of the chunk has come as well
                    at += 2
                    self._size = _FIRST_SIZE
        if self._last:
            self._trailer(data[at:])
        if self._wrong is not None and not pieces:
            raise broken(self._wrong)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _keep(self, rest: bytes) -> None:
        """Keep what may be the beginning of a size."""
        line = rest
        if self._size is _NEXT_SIZE:
            if not b"\r\n".startswith(rest[:2]):
                self._wrong = "a chunk is longer than its size"
            line = rest[2:]
        if b"\n" in line or len(line) > MAX_LINE_BYTES:
            self._wrong = self._wrong or "a chunk has no size"
        self._rest = rest

    def _trailer(self, data: bytes) -> None:
        """What comes after the last chunk means nothing here, but its end is the end of the body."""
        end = _TRAILER.match(data)
        if end is not None:
            self.complete = True
            self.surplus = end.end() < len(data)
        elif len(data) > MAX_LINE_BYTES:
            self._wrong = "the lines after the last chunk do not end"
        else:
            self._rest = data

    def check(self) -> None:
        if self._wrong is not None:
            raise broken(self._wrong)

    def end(self) -> None:
        raise broken("the body ended before its last chunk")


class Incoming:
    """One answer. `body` is there once its head was read; interim answers before it are passed over."""

    __slots__ = ("_bodiless", "_head", "_keeps", "_seen", "body", "headers", "status")

    def __init__(self, method: bytes) -> None:
        self.status = 0
        self.headers: Headers = []
        self.body: Body | None = None
        self._bodiless = method == b"HEAD"
        self._keeps = False
        self._head = bytearray()
        self._seen = 0

    @property
    def over(self) -> bool:
        """All of the answer has come."""
        return self.body is not None and self.body.complete

    @property
    def reusable(self) -> bool:
        """The answer is over, and its connection is good for another one."""
        return self._keeps and self.body is not None and self.body.complete and not self.body.surplus

    def check(self) -> None:
        """Raise what was found wrong behind content that was good: once that was delivered, before more is read."""
        if self.body is not None:
            self.body.check()

    def feed(self, data: bytes) -> bytes:
        """The content among `data`, which is empty at the end of the connection."""
        body = self.body
        if not data:
            if body is None:
                raise broken("the server ended the connection before the head of the answer")
            body.end()
            return b""
        if body is not None:
            return body.feed(data)
        self._head += data
        return self._begin()

    def _begin(self) -> bytes:
        while (end := _HEAD_END.search(self._head, max(self._seen - 2, 0))) is not None:
            status, version, self.headers = parsed(bytes(self._head[: end.start()]))
            del self._head[: end.end()]
            self._seen = 0
            if status == _SWITCHING:
                raise broken("the server wants to speak another protocol")
            if status >= _FINAL:
                self.status = status
                self.body = body = self._delimited(version)
                rest, self._head = bytes(self._head), bytearray()
                return body.feed(rest) if rest else b""
        self._seen = len(self._head)
        return b""

    def _delimited(self, version: bytes) -> Body:
        """How the body ends, by RFC 9112, section 6.3."""
        coding, lengths = self._words(b"transfer-encoding"), self._words(b"content-length")
        self._keeps = version == b"1" and b"close" not in self._words(b"connection") and not (coding and lengths)
        if coding and coding != [b"chunked"]:
            raise broken("the body has a transfer coding other than chunked")
        if lengths and (len(set(lengths)) > 1 or not _LENGTH.fullmatch(lengths[0])):
            raise broken("the length of the body is no number")
        if self._bodiless or self.status in _NO_BODY:
            return Sized(0)
        if coding:
            return Chunked()
        return Sized(int(lengths[0])) if lengths else UntilClose()

    def _words(self, name: bytes) -> list[bytes]:
        """The words of a header that may hold a list, and may come several times."""
        return [word.strip().lower() for header, value in self.headers if header == name for word in value.split(b",")]


def parsed(head: bytes) -> tuple[int, bytes, Headers]:
    """Status, minor version, and headers with names in lower case, of a head without its blank line."""
    first, *lines = head.split(b"\n")
    status = _STATUS.fullmatch(first.removesuffix(b"\r"))
    if status is None:
        raise broken("the first line of the answer is no status line")
    headers: Headers = []
    for each in lines:
        line = each.removesuffix(b"\r")
        field = _FIELD.fullmatch(line)
        if field is not None:
            headers.append((field[1].lower(), field[2].strip(b" \t")))
        elif headers and line[:1] in {b" ", b"\t"} and _FIELD.fullmatch(b"folded:" + line):
            name, value = headers[-1]
            headers[-1] = name, (value + b" " + line.strip(b" \t")).strip(b" ")
        else:
            raise broken("a header of the answer is malformed")
    return int(status[2]), status[1], headers
