"""The bytes of one OpenAI-style answer into chunks: which framing it has, where it ends, and what is wrong with it.

One way for all answers. What comes decides, more than what was asked for or what the content type says: an event
stream, lines of JSON, or one JSON document. The finish reason is the sign of a whole reply; `[DONE]` is only the sign
of an end, which servers also send after a failure. So a stream without `[DONE]` is whole once a finish reason came, and
one with `[DONE]` but no finish reason is a `Fault`. A JSON document is whole by its syntax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, assert_never, cast

from agentkit.errors import ProviderError
from agentkit.events import ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Chunk, Fault, ResponseHead
from agentkit.providers._errors import BODY_CHARS, ErrorReader
from agentkit.providers._json import Constant, as_dict, dumps, loads
from agentkit.providers._openai_values import REPLACED, Broken, Reader, said_first
from agentkit.providers._sse import BOM, EventStream, Frame, Item, Stray, TooLong, decoded
from agentkit.usage import FinishReason

_BLANK = BOM + b" \t\r\n"
_FIELD = re.compile(rb"(?:data|event|id|retry|error)?:")
_LONGEST_FIELD = len(b"event:")
_LINES_OF_JSON = re.compile(r"ndjson|jsonl|json-seq|stream\+json")
_DONE = "[DONE]"
_UNQUOTED = re.compile(r'\s*\{\s*"error"')
_scan = json.JSONDecoder().raw_decode
_PROBE = "a text that no answer holds"
_LESSONS = 8
_EXCERPT = 4 * BODY_CHARS

_Form = Literal["stream", "document", "alien"]
_CONTENT = TextDelta | ReasoningDelta | CallDelta


class _Template:
    """A frame with a hole where its text was: most frames of a stream differ in nothing else."""

    __slots__ = ("_after", "_before", "_kind", "_rest", "_start", "used")

    def __init__(self, before: str, after: str, kind: type[TextDelta | ReasoningDelta]) -> None:
        self._before, self._after, self._kind = before + '"', after, kind
        self._start, self._rest = len(before), len(after)
        self.used = False

    @classmethod
    def learn(cls, data: str, text: str, names: Sequence[str]) -> _Template | None:
        """Cut the text out of a frame that gave it alone, and prove the hole: another text there comes out alone."""
        before, quoted, after = data.partition(f'"{text}"')
        if not quoted or _PROBE in data:
            return None
        try:
            found = said_first(loads(f'{before}"{_PROBE}"{after}'), names)
        except (ValueError, Broken):
            return None
        if _PROBE not in found or "" not in found:
            return None
        return cls(before, after, TextDelta if found[0] else ReasoningDelta)

    def read(self, data: str) -> TextDelta | ReasoningDelta | None:
        """The delta of a frame that fits; None for one that has to be parsed."""
        if data.startswith(self._before) and data.endswith(self._after):
            try:
                text, end = _scan(data, self._start)
            except ValueError:
                return None
            # what may be a piece of a character is left to the reader: halves of pairs are not printable
            if end == len(data) - self._rest and text and (text.isascii() or _is_whole(text)):
                self.used = True
                return self._kind(text)
        return None


def _is_whole(text: str) -> bool:
    return text.isprintable() and text[-1] != REPLACED


class ChatDecoder:
    """Decodes one answer. Errors are a last `Fault`; nothing comes after it, or after a whole reply."""

    __slots__ = (
        "_body",
        "_errors",
        "_events",
        "_form",
        "_head",
        "_kept",
        "_lessons",
        "_names",
        "_over",
        "_reader",
        "_template",
        "_type",
    )

    def __init__(
        self,
        head: ResponseHead,
        *,
        errors: ErrorReader,
        names: Sequence[str],
        finish: Mapping[str, FinishReason],
        max_line: int,
    ) -> None:
        self._head = head
        self._errors = errors
        self._names = names
        self._type = head.headers.get("content-type", "").lower()
        self._events = EventStream(max_line=max_line)
        self._reader = Reader(names, finish)
        self._form: _Form | None = None
        self._body: list[bytes] = []  # what is not decoded yet: all of a document, the beginning of what is none
        self._kept = ""  # lines that mean nothing here: they show what the answer was instead
        self._template: _Template | None = None
        self._lessons = _LESSONS
        self._over = False

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        """Chunks that `data` completes."""
        out: list[Chunk] = []
        if self._over:
            return out
        if self._form != "stream":
            data = self._undecoded(data)
        if data:
            self._items(self._events.feed(data), out)
        return out

    def close(self) -> Sequence[Chunk]:
        """The last chunks, at the end of the bytes."""
        out: list[Chunk] = []
        if self._over:
            return out
        match self._form:
            case "stream":
                self._last(out)
            case "document":
                self._document(out)
            case _:
                text = decoded(b"".join(self._body))[0]
                self._break("the answer is no chat completion" if text else "the answer is empty", out, text)
        return out

    def _undecoded(self, data: bytes) -> bytes:
        """Find out what the answer is, and give the bytes to decode now."""
        if self._form is not None:
            self._body.append(data)
            if self._form == "alien":
                self._body = [b"".join(self._body)[:_EXCERPT]]
            return b""
        start = (b"".join(self._body) + data).lstrip(_BLANK)
        self._form = self._form_of(start)
        if self._form == "stream":
            self._body = []
            return start
        self._body = [start[:_EXCERPT] if self._form == "alien" else start]
        return b""

    def _form_of(self, start: bytes) -> _Form | None:
        brace = start[:1] in {b"{", b"["}
        if brace and not _LINES_OF_JSON.search(self._type):
            return "document"
        if start and (brace or "text/event-stream" in self._type or _FIELD.match(start)):
            return "stream"
        return "alien" if len(start) >= _LONGEST_FIELD else None

    def _document(self, out: list[Chunk]) -> None:
        """A document may be large: it is never held in more than two forms at a time."""
        body, self._body = b"".join(self._body), []
        text, replaced = decoded(body)
        if _is_lines(text):
            self._items(self._events.feed(body), out)
            self._last(out)
            return
        del body
        try:
            answered = self._frame(Frame(text, replaced=replaced), out)
        except (Broken, RecursionError) as error:
            self._break(f"the answer {_why(error)}", out, text[:_EXCERPT])
            return
        if answered and (self._reader.finish is not None or any(isinstance(made, _CONTENT) for made in out)):
            self._finish(out)
        elif not self._over:
            self._fault(self._errors.unanswered(self._head, text), out)

    def _last(self, out: list[Chunk]) -> None:
        if not self._over:
            self._items(self._events.close(), out, last=True)
        if not self._over and self._reader.finish is None:
            self._break("the answer ended before its end: no finish reason came", out, self._kept)
        elif not self._over:
            self._finish(out)

    def _items(self, items: Sequence[Item], out: list[Chunk], *, last: bool = False) -> None:
        for item in items:
            if self._template is not None and type(item) is Frame and not item.event and not item.replaced:
                made = self._template.read(item.data)
                if made is not None:
                    out.append(made)
                    continue
            try:
                self._item(item, out)
            except (Broken, RecursionError) as error:
                if last and self._reader.finish is not None:
                    self._reader.notice("the stream was cut in its last line, after the finish reason", out)
                else:
                    self._break(f"a frame {_why(error)}", out, item.data if isinstance(item, Frame) else "")
            if self._over:
                return

    def _item(self, item: Item, out: list[Chunk]) -> None:
        match item:
            case Frame():
                self._frame(item, out)
            case Stray(line, replaced):
                self._stray(line, replaced, out)
            case TooLong(limit):
                self._break(f"a line or an event is longer than {limit} bytes", out)
            case _:
                assert_never(item)

    def _stray(self, line: str, replaced: bool, out: list[Chunk]) -> None:  # noqa: FBT001 - a field of a value
        """A line without `data:`: some servers send their JSON so, or their errors."""
        name, _, rest = line.strip().partition(":")
        if name == "error":
            self._frame(Frame(rest.strip(), "error", replaced=replaced), out)
        elif line.lstrip().startswith("{") or line.strip() == _DONE:
            self._frame(Frame(line, replaced=replaced), out)
        elif len(self._kept) < _EXCERPT:
            self._kept += line[:_EXCERPT] + "\n"

    def _frame(self, frame: Frame, out: list[Chunk]) -> bool:
        """Read one frame; True where it holds a choice."""
        if frame.replaced:
            self._reader.notice("the answer held bytes that are no UTF-8; U+FFFD stands for them", out)
        word = frame.data.strip()
        if word == _DONE:
            self._done(out)
            return False
        if not word and frame.event != "error":
            return False
        value = self._value(frame)
        if frame.event == "error" or isinstance(value, str) or _is_error(value):
            self._fault(self._errors.inside(self._head, value, frame.data), out)
            return False
        return self._read(frame.data, value, out)

    def _value(self, frame: Frame) -> dict[str, Any] | str:
        """The JSON of a frame; its bare text where that is an error which its server did not quote well."""
        try:
            value = loads(frame.data)
        except Constant:
            value = _without_usage(frame.data)
        except ValueError as error:
            if frame.event == "error" or _UNQUOTED.match(frame.data):
                return frame.data
            raise Broken(f"holds malformed JSON ({error})") from None
        if frame.event == "error" and not as_dict(value):
            return frame.data
        if not isinstance(value, dict):
            raise Broken("holds no JSON object")
        return cast("dict[str, Any]", value)

    def _read(self, data: str, value: dict[str, Any], out: list[Chunk]) -> bool:
        count = len(out)
        answered = self._reader.read(value, out)
        if self._reader.halves:
            self._template = None  # the next text of that channel is not its own
        elif len(out) == count + 1 and self._reader.finish is None and not value.get("usage"):
            self._learn(data, out[-1])
        return answered

    def _learn(self, data: str, made: Chunk) -> None:
        """Lessons cost a parse: after some that taught nothing of use, no more are taken."""
        if self._template is not None and self._template.used:
            self._template.used = False
            self._lessons = _LESSONS
        if self._lessons and isinstance(made, TextDelta | ReasoningDelta):
            self._lessons -= 1
            self._template = _Template.learn(data, made.text, self._names) or self._template

    def _done(self, out: list[Chunk]) -> None:
        if self._reader.finish is None:
            self._break("the answer said [DONE] without a finish reason", out, self._kept)
        else:
            self._finish(out)

    def _finish(self, out: list[Chunk]) -> None:
        self._reader.end(out, whole=True)
        self._over = True

    def _break(self, what: str, out: list[Chunk], text: str = "") -> None:
        self._fault(self._errors.protocol(self._head, what, text), out)

    def _fault(self, error: ProviderError, out: list[Chunk]) -> None:
        self._reader.end(out, whole=False)
        out.append(Fault(error))
        self._over = True


def _is_error(value: Mapping[str, Any]) -> bool:
    if value.get("error") or "error" in (value.get("object"), value.get("type")):
        return True
    return "choices" not in value and bool(value.get("detail"))


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Broken) else "is nested too deeply"


def _is_lines(text: str) -> bool:
    """Several documents, one per line; a document that is laid out over lines cannot be read line by line."""
    first, _, rest = text.strip().partition("\n")
    if not rest:
        return False
    try:
        loads(first)
    except ValueError:
        return False
    return True


def _without_usage(text: str) -> dict[str, Any]:
    """A frame with NaN or Infinity in its counts is read without the counts; anywhere else they break it."""
    try:
        value = json.loads(text)
        dumps({**value, "usage": None})
    except (ValueError, TypeError):
        raise Broken("holds NaN or Infinity, which is no JSON") from None
    return {**value, "usage": "NaN"}
