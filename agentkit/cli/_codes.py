"""The exit codes that a script sees, and the error of who asks for what cannot be done."""

from __future__ import annotations

OK, FAILED, USAGE, NOT_CONFIGURED, INCOMPLETE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 4, 130, 141


class UsageError(Exception):
    """The command line asks for something that cannot be done."""
