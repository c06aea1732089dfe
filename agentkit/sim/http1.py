"""The little of HTTP/1.1 that the server needs, without I/O: heads of requests in, heads and chunks of answers out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from attrs import frozen

MAX_HEAD = 64 << 10
MAX_BODY = 32 << 20
END_OF_HEAD = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,8192}) HTTP/1\.([01])")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST_HEADERS = 100


class BadRequest(Exception):
    """The bytes are no request that can be served; the connection ends after `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@frozen(kw_only=True)
class Head:
    """The head of a request."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    length: int
    """Bytes of the body."""
    keep_alive: bool
    chunked: bool
    """Whether the client understands an answer in chunks."""

    @property
    def expects_continue(self) -> bool:
        return self.headers.get("expect", "").lower() == "100-continue"


def parse_head(data: bytes) -> Head:
    """Read a head, without the empty line at its end.

    Raises:
        BadRequest: it is no head, or asks for what is not served.
    """
    lines = data.split(b"\r\n")
    first = _LINE.fullmatch(lines[0])
    if first is None:
        raise BadRequest(400, f"no request line of HTTP/1: {lines[0][:100]!r}")
    if len(lines) > _MOST_HEADERS:
        raise BadRequest(431, f"at most {_MOST_HEADERS} headers, not {len(lines) - 1}")
    headers = dict(_header(line) for line in lines[1:])
    modern = first[3] == b"1"
    options = headers.get("connection", "").lower()
    return Head(
        method=first[1].decode(),
        target=first[2].decode(),
        headers=headers,
        length=_length(headers),
        keep_alive="close" not in options if modern else "keep-alive" in options,
        chunked=modern,
    )


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name):
        raise BadRequest(400, f"no header: {line[:100]!r}")
    return name.decode().lower(), value.strip().decode("latin-1")


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequest(411, "a body needs a Content-Length here")
    said = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,15}", said):
        raise BadRequest(400, f"no Content-Length: {said[:100]!r}")
    if int(said) > MAX_BODY:
        raise BadRequest(413, f"a body may have {MAX_BODY} bytes, not {said}")
    return int(said)


def render_head(status: int, headers: Mapping[str, str]) -> bytes:
    """The head of an answer."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Status"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


def chunk(data: bytes) -> bytes:
    """One chunk of a body whose length is not known."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
