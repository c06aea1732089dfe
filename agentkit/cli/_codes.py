"""The exit codes that a script sees, and the error of who asks for what cannot be done."""

from __future__ import annotations

OK, FAILED, USAGE, NOT_CONFIGURED, INCOMPLETE, WAITING, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 4, 5, 130, 141


class UsageError(Exception):
    """The command line asks for something that cannot be done."""


class Undecided(UsageError):
    """Calls of tools wait for a decision, and nobody is there who could be asked."""
