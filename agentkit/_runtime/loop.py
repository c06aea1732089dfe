"""The running event loop, of asyncio or of trio: what anyio has no word for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeAlias

from attrs import frozen

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

_tasks: set[asyncio.Task[None]] = set()
"""The loop of asyncio holds its tasks only weakly."""


@frozen
class Loop:
    """What can be asked of a running loop."""

    soon: Callable[[Callable[[], object]], None]
    """Have something called in it; may be asked from any thread. Raises RuntimeError once the loop is over."""
    spawn: Callable[[Work, Context], None]
    """Begin a task that belongs to nobody; to be asked in the loop itself."""


def running_loop() -> Loop:
    """The loop that this code runs in."""
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            token = trio.lowlevel.current_trio_token()
        except RuntimeError:
            pass
        else:
            return Loop(
                token.run_sync_soon,
                lambda work, within: _ignored(trio.lowlevel.spawn_system_task(work, context=within)),
            )
    loop = asyncio.get_running_loop()
    return Loop(lambda call: _ignored(loop.call_soon_threadsafe(call)), _spawn)


def _spawn(work: Work, within: Context) -> None:
    task = asyncio.get_running_loop().create_task(work(), context=within)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _ignored(_: object) -> None:
    return None
