"""Event streams and JSON lines: the cases of the standard, every cutting, and an independent reader as a judge."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import httpx
import pytest
from httpx_sse import EventSource
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_contract import cuts

from agentkit.providers._sse import EventStream, Frame, Item, JSONLines, Stray, TooLong


def read(pieces: Iterable[bytes], max_line: int = 1 << 20) -> list[Item]:
    stream = EventStream(max_line=max_line)
    items = [item for piece in pieces for item in stream.feed(piece)]
    items += stream.close()
    assert not stream.feed(b"data: late\n\n")
    assert not stream.close()
    return items


def events(pieces: Iterable[bytes]) -> list[tuple[str, str, str]]:
    return [(item.event or "message", item.data, item.id) for item in read(pieces) if isinstance(item, Frame)]


def message(data: str, event: str = "message", ident: str = "") -> tuple[str, str, str]:
    return (event, data, ident)


LONG = "x" * 2048
STANDARD = {
    # in our own words, after the cases of the web platform tests for event streams
    "bom": (b"\xef\xbb\xbfdata:one\n\n\xef\xbb\xbfdata:two\n\ndata:three\n\n", [message("one"), message("three")]),
    "bom-2": (b"\xef\xbb\xbf\xef\xbb\xbfdata:one\n\ndata:two\n\n", [message("two")]),
    "comments": (
        f"data:1\n:\0\n:\r\ndata:2\n:{LONG}\rdata:3\n:data:no\r:{LONG}\ndata:4\n\n".encode(),
        [message("1\n2\n3\n4")],
    ),
    # the standard drops an event without its blank line; real servers leave that line out
    "data-before-final-empty-line": (
        b"retry:1000\ndata:test1\n\nid:test\ndata:test2",
        [message("test1"), message("test2", ident="test")],
    ),
    "field-data": (b"data:\n\ndata\ndata\n\ndata:test\n\n", [message(""), message("\n"), message("test")]),
    "field-event": (b"event:custom\ndata:x\n\ndata:x\n\n", [message("x", "custom"), message("x")]),
    "field-event-empty": (b"event: \ndata:data\n\n", [message("data")]),
    "event-without-data": (b"event: ping\n\ndata:x\n\nevent:end\n\n", [message("x")]),
    "field-id": (
        b"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
        [message("a", ident="7"), message("b", ident="7"), message("c")],
    ),
    "field-id-null": (b"id: 7\nid: 8\x009\ndata: a\n\n", [message("a", ident="7")]),
    "field-parsing": (
        b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:3\ndata:4\n\n",
        [message("\0\n 2\n1\n3\n\n4")],
    ),
    "field-retry": (b"retry: 5000\nretry: x\ndata:x\n\n", [message("x")]),
    "field-unknown": (
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
        [message("test\n\ntest")],
    ),
    "leading-space": (b"data:\ttest\rdata: \ndata:test\n\n", [message("\ttest\n\ntest")]),
    "newlines": (b"data:test\r\ndata\ndata:test\r\n\r\n", [message("test\n\ntest")]),
    "null-character": (b"data:\0\n\n\n\n", [message("\0")]),
    "utf-8": ("data:ok…\n\n".encode(), [message("ok…")]),
    "separators-of-other-standards": (
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(),
        [message("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg")],
    ),
    "only-blank": (b"\n\n\r\n\r\r", []),
    "three-blank-lines": (b"data: a\n\n\ndata: b\n\n\n\n", [message("a"), message("b")]),
    "half-a-bom-and-nothing-else": (b"\xef\xbb", []),
}


@pytest.mark.parametrize("name", STANDARD)
def test_standard(name: str) -> None:
    body, wanted = STANDARD[name]
    whole = read([body])
    for pieces in cuts(body):
        assert events(pieces) == wanted
        assert read(pieces) == whole


def test_unknown_fields_are_reported_where_they_stand() -> None:
    assert read([b'error: {"a":1}\ndata: x\n\n{"b":2}\n']) == [Stray('error: {"a":1}'), Frame("x"), Stray('{"b":2}')]


def test_a_cut_line_is_reported_too() -> None:
    assert read([b"data: x\n\ndat"]) == [Frame("x"), Stray("dat")]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"data: a\xff\n\ndata: b\n\n", [Frame("a\ufffd", replaced=True), Frame("b")]),
        (b"data: a\xe2\x80\n\n", [Frame("a\ufffd", replaced=True)]),
        (b"data: a\ndata: \xff\n\n", [Frame("a\n\ufffd", replaced=True)]),
        (b"event: \xff\ndata: a\n\n", [Frame("a", "\ufffd", replaced=True)]),
        (b"id: \xff\ndata: a\n\ndata: b\n\n", [Frame("a", "", "\ufffd", replaced=True), Frame("b", "", "\ufffd")]),
        (b"\xff: x\n", [Stray("\ufffd: x", replaced=True)]),
        (b"data: a\xc3", [Frame("a\ufffd", replaced=True)]),
    ],
)
def test_bytes_that_are_no_utf8_are_replaced_and_reported(body: bytes, wanted: list[Item]) -> None:
    for pieces in cuts(body):
        assert read(pieces) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"data: 12\n\ndata: 345\n\ndata: 6\n\n", [Frame("12"), TooLong(8)]),
        (b"data: 12\n\nabcdefghij", [Frame("12"), TooLong(8)]),
        (b":23456789\ndata: 1\n\n", [TooLong(8)]),
        (b":2345678\ndata: 1\n\n", [Frame("1")]),
        (b"data:1\ndata:2\n\n", [TooLong(8)]),
        (b"data: 12", [Frame("12")]),
        (b"\n\ndata: 12\ndata: 345\n\ndata: 1\n\n", [TooLong(8)]),
        (b"data: 1\n\ndata: 234\n\n", [Frame("1"), TooLong(8)]),
    ],
)
def test_lines_and_events_are_bounded(body: bytes, wanted: list[Item]) -> None:
    for pieces in cuts(body):
        assert read(pieces, 8) == wanted


def test_a_line_without_end_is_refused_as_soon_as_it_is_too_long() -> None:
    stream = EventStream(max_line=1000)
    got: list[Item] = []
    fed = 0
    while not got:
        got = stream.feed(b"x" * 100)
        fed += 100
    assert got == [TooLong(1000)]
    assert fed == 1100


LINES = st.lists(
    st.one_of(
        st.sampled_from(["", "", "data: x", "data:", "data", "event: e", "id: 1", ": c", "retry: 1", "foo: bar", "{}"]),
        st.builds(
            "data: {}".format, st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=6)
        ),
    ),
    max_size=20,
)
NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])


@given(LINES, NEWLINES, st.lists(st.integers(0, 300), max_size=8), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_cutting_gives_the_same(lines: list[str], newline: str, places: list[int], bom: bool) -> None:
    body = b"\xef\xbb\xbf" * bom + newline.join(lines).encode()
    marks = sorted({0, len(body), *(place for place in places if place < len(body))})
    pieces = [body[start:end] for start, end in pairwise(marks)]
    for limit in (12, 1 << 20):
        assert read(pieces, limit) == read([body], limit) == read([body[i : i + 1] for i in range(len(body))], limit)


@given(st.lists(st.binary(max_size=12), max_size=8), st.integers(1, 20))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_any_cutting_give_the_same(pieces: list[bytes], limit: int) -> None:
    assert read(pieces, limit) == read([b"".join(pieces)], limit)


EVENTS = st.lists(
    st.sampled_from(
        [
            b"data: 1",
            b"data: \xff",
            b"data: 3\r\ndata: 4",
            b"id: 5\ndata: 5",
            b"event: e",
            b"id: \xff",
            b": c",
            b"",
            b"x",
            b"\r",
            b"\n",
        ]
    ),
    max_size=8,
)


@given(EVENTS)
@settings(max_examples=500, deadline=None)
def test_events_that_come_whole_are_read_like_those_in_pieces(blocks: list[bytes]) -> None:
    pieces = [block + b"\n\n" for block in blocks]
    body = b"".join(pieces)
    assert read(pieces) == read([body]) == read([body[i : i + 1] for i in range(len(body))])


@given(LINES)
@settings(max_examples=300, deadline=None)
def test_another_reader_agrees(lines: list[str]) -> None:
    body = "\n".join([*lines, "", ""])
    # its own two slips: it gives an event for a block with a name or an id and no data, and splits at other separators
    odd = {"\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"} & set(body)
    if odd or "\0" in body:
        return
    source = EventSource(httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode()))
    judged = [(event.event, event.data, event.id) for event in source.iter_sse()]
    ours = events([body.encode()])
    assert [event for event in judged if event[1] and event in ours] == [event for event in ours if event[1]]


def read_lines(pieces: Iterable[bytes], max_line: int = 100) -> list[Item]:
    lines = JSONLines(max_line=max_line)
    items = [item for piece in pieces for item in lines.feed(piece)]
    items += lines.close()
    assert not lines.feed(b"{}\n")
    assert not lines.close()
    return items


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"a":1}\n{"b":2}\n', [Frame('{"a":1}'), Frame('{"b":2}')]),
        (b'{"a":1}\r\n\r\n \n{"b":2}', [Frame('{"a":1}'), Frame('{"b":2}')]),
        ('{"a":"\u2028\x85"}\n'.encode(), [Frame('{"a":"\u2028\x85"}')]),
        (b'{"a":"\xff"}\n', [Frame('{"a":"\ufffd"}', replaced=True)]),
        (b"", []),
        (b"1\n" + b"x" * 101 + b"\n2\n", [Frame("1"), TooLong(100)]),
        (b"1\n" + b"x" * 200, [Frame("1"), TooLong(100)]),
        (b"x" * 99 + b"\r\n2", [Frame("x" * 99), Frame("2")]),
    ],
)
def test_json_lines(body: bytes, wanted: list[Item]) -> None:
    for pieces in cuts(body):
        assert read_lines(pieces) == wanted
