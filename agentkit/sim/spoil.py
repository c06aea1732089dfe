"""What goes wrong with the bytes of an answer, on every wire alike: a change of its head and of the items of its body.

An item is taken as it is; what looks into it looks at lines that are JSON, with or without `data:` before them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import evolve

from agentkit.sim.plan import Fault, Spoiling
from agentkit.sim.talk import Drop, Pause
from agentkit.sim.wire import Item, SimResponse, as_array, as_object, encoded

_GIANT = 16 << 20
_MOST = 64 << 20
_PIECE = 5
"""Bytes at which a body is cut, besides within its characters."""
_LEAD = 0xC0
"""From here on, a byte is the first of several."""
_GZIP = 31


def spoiled(response: SimResponse, fault: Fault) -> SimResponse:
    """The answer with one thing wrong."""
    if fault.how in _EDITS:
        change = _EDITS[fault.how]
        return _remade(response, lambda body: _lines(body, _edited(change)))
    match fault.how:
        case "gzip":
            packed = _remade(response, _zipped)
            return evolve(packed, headers={**packed.headers, "content-encoding": "gzip"})
        case "split":
            return _remade(response, _split)
        case "type":
            return evolve(response, headers={**response.headers, "content-type": fault.text or "text/html"})
        case "giant":
            size = min(_MOST, int(fault.size) or _GIANT)
            return _remade(response, lambda body: _once(body, lambda line: _padded(line, size)))
        case "broken":
            return _remade(response, lambda body: _broken(body, fault.after))
        case "drop" | "end":
            return _short(response, fault)
        case _:
            return response  # it has gone wrong before it was written


def _remade(response: SimResponse, change: Callable[[Iterator[Item]], Iterator[Item]]) -> SimResponse:
    """The answer with another body, whose length it tells rightly where it tells one."""
    if "content-length" not in response.headers:
        return evolve(response, body=change(response.body))
    items = tuple(change(response.body))
    length = sum(len(item) for item in items if isinstance(item, bytes))
    return evolve(response, body=iter(items), headers={**response.headers, "content-length": str(length)})


def _zipped(body: Iterator[Item]) -> Iterator[Item]:
    import zlib  # rarely needed

    packer = zlib.compressobj(wbits=_GZIP)
    for item in body:
        yield packer.compress(item) + packer.flush(zlib.Z_SYNC_FLUSH) if isinstance(item, bytes) else item
    yield packer.flush()


def unzipped(response: SimResponse) -> SimResponse:
    """The answer as a client sees it that knows how to unpack it."""
    if response.headers.get("content-encoding") != "gzip":
        return response
    return evolve(response, body=_unzipped(response.body))


def _unzipped(body: Iterator[Item]) -> Iterator[Item]:
    import zlib  # rarely needed

    reader = zlib.decompressobj(wbits=_GZIP)
    for item in body:
        made = reader.decompress(item) if isinstance(item, bytes) else item
        if made != b"":
            yield made


def _split(body: Iterator[Item]) -> Iterator[Item]:
    """Cut within characters and elsewhere, with a pause of no length at each cut, so that it is sent apart."""
    for item in body:
        if not isinstance(item, bytes):
            yield item
            continue
        cuts = [at for at in range(1, len(item)) if at % _PIECE == 0 or item[at - 1] >= _LEAD]
        for start, end in zip([0, *cuts], [*cuts, len(item)], strict=True):
            yield item[start:end]
            yield Pause(0.0)


def _lines(body: Iterator[Item], edit: Callable[[bytes], bytes]) -> Iterator[Item]:
    for item in body:
        yield b"\n".join(map(edit, item.split(b"\n"))) if isinstance(item, bytes) else item


def _once(body: Iterator[Item], edit: Callable[[bytes], bytes]) -> Iterator[Item]:
    """Edit the first line that is JSON."""
    done = False

    def first(line: bytes) -> bytes:
        nonlocal done
        if done or not _is_json(line):
            return line
        done = True
        return edit(line)

    return _lines(body, first)


def _is_json(line: bytes) -> bool:
    return line.removeprefix(b"data:").lstrip()[:1] == b"{"


def _edited(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def edit(line: bytes) -> bytes:
        if not _is_json(line):
            return line
        start = line.index(b"{")
        value = json.loads(line[start:])
        change(value)
        return line[:start] + encoded(value)

    return edit


def _same_ids(value: dict[str, Any]) -> None:
    for call in _calls(value):
        if call.get("id"):
            call["id"] = "call_1"


def _no_ids(value: dict[str, Any]) -> None:
    for call in _calls(value):
        call.pop("id", None)


def _objects(value: dict[str, Any]) -> None:
    for call in _calls(value):
        function = as_object(call.get("function")) or {}
        with suppress(ValueError):
            function["arguments"] = json.loads(function.get("arguments", "{}"))


def _stopped(value: dict[str, Any]) -> None:
    for choice in _choices(value):
        if choice.get("finish_reason") == "tool_calls":
            choice["finish_reason"] = "stop"


def _void(value: dict[str, Any]) -> None:
    for choice in _choices(value):
        for spoken in (as_object(choice.get("delta")), as_object(choice.get("message"))):
            if spoken is not None and not spoken.get("tool_calls"):
                spoken["tool_calls"] = []


def _choices(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (choice for choice in as_array(value.get("choices")) or () if isinstance(choice, dict))


def _calls(value: Any) -> Iterator[dict[str, Any]]:
    fields = as_object(value) or {}
    yield from (call for call in as_array(fields.get("tool_calls")) or () if isinstance(call, dict))
    for inner in (*fields.values(), *(as_array(value) or ())):
        yield from _calls(inner)


def _without_usage(value: dict[str, Any]) -> None:
    value.pop("usage", None)


_EDITS: Mapping[Spoiling, Callable[[dict[str, Any]], None]] = {
    "ids": _same_ids,
    "idless": _no_ids,
    "objects": _objects,
    "stop": _stopped,
    "usage": _without_usage,
    "void": _void,
}


def _padded(line: bytes, size: int) -> bytes:
    start = line.index(b"{") + 1
    return line[:start] + b'"padding":"' + b"x" * size + b'",' + line[start:]


def _broken(body: Iterator[Item], place: int | None) -> Iterator[Item]:
    """Half of one line of JSON: of the one at `place`, or in the middle."""
    items = tuple(body)
    count = sum(_is_json(line) for item in items if isinstance(item, bytes) for line in item.split(b"\n"))
    left = count // 2 if place is None else place

    def edit(line: bytes) -> bytes:
        nonlocal left
        left -= _is_json(line)
        return line[: len(line) // 2] if left == -1 and _is_json(line) else line

    return _lines(iter(items), edit)


def _short(response: SimResponse, fault: Fault) -> SimResponse:
    """Only so many bytes, and then the connection breaks, or the answer ends as if it were whole."""
    items = tuple(response.body)
    total = sum(len(item) for item in items if isinstance(item, bytes))
    left = int(fault.size if fault.unit == "bytes" else total * min(fault.size, 100.0) / 100)
    if left >= total:
        return evolve(response, body=iter(items))
    kept = tuple(_first_bytes(items, left))
    if fault.how == "drop":
        return evolve(response, body=iter((*kept, Drop())))
    headers: Mapping[str, str] = response.headers
    if "content-length" in headers:
        headers = {**headers, "content-length": str(left)}
    return evolve(response, body=iter(kept or (b"",)), headers=headers)


def _first_bytes(items: Sequence[Item], left: int) -> Iterable[Item]:
    for item in items:
        if isinstance(item, bytes):
            if left:
                yield item[:left]
            left -= len(item)
            if left <= 0:
                return
        else:
            yield item
