"""What is wrong with the arguments of a call, or with a reply, in words for the model that made it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from agentkit.errors import AgentKitError, InvalidInput

_MOST_PROBLEMS = 10
_MOST_SHOWN = 80
_LONGEST_LINE = 500
_PLAIN_KEY = re.compile(r"\w{1,64}")


@frozen
class Problem:
    """One thing that is wrong, and its place, such as `$.items[2].when`."""

    path: str
    message: str
    unlike: bool = False
    """The value is of another kind altogether."""


class InvalidArguments(InvalidInput):
    """The arguments do not fit the tool, so it was not run. The message is meant for the model."""

    def __init__(self, tool: str, problems: Sequence[Problem]) -> None:
        listed = _listed(problems)
        super().__init__(f"These arguments do not fit {tool}, so it was not run:\n{listed}\nCall it again with others.")
        self.problems = tuple(problems)


class InvalidReply(AgentKitError):
    """A reply is not what was asked for. The message is meant for the model; no argument of the caller is wrong."""

    def __init__(self, problems: Sequence[Problem], text: str = "") -> None:
        listed = _listed(problems)
        super().__init__(
            f"This is not the JSON that was asked for:\n{listed}\n"
            "Write the whole JSON once more, put right, and nothing else."
        )
        self.problems = tuple(problems)
        self.text = text
        """The reply."""


def _listed(problems: Sequence[Problem]) -> str:
    """One line for each of the first problems, none of them long."""
    lines = [_cut(f"- {problem.path}: {problem.message}", _LONGEST_LINE) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"- and {len(problems) - _MOST_PROBLEMS} more")
    # Half a character, as texts from JSON may have it, could not be sent.
    return "\n".join(lines).encode("utf-8", "backslashreplace").decode("utf-8")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def shown(value: Any) -> str:
    """A JSON value for a message, never long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=lambda it: f"<{type(it).__name__}>")
    except (ValueError, RecursionError):
        text = f"<{type(value).__name__}>"
    return _cut(text, _MOST_SHOWN)


def under(path: str, key: str) -> str:
    """The path of a key of an object."""
    return f"{path}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{path}[{shown(key)}]"


def along(path: str, steps: Iterable[str | int]) -> str:
    """The path that some keys and places lead to."""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else under(path, step)
    return path
