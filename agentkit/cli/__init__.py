"""The command `agentkit`. Here: from the words of the command line to an exit code.

Each group of commands is a module of its own, imported when it is asked for. A failure that can be expected is one line
on standard error; -v adds the traceback.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from agentkit.cli._codes import INTERRUPTED, OK, PIPE_CLOSED, USAGE
from agentkit.cli._screen import Screen, is_terminal, speak_utf8

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    speak_utf8()
    try:
        code = _run(words)
        _flush()
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit as end:  # from the parser
        return end.code if isinstance(end.code, int) else USAGE
    return code


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


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:  # pyright: ignore[reportUnnecessaryComparison] - without a console
            stream.flush()


def _pipe_closed() -> int:
    """Nobody reads any more: end without a word, also at the flush when Python exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return PIPE_CLOSED
