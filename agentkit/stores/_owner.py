"""Who owns a lease: names for owners that tell, on the same machine, whether their process still lives."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

_GONE = ("Z", "X", "x")
"""States of a process in /proc that runs no more, although its parent has not asked for its end yet."""


def this_process() -> str:
    """Where this process runs and which one it is: `place/pid/start`."""
    return _process(os.getpid())


def new_owner() -> str:
    """A name for one owner of leases, never given twice."""
    return f"{this_process()}/{os.urandom(6).hex()}"


def is_dead(owner: str) -> bool:
    """The process of this owner has surely ended. False where nobody can know: another machine, another container."""
    match owner.split("/"):
        case [place, pid, start, *_] if place == _place(os.getpid()) and pid.isdecimal():
            return not _runs(int(pid), start)
        case _:
            return False


def is_silent(owner: str, wall: float, tick: float, seconds: float) -> bool:
    """Nothing was heard of this owner for `seconds`; it last spoke at `wall`, and at `tick` by its monotonic clock.

    The monotonic clock counts where both run on one machine, so that setting the time ends no lease there.
    """
    if owner.startswith(f"{_place(os.getpid())}/"):
        return not 0 <= time.monotonic() - tick <= seconds
    return abs(time.time() - wall) > seconds


@cache
def _process(pid: int) -> str:
    return f"{_place(pid)}/{pid}/{_start(pid) or ''}"


@cache
def _place(pid: int) -> str:
    """The same text in all processes that see each other's pids. By pid, as a fork may change the namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = Path(f"/proc/{pid}/ns/pid").readlink()
    except OSError:
        import platform  # rarely needed, and slow to import

        return platform.node().replace("/", "-")
    return f"{boot}:{space}"


def _start(pid: int) -> str | None:
    """When the process began, in ticks since boot; None where it runs no more or the system does not say."""
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in _GONE else None


def _stat(pid: int) -> list[str]:
    try:
        # The name of the program comes before the last bracket and may hold anything.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
    except OSError:
        return []


def _runs(pid: int, start: str) -> bool:
    if start:
        return _start(pid) == start
    if os.name != "posix":  # a signal 0 would end the process on Windows
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


if hasattr(os, "register_at_fork"):  # pragma: no branch - a child may come to a pid that this process knew
    os.register_at_fork(after_in_child=_process.cache_clear)
