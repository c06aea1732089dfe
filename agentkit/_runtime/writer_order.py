"""What a caller of `write` asks for, checked: a new text, or one that the conversation has begun already."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from attrs import evolve

from agentkit._engine.journal import Journal
from agentkit._engine.writing import Order, Wanted, Work, given_outline, order_in
from agentkit._runtime.session import new_id
from agentkit._runtime.writer_file import placed
from agentkit.errors import InvalidInput


def order_for(journal: Journal, asked: Wanted) -> Order:
    """The order that the arguments come to.

    Raises:
        InvalidInput: an argument is wrong, there is nothing to go on with, or the file cannot be written.
    """
    known = order_in(journal)
    path = _path(asked.into)
    if asked.task is None:
        if known is None or asked.words is not None or asked.outline is not None:
            raise InvalidInput(
                "write() needs a task and its words=; without a task it goes on with a text begun before"
            )
        return known if path is None else evolve(known, into=path)
    wanted = Order(
        work=f"write-{new_id()[:12]}",
        task=_task(asked.task),
        words=_words(asked.words),
        outline=_outline(asked.outline),
        into=path,
    )
    if known is not None and known.same_as(wanted) and (path or Work(known, journal).next() is not None):
        return known
    return placed(wanted, append=asked.append)


def _task(task: object) -> str:
    if not isinstance(task, str) or not task.strip():
        raise InvalidInput(f"the task must be a text that says what to write, not {task!r:.80}")
    return task.strip()


def _words(words: object) -> int:
    if isinstance(words, bool) or not isinstance(words, int) or words < 1:
        raise InvalidInput(f"words must be a whole number of at least 1, not {words!r:.80}")
    return words


def _outline(outline: object) -> tuple[str, ...] | bool | None:
    if outline is None or isinstance(outline, bool):
        return outline
    items = cast("Iterable[object]", outline) if isinstance(outline, Iterable) else ()
    texts = outline if isinstance(outline, str) else tuple(item for item in items if isinstance(item, str))
    titles = given_outline(texts)
    if not titles:
        raise InvalidInput(f"outline must be the titles of the chapters, as a list or a text, not {outline!r:.80}")
    return titles


def _path(into: object) -> str | None:
    if into is None:
        return None
    if not isinstance(into, str | os.PathLike) or not os.fspath(cast("os.PathLike[str]", into)):
        raise InvalidInput(f"into must be the path of a file, not {into!r:.80}")
    return str(Path(cast("str", into)).absolute())
