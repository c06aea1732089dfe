"""What the decoder of any provider must do with bytes, as checks of one answer each."""
# ruff: noqa: S101, PLR2004 - for tests, although installed

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Chunk, Details, Fault, Finish, Provider, ResponseHead, UsageReport
from agentkit.usage import FinishReason

MAX_LINE = 1 << 20


def decode(provider: Provider, head: ResponseHead, pieces: Iterable[bytes], max_line: int = MAX_LINE) -> list[Chunk]:
    decoder = provider.decoder(head, max_line=max_line)
    chunks = [chunk for piece in pieces for chunk in decoder.feed(piece)]
    chunks += decoder.close()
    assert not decoder.feed(b'data: {"choices":[{"delta":{"content":"late"}}]}\n\n'), "nothing comes after the end"
    assert not decoder.close(), "the end comes once"
    return chunks


def comparable(chunks: Sequence[Chunk]) -> list[Any]:
    """Exceptions have no equality: the parts of them that a caller sees."""
    return [
        (type(chunk.error), str(chunk.error), vars(chunk.error)) if isinstance(chunk, Fault) else chunk
        for chunk in chunks
    ]


def cuts(body: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and in two at every place."""
    yield [body]
    yield [body[place : place + 1] for place in range(len(body))]
    for place in range(len(body) + 1):
        yield [body[:place], body[place:]]


def summary(chunks: Sequence[Chunk]) -> dict[str, Any]:
    """What the chunks come to, in the form of `expect` in the recorded cases."""
    calls: dict[int, list[str]] = {}
    for chunk in chunks:
        if isinstance(chunk, CallDelta):
            call = calls.setdefault(chunk.index, ["", "", ""])
            for place, more in enumerate((chunk.id, chunk.name, chunk.arguments)):
                call[place] += more
    usage = next((chunk.usage for chunk in chunks if isinstance(chunk, UsageReport)), None)
    return {
        "text": "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta)),
        "reasoning": "".join(chunk.text for chunk in chunks if isinstance(chunk, ReasoningDelta)),
        "calls": list(calls.values()),
        "finish": next((str(chunk.reason) for chunk in chunks if isinstance(chunk, Finish)), None),
        "usage": usage,
    }


def check_shape(chunks: Sequence[Chunk]) -> None:
    """The order and number that every answer keeps to, and text that can be encoded."""
    ends = [chunk for chunk in chunks if isinstance(chunk, Finish | Fault)]
    assert ends == [chunks[-1]], "one end, at the end"
    for kind in (Details, UsageReport):
        assert sum(isinstance(chunk, kind) for chunk in chunks) <= 1
    for chunk in chunks:
        match chunk:
            case TextDelta(text) | ReasoningDelta(text):
                assert text
                text.encode()
            case CallDelta():
                (chunk.id + chunk.name + chunk.arguments).encode()
            case Notice(message):
                message.encode()
            case Finish(reason):
                assert isinstance(reason, FinishReason)
            case Fault(error):
                assert "\n" not in str(error)
                str(error).encode()
                error.body.encode()
                assert len(error.body) <= 2000
            case _:
                repr(chunk).encode()


def check_any_cut(provider: Provider, head: ResponseHead, body: bytes, max_line: int = MAX_LINE) -> list[Chunk]:
    whole = decode(provider, head, [body], max_line)
    for pieces in cuts(body):
        assert comparable(decode(provider, head, pieces, max_line)) == comparable(whole)
    check_shape(whole)
    return whole


def check_interleaved(provider: Provider, head: ResponseHead, one: bytes, other: bytes) -> None:
    first, second = provider.decoder(head, max_line=MAX_LINE), provider.decoder(head, max_line=MAX_LINE)
    mixed: tuple[list[Chunk], list[Chunk]] = ([], [])
    for place in range(0, max(len(one), len(other)), 7):
        mixed[0].extend(first.feed(one[place : place + 7]))
        mixed[1].extend(second.feed(other[place : place + 7]))
    mixed[0].extend(first.close())
    mixed[1].extend(second.close())
    assert comparable(mixed[0]) == comparable(decode(provider, head, [one]))
    assert comparable(mixed[1]) == comparable(decode(provider, head, [other]))


def check_early_end(provider: Provider, head: ResponseHead, body: bytes, whole_from: int) -> None:
    """Cut before `whole_from` it is a fault that keeps what came; from there on it is whole, with the same words."""
    full = summary(decode(provider, head, [body]))
    for place in range(len(body)):
        chunks = decode(provider, head, [body[:place]])
        check_shape(chunks)
        got = summary(chunks)
        assert full["text"].startswith(got["text"])
        assert full["reasoning"].startswith(got["reasoning"])
        assert isinstance(chunks[-1], Fault if place < whole_from else Finish), body[:place]
        if place >= whole_from:
            assert {**got, "usage": full["usage"]} == full
