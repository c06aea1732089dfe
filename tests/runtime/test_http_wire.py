"""The reader of HTTP/1.1 answers: cut anywhere it gives the same, and h11 agrees with it."""

from __future__ import annotations

import h11
import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit._runtime.http.wire import MAX_LINE_BYTES, Incoming

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Read:
    """What became of some bytes, fed in pieces; `closed` where the connection ends after them."""

    def __init__(self, data: bytes, cuts: list[int] | None = None, *, method: bytes = b"GET", closed: bool = True):
        self.incoming = incoming = Incoming(method)
        self.content = b""
        self.broken = False
        places = sorted({cut % (len(data) + 1) for cut in cuts or ()})
        try:
            for start, end in zip([0, *places], [*places, len(data)], strict=True):
                if end > start:
                    self.content += incoming.feed(data[start:end])
                    incoming.check()
            if closed and not (incoming.body and incoming.body.complete):
                incoming.feed(b"")
        except httpcore.RemoteProtocolError:
            self.broken = True

    @property
    def whole(self) -> bool:
        return not self.broken and self.incoming.body is not None and self.incoming.body.complete

    @property
    def fate(self) -> tuple[object, ...]:
        return self.broken, self.whole, self.incoming.status, self.incoming.headers, self.content


def by_h11(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
    """What h11 makes of a whole answer; None where it refuses it."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    head: h11.Response | None = None
    content = b""
    try:
        while True:
            event = connection.next_event()
            match event:
                case h11.Response():
                    head = event
                case h11.Data():
                    content += bytes(event.data)
                case h11.EndOfMessage():
                    assert head is not None
                    return head.status_code, list(head.headers), content
                case h11.NEED_DATA:
                    connection.receive_data(b"")
                case h11.InformationalResponse() if event.status_code != 101:
                    pass
                case _:
                    return None
    except h11.RemoteProtocolError:
        return None


def chunked(pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    made = b"".join(b"%X%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces if piece)
    return CHUNKED + made + b"0\r\n" + trailer + b"\r\n"


pieces = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
cuts = st.lists(st.integers(0, 2000), max_size=30)


@given(pieces, cuts, st.sampled_from([b"", b";name=value", b" ; x"]), st.sampled_from([b"", b"Expires: 0\r\nA: b\r\n"]))
def test_chunks_are_joined_however_they_come(
    content: list[bytes], places: list[int], extension: bytes, trailer: bytes
) -> None:
    read = Read(chunked(content, extension, trailer), places)
    assert read.whole
    assert read.incoming.reusable
    assert read.content == b"".join(content)


def test_content_before_something_wrong_is_delivered() -> None:
    for wrong in (b"zz\r\n", b"1\r\nab\r\n"):
        incoming = Incoming(b"POST")
        assert incoming.feed(CHUNKED + b"1\r\na\r\n" + wrong)[:1] == b"a"
        with pytest.raises(httpcore.RemoteProtocolError):
            incoming.check()


def test_one_read_gives_one_piece() -> None:
    incoming = Incoming(b"POST")
    assert incoming.feed(CHUNKED) == b""
    assert incoming.feed(b"1\r\na\r\n2\r\nbc\r\n3\r\nde") == b"abcde"
    assert incoming.feed(b"f\r\n") == b"f"
    assert incoming.feed(b"0\r\n\r\n") == b""
    assert incoming.reusable


@given(st.binary(max_size=60), cuts)
def test_a_length_is_kept_to(content: bytes, places: list[int]) -> None:
    data = OK + b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
    read = Read(data, places)
    assert read.whole
    assert read.incoming.reusable
    assert read.content == content
    more = Read(data + b"x", places)
    assert more.content == content
    assert not more.incoming.reusable or more.incoming.body is None or more.incoming.body.complete


@given(st.binary(max_size=60), cuts)
def test_without_a_length_the_connection_is_the_measure(content: bytes, places: list[int]) -> None:
    read = Read(OK + b"\r\n" + content, places)
    assert read.whole
    assert read.content == content
    assert not read.incoming.reusable


LINES = (
    b"Content-Length: 3\r\n",
    b"Content-Length: 3, 3\r\n",
    b"Content-Length: 4\r\n",
    b"Content-Length: -3\r\n",
    b"Content-Length: +3\r\n",
    b"Content-Length:\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"X-Empty:\r\n",
    b"X: a\tb \xe9\r\n",
    b"X: a\r\n  folded\r\n",
    b" folded first\r\n",
    b"Bad Name: x\r\n",
    b"No-Colon\r\n",
    b"Zero: \0\r\n",
    b"Bare: a\rb\r\n",
    b"Feed: a\n",
)
STARTS = (
    OK,
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 404\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"HTTP/1.1 20 OK\r\n",
    b"HTTP/1.1 2000 OK\r\n",
    b"HTTP/1.1 abc OK\r\n",
    b"HTTP/1.1 200 O\0K\r\n",
    b"HTTPS/1.1 200 OK\r\n",
    b"\r\nHTTP/1.1 200 OK\r\n",
    b"200 OK\r\n",
)
BODIES = (
    b"",
    b"abc",
    b"ab",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"3\nabc\r\n0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"3\r\nabc0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"3\r\nabc\r\n0\r\n",
    b"zz\r\nabc\r\n0\r\n\r\n",
    b"-3\r\nabc\r\n0\r\n\r\n",
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b"0\r\nExpires: 0\r\n\r\n",
)


def _without_length(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """h11 makes one of several."""
    return [header for header in headers if header[0] != b"content-length"]


@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(LINES), max_size=4),
    st.sampled_from(BODIES),
    cuts,
)
def test_what_is_accepted_is_read_as_h11_reads_it(
    start: bytes, lines: list[bytes], body: bytes, places: list[int]
) -> None:
    data = start + b"".join(lines) + b"\r\n" + body
    read = Read(data, places)
    theirs = by_h11(data)
    assert read.whole is (theirs is not None), (data, theirs, read.fate)
    if theirs is not None:
        status, headers = read.incoming.status, read.incoming.headers
        assert (status, _without_length(headers)) == (theirs[0], _without_length(theirs[1]))
        assert read.content == theirs[2]


@given(st.sampled_from(STARTS), st.lists(st.sampled_from(LINES), max_size=4), st.sampled_from(BODIES), cuts)
def test_cutting_makes_no_difference(start: bytes, lines: list[bytes], body: bytes, places: list[int]) -> None:
    data = start + b"".join(lines) + b"\r\n" + body
    one, many = Read(data), Read(data, places)
    assert one.broken == many.broken
    if not one.broken:
        assert one.fate == many.fate


@given(st.binary(max_size=200), cuts)
def test_rubbish_never_hurts(rubbish: bytes, places: list[int]) -> None:
    assert Read(rubbish, places).broken
    Read(OK + rubbish, places)
    Read(CHUNKED + rubbish, places)


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
def test_answers_without_a_body(method: bytes) -> None:
    status = b"HTTP/1.1 204 No Content\r\n" if method == b"GET" else OK
    read = Read(status + b"Content-Length: 10\r\n\r\n", method=method, closed=False)
    assert read.whole
    assert read.incoming.reusable


def test_an_answer_with_two_measures_is_the_last_of_its_connection() -> None:
    read = Read(OK + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", closed=False)
    assert read.content == b"a"
    assert read.whole
    assert not read.incoming.reusable


@pytest.mark.parametrize("after", [b"HTTP/1.1 200 OK\r\n", b"\r\n", b"x"])
def test_what_comes_after_an_answer_spoils_the_connection(after: bytes) -> None:
    assert not Read(chunked([b"a"]) + after, closed=False).incoming.reusable
    assert not Read(OK + b"Content-Length: 1\r\n\r\na" + after, closed=False).incoming.reusable
    late = Read(chunked([b"a"]), closed=False).incoming
    assert late.reusable
    assert late.feed(after) == b""
    assert not late.reusable


@pytest.mark.parametrize("line", [b"a" * MAX_LINE_BYTES + b"a", b"1;" + b"a" * MAX_LINE_BYTES])
def test_lines_of_a_chunked_body_are_bounded(line: bytes) -> None:
    assert Read(CHUNKED + line, closed=False).broken
    assert Read(CHUNKED + b"1\r\na\r\n" + line, closed=False).broken
    assert Read(CHUNKED + b"0\r\n" + line, closed=False).broken
