"""The file of a long text: only ever added to, whole characters at a time, and never one that holds something else."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from attrs import evolve

from agentkit._engine.writing import Order
from agentkit.errors import InvalidInput, StoreError

_BYTES_PER_WORD = 8
_FOLLOWS = 0x80, 0xC0
"""Bytes from the first number up to the second are inside a character."""


def placed(order: Order, *, append: bool) -> Order:
    """A new order with where its text begins in the file.

    Raises:
        InvalidInput: the file cannot be written, or holds something already.
    """
    if order.into is None:
        return order
    path = order.into
    size = _room(path, order.words)
    if not size:
        return order
    if not append:
        raise InvalidInput(
            f"{path!r} holds {size:,} bytes already, and is not overwritten: "
            "name another file, or add to it with append=True (--append)"
        )
    return evolve(order, begins=size, lead="\n" if _last_byte(path) == b"\n" else "\n\n")


def _room(path: str, words: int) -> int:
    """The size of the file, which can be written and has room for so many words more."""
    try:
        handle = _opened(path)
        try:
            size = os.fstat(handle).st_size
        finally:
            os.close(handle)
        free = shutil.disk_usage(Path(path).parent).free
    except OSError as error:
        raise _unwritable(path, error) from error
    if free < words * _BYTES_PER_WORD:
        raise InvalidInput(f"there is no room for {words:,} words at {path!r}: {free:,} bytes are free")
    return size


def _opened(path: str) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput(f"{path!r} is not a regular file, so it cannot be added to after an interruption")
    return handle


def _last_byte(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - a path as the user gave it
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _unwritable(path: str, error: OSError) -> InvalidInput:
    return InvalidInput(f"cannot write to {path!r}: {error.strerror or error}")


class PageFile:
    """The open file of one text."""

    def __init__(self, order: Order, text: str) -> None:
        """Open it and see that it holds the beginning of `text`.

        Raises:
            InvalidInput: it cannot be written, or holds something else.
        """
        path = order.into or ""
        self._path = path
        self._lead = order.lead
        try:
            self._handle = _opened(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._begins, self._done = self._found(order, text)
        except BaseException:
            os.close(self._handle)
            raise

    def _found(self, order: Order, text: str) -> tuple[int, int]:
        """Where the text begins, and how many bytes of it are there. A file that is gone or empty is begun anew."""
        size = os.fstat(self._handle).st_size
        for begins, lead in ((order.begins, order.lead), (0, "")):
            self._lead = lead
            if begins <= size and self._encoded(text).startswith(held := _read(self._handle, begins)):
                return begins, len(held)
        raise InvalidInput(
            f"{self._path!r} was changed since: it does not hold the beginning of this text any more. "
            "Move it away, and the whole text is written anew from the conversation, without a request"
        )

    def _encoded(self, text: str) -> bytes:
        return ((self._lead + text) if text else "").encode("utf-8", "replace")

    def bring_to(self, text: str, *, durable: bool = False) -> None:
        """Add what is missing of a text; one that is shorter than what is there adds nothing.

        Raises:
            StoreError: the file cannot be written, or somebody else has written to it.
        """
        missing = self._encoded(text)[self._done :]
        try:
            if os.fstat(self._handle).st_size != self._begins + self._done:
                raise StoreError(f"somebody else has written to {self._path!r}; nothing more is added to it")
            while missing:
                missing = missing[self._add(missing) :]
            if durable:
                os.fsync(self._handle)
        except OSError as error:
            raise self._full(error) from error

    def _add(self, data: bytes) -> int:
        """Write once; where only a part went in, no part of a character stays."""
        count = os.write(self._handle, data)
        whole = count
        while whole < len(data) and whole and _FOLLOWS[0] <= data[whole] < _FOLLOWS[1]:
            whole -= 1
        if whole < count:
            with suppress(OSError):
                os.ftruncate(self._handle, self._begins + self._done + whole)
        self._done += whole
        if not whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole

    def _full(self, error: OSError) -> StoreError:
        failed = StoreError(f"cannot write to {self._path!r}: {error.strerror or error}")
        failed.hint = "All that came is in the conversation: make room, and write it again in the same way"
        return failed

    def close(self) -> None:
        os.close(self._handle)


def _read(handle: int, begins: int) -> bytes:
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(begins)
        return file.read()
