"""The answers of Gradient Chat: lines of JSON about a job, and the list of models.

The job is done when it says `completed`, or `finish`. Words that come after that still count, so the end of the reply
is the end of the bytes. An answer that ends before is a `Fault`, and keeps what came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentkit.errors import ProtocolError, ProviderError
from agentkit.events import Notice, TextDelta
from agentkit.provider import CallDelta, Chunk, Fault, Finish, ResponseHead
from agentkit.providers._errors import BODY_CHARS, ErrorReader, Facts, one_line
from agentkit.providers._json import as_dict, as_list, encodable, loads
from agentkit.providers._openai_leaks import CleaningDecoder
from agentkit.providers._openai_values import Broken, Reader
from agentkit.providers._sse import Frame, Item, JSONLines, decoded
from agentkit.usage import FinishReason

COMPLETED = "completed"
_FINISH = "finish"
_FRAMING = re.compile(r"\[DONE\]$|:|(event|id|retry):")
"""What is left of an event stream, once `data:` is taken away."""
_STATUS_CHARS = 100


class GradientDecoder:
    """Decodes one answer: what the job says, without the control tokens of the model, and whether that is a reply."""

    __slots__ = ("_job", "_said")

    def __init__(self, head: ResponseHead, *, errors: ErrorReader, max_line: int) -> None:
        self._job = CleaningDecoder(_JobDecoder(head, errors=errors, max_line=max_line), ())
        self._said = False

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        """Chunks that `data` completes."""
        return self._judged(self._job.feed(data))

    def close(self) -> Sequence[Chunk]:
        """The last chunks, at the end of the bytes."""
        return self._judged(self._job.close())

    def _judged(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        """There is no finish reason: a job that completed without a text was cut while it thought, or thought aloud."""
        self._said = self._said or any(isinstance(chunk, TextDelta | CallDelta) for chunk in chunks)
        if self._said or not chunks or not isinstance(end := chunks[-1], Finish):
            return chunks
        told = Notice("the job completed without a text; what the model thought may hold the answer")
        return [*chunks[:-1], told, Finish(FinishReason.UNKNOWN, end.raw)]


class _JobDecoder:
    """Reads the lines; those that mean nothing are passed over and counted."""

    __slots__ = (
        "_done",
        "_errors",
        "_head",
        "_job",
        "_kept",
        "_lines",
        "_max_line",
        "_model",
        "_over",
        "_reader",
        "_skipped",
    )

    def __init__(self, head: ResponseHead, *, errors: ErrorReader, max_line: int) -> None:
        self._head = head
        self._errors = errors
        self._max_line = max_line
        self._lines = JSONLines(max_line=max_line)
        self._reader = Reader(("reasoning_content",), {})
        self._job: str | None = None  # its last status; None where no event of a job came
        self._done: str | None = None
        self._model = ""
        self._kept = ""  # a line that shows what went wrong, where something does
        self._skipped = 0
        self._over = False

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        """Chunks that `data` completes."""
        out: list[Chunk] = []
        if not self._over:
            self._items(self._lines.feed(data), out)
        return out

    def close(self) -> Sequence[Chunk]:
        """The last chunks, at the end of the bytes."""
        out: list[Chunk] = []
        if not self._over:
            self._items(self._lines.close(), out)
        if not self._over:
            self._end(out)
        return out

    def _items(self, items: Sequence[Item], out: list[Chunk]) -> None:
        for item in items:
            if isinstance(item, Frame):
                self._line(item, out)
            else:
                self._last(out)
                out.append(Fault(self._errors.protocol(self._head, f"a line is longer than {self._max_line} bytes")))

    def _line(self, frame: Frame, out: list[Chunk]) -> None:
        if frame.replaced:
            self._reader.notice("the answer held bytes that are no UTF-8; U+FFFD stands for them", out)
        text = frame.data.removeprefix("\ufeff").removeprefix("data:").strip()
        if not text or _FRAMING.match(text):
            return
        try:
            self._event(as_dict(loads(text)), text, out)
        except (ValueError, RecursionError, Broken):
            self._skipped += 1
            self._keep(text)

    def _event(self, event: dict[str, Any], text: str, out: list[Chunk]) -> None:
        data = as_dict(event.get("data"))
        match event.get("type"):
            case "reply":
                self._reply(data, out)
            case "jobInfo":
                self._status(data, text)
            case "clusterInfo":
                self._model = _word(data.get("model")) or self._model
            case "finish":
                self._done = self._done or _FINISH
            case "blockUpdate":
                pass
            case _:
                if event:
                    self._keep(text)
                return
        self._job = self._job or ""

    def _status(self, data: dict[str, Any], text: str) -> None:
        self._job = _word(data.get("status"))[:_STATUS_CHARS] or self._job
        if self._job == COMPLETED:
            self._done = COMPLETED
        if Facts.of(data).words:
            self._kept = text[: 4 * BODY_CHARS]

    def _reply(self, data: dict[str, Any], out: list[Chunk]) -> None:
        delta = {"content": data.get("content"), "reasoning_content": data.get("reasoningContent")}
        self._reader.read({"choices": [{"delta": delta}]}, out)

    def _keep(self, text: str) -> None:
        self._kept = self._kept or text[: 4 * BODY_CHARS]

    def _end(self, out: list[Chunk]) -> None:
        if self._skipped:
            self._reader.notice(f"lines of the answer that hold no event were passed over: {self._skipped}", out)
        self._last(out)
        out.append(Finish(FinishReason.STOP, self._done) if self._done else Fault(self._failure()))

    def _last(self, out: list[Chunk]) -> None:
        self._reader.read({"model": self._model}, out)
        self._reader.end(out, whole=False)
        self._over = True

    def _failure(self) -> ProviderError:
        if self._job is not None:
            status = f"its last status is {self._job!r}" if self._job else "it gave no status"
            what = f"the job did not complete, {status}; ask again, or another model or cluster"
            return self._errors.job_failed(self._head, what, self._kept, code=self._job)
        value = _object(self._kept)
        if Facts.of(value).words:
            return self._errors.inside(self._head, value, self._kept)
        what = "the answer holds no event of a job" if self._kept else "the answer is empty"
        return self._errors.protocol(self._head, what, self._kept)


def available_models(body: bytes) -> tuple[str, ...]:
    """The names in an answer of `GET /model_info`.

    Raises:
        ProtocolError: there is no list of names in it.
    """
    text = decoded(body)[0]
    names = as_dict(_object(text).get("data")).get("availableModels")
    if not isinstance(names, list):
        raise ProtocolError(f"gradient: the answer holds no list of models: {one_line(text)[:200]!r}")
    return tuple(filter(None, map(_word, as_list(names))))  # pyright: ignore[reportUnknownArgumentType]


def _object(text: str) -> dict[str, Any]:
    try:
        return as_dict(loads(text))
    except ValueError:
        return {}


def _word(value: object) -> str:
    return encodable(value) if isinstance(value, str) else ""
