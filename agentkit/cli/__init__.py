"""The command `agentkit`. Here: from the words of the command line to an exit code.

Each group of commands is a module of its own, imported when it is asked for. A failure that can be expected is one line
on standard error; -v adds the traceback.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from agentkit.cli._codes import FAILED, INTERRUPTED, OK, PIPE_CLOSED, USAGE
from agentkit.cli._screen import Screen, is_terminal, speak_utf8

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_closed()
    speak_utf8()
    try:
        return _written(_guarded(words))
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as error:
        return _unwritable(error)


def _guarded(words: list[str]) -> int:
    try:
        return _run(words)
    except SystemExit as end:  # from the parser
        return end.code if isinstance(end.code, int) else USAGE


def _run(words: list[str]) -> int:
    if words in (["--version"], ["-V"]):
        return _version()
    from agentkit.cli._parser import read

    arguments = read(words)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the outermost place
        return _failed(error, verbose=arguments.verbose)


def _version() -> int:
    from agentkit import __version__

    print(f"agentkit {__version__}")
    return OK


def _failed(error: Exception, *, verbose: bool) -> int:
    from agentkit.cli._errors import exit_code, explain, is_expected

    if verbose or not is_expected(error):
        import traceback

        traceback.print_exception(error)
    screen = Screen()
    _say_why(error, screen, explain(error))
    return exit_code(error)


def _say_why(error: Exception, screen: Screen, line: str) -> None:
    from agentkit.cli._settings import NothingConfigured, advice

    if isinstance(error, NothingConfigured):
        screen.plain("\n".join(advice()))
    else:
        screen.error(line)


def _interrupted() -> int:
    if is_terminal(sys.stderr):
        print(file=sys.stderr)
    return INTERRUPTED


def _open_closed() -> None:
    """Where the caller closed standard output, writing to it fails as it does elsewhere."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] - it is, where it was closed
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")


def _written(code: int) -> int:
    """All output has left, or a failure that was told already; else the exception says why not."""
    try:
        _flush()
    except BrokenPipeError:
        raise
    except OSError:
        if code == OK:
            raise
        _discard(sys.stdout, sys.stderr)
    return code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:  # pyright: ignore[reportUnnecessaryComparison] - without a console
            stream.flush()


def _unwritable(error: OSError) -> int:
    from agentkit.cli._errors import explain

    _discard(sys.stdout)
    try:
        Screen().error(explain(error))
    except OSError:
        _discard(sys.stderr)
    return FAILED


def _pipe_closed() -> int:
    """Nobody reads any more: end without a word."""
    _discard(sys.stdout)
    return PIPE_CLOSED


def _discard(*streams: TextIO) -> None:
    """What could not be written to these goes nowhere, also at the flush when Python exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a closed one, or none
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
