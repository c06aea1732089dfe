"""A log of what was sent and what came, for people to read: a folder for each run of a program.

May hold how an exchange is written down; what passes it on is in `logged`. Writing never stops a turn: a disk that
fails is a warning, once. Secrets are blacked out before anything is written.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from agentkit._runtime.redact import Redactor
from agentkit.events import ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Fault, Finish, HTTPRequest, Provider, ResponseHead, is_exchanging
from agentkit.usage import FinishReason

MOST_BYTES = 4 << 20
"""What is kept of one answer; the rest is counted only."""
_PRIVATE, _PRIVATE_FILE = 0o700, 0o600
_RULE = "-" * 50


class Transcript:
    """Writes the exchanges of this process into a folder of its own below `parent`, made when the first one is due.

    Without a lock, which a process that is forked off would find locked for ever.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._numbers = itertools.count(1)
        self._folders: dict[int, Path] = {}
        self._warned = False

    def write(self, at: datetime, document: dict[str, Any], readable: str) -> None:
        """One more exchange."""
        folder = self._own_folder()
        body = json.dumps(document, ensure_ascii=False, indent=2)
        _written(folder / f"{at:%H-%M-%S.%f}-{next(self._numbers):06}.json", f"{body}\n", os.O_EXCL)
        if readable:
            _written(folder / "conversation.txt", readable, os.O_APPEND)

    def warn(self, error: Exception) -> None:
        """Say what is wrong with the log, once; even where warnings are errors, no turn ends for it."""
        if self._warned:
            return
        self._warned = True
        with suppress(RuntimeWarning):
            warnings.warn(f"no transcript in {str(self._parent)!r}: {error}", RuntimeWarning, stacklevel=2)

    def _own_folder(self) -> Path:
        """A folder that no other process has: neither another program, nor the one that this was forked from."""
        pid = os.getpid()
        if pid in self._folders:
            return self._folders[pid]
        self._parent.mkdir(parents=True, exist_ok=True)
        made = _new_folder(self._parent, f"{_now():%Y-%m-%d_%H-%M-%S.%f}-{pid}")
        chosen = self._folders.setdefault(pid, made)
        if chosen is not made:  # another thread was faster
            made.rmdir()
        return chosen


_runs: dict[Path, Transcript] = {}


def transcript_in(folder: Path) -> Transcript:
    """The log of this process below `folder`: one for all of its conversations."""
    return _runs.setdefault(folder, Transcript(folder))


def _written(path: Path, text: str, how: int) -> None:
    """In one call to the system, so that what threads add at the same time does not mix."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | how, _PRIVATE_FILE)
    try:
        left = text.encode("utf-8", "backslashreplace")
        while left:
            left = left[os.write(file, left) :]
    finally:
        os.close(file)


def _new_folder(parent: Path, name: str) -> Path:
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(mode=_PRIVATE)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("there is no end of numbers")


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


class Exchange:
    """One request and what comes of it, kept in memory until it is over."""

    def __init__(
        self, log: Transcript, provider: Provider, conversation: str, backend: str, request: HTTPRequest
    ) -> None:
        self._log = log
        self._provider = provider
        self._conversation = conversation
        self._backend = backend
        self._request = request
        self._at = _now()
        self._begun = time.monotonic()
        self._thread = threading.get_ident()
        self._head: ResponseHead | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._error: BaseException | None = None
        self._written = False

    def answered(self, head: ResponseHead) -> None:
        self._head = head

    def add(self, data: bytes) -> None:
        """A piece of the answer."""
        room = MOST_BYTES - self._size
        if room > 0:
            self._pieces.append(data[:room])
        self._size += len(data)

    def failed(self, error: BaseException) -> None:
        """What the transport raised in place of an answer, or in the middle of one."""
        self._error = error

    def left(self) -> None:
        """The answer was dropped. Where that is done from its own thread, it is closed as well."""
        if threading.get_ident() != self._thread:
            self.write()

    def write(self) -> None:
        """The exchange is over; what goes wrong here is a warning, once."""
        if self._written:
            return
        self._written = True
        try:
            hide = Redactor(self._request.headers, self._request.url, getattr(self._provider, "api_key", None))
            asked = _json(self._request.body)
            self._log.write(self._at, self._document(hide, asked), "".join(self._readable(hide, asked)))
        except Exception as error:  # noqa: BLE001 - a log is never worth a turn
            self._log.warn(error)

    def _document(self, hide: Redactor, asked: object) -> dict[str, Any]:
        request = self._request
        made: dict[str, Any] = {
            "time": self._at.isoformat(),
            "conversation": self._conversation,
            "backend": self._backend,
            "seconds": round(time.monotonic() - self._begun, 3),
            "request": {
                "method": request.method,
                "url": hide.url(request.url),
                "headers": hide.mapping(dict(request.headers)),
                "body": hide.value(asked),
            },
        }
        if self._head is not None:
            made["answer"] = self._answer(self._head, hide)
        if self._error is not None:
            made["error"] = hide.text(_told(self._error))
        return made

    def _answer(self, head: ResponseHead, hide: Redactor) -> dict[str, Any]:
        body = _json(b"".join(self._pieces))
        lines = body.split("\n") if isinstance(body, str) else None
        made: dict[str, Any] = {"status": head.status, "headers": hide.mapping(head.headers)}
        made |= {"body": hide.value(body)} if lines is None else {"lines": hide.value(lines)}
        return made if self._size <= MOST_BYTES else {**made, "bytes": self._size}

    def _readable(self, hide: Redactor, asked: object) -> Iterator[str]:
        """The exchange as a person reads it; nothing where it is not the whole of a question and its reply."""
        said = asked.get("messages") if isinstance(asked, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if not isinstance(said, list) or is_exchanging(self._provider):
            return
        yield f"[{self._at:%Y-%m-%d %H:%M:%S.%f}] {self._conversation}, {self._backend}\n"
        yield from (hide.text(f"Question: {text}\n") for text in _questions(cast("list[object]", said)))
        yield from map(hide.text, self._reply())
        if self._error is not None:
            yield hide.text(f"Ended: {_told(self._error)}\n")
        yield f"\n{_RULE}\n\n"

    def _reply(self) -> Iterator[str]:
        if self._head is None:
            return
        if not 200 <= self._head.status < 300:  # noqa: PLR2004 - success, by HTTP
            yield f"Refused: {self._head.status} {b''.join(self._pieces).decode('utf-8', 'replace').strip()}\n"
            return
        decoder = self._provider.decoder(self._head, max_line=MOST_BYTES)
        chunks = [*decoder.feed(b"".join(self._pieces)), *decoder.close()]
        for word, kind in (("Reasoning", ReasoningDelta), ("Reply", TextDelta)):
            if text := "".join(chunk.text for chunk in chunks if isinstance(chunk, kind)):
                yield f"{word}: {text}\n"
        yield from (f"Called: {chunk.name}\n" for chunk in chunks if isinstance(chunk, CallDelta) and chunk.name)
        end = chunks[-1]
        if isinstance(end, Fault) and self._error is None:
            yield f"Ended: {_told(end.error)}\n"
        elif isinstance(end, Finish) and end.reason is not FinishReason.STOP:
            yield f"Ended: {end.reason}\n"


def _json(data: bytes) -> Any:
    """The value, or the text where it is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _questions(messages: list[object]) -> list[str]:
    """What was said since the assistant's last message: the question, or the results of tools."""
    asked: list[str] = []
    for message in reversed(messages):
        wire = cast("dict[str, Any]", message) if isinstance(message, dict) else {}
        if wire.get("role") == "assistant":
            break
        if wire.get("role") != "system":
            asked.append(_spoken(wire.get("content")))
    return asked[::-1]


def _spoken(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[object]", content) if isinstance(content, list) else []
    wires = [cast("dict[str, Any]", part) for part in parts if isinstance(part, dict)]
    return " ".join(str(wire.get("text") or f"[{wire.get('type')}]") for wire in wires)
