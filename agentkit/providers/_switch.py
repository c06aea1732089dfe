"""Thinking, for backends that can only turn it on or off."""

from __future__ import annotations

from agentkit.events import Notice
from agentkit.options import Options

_OFF = frozenset({"none", "off", "disabled"})
_GRADES = frozenset({"minimal", "low", "medium", "high", "xhigh", "max"})


def thinking_switch(options: Options, *, default: bool) -> tuple[bool, tuple[Notice, ...]]:
    """Whether `reasoning_effort` asks for thinking, and that its degree is lost where it names one."""
    effort = options.reasoning_effort
    if effort is None:
        return default, ()
    word = effort.strip().lower()
    if word not in _GRADES:
        return word not in _OFF, ()
    return True, (Notice(f"the backend thinks or does not; reasoning_effort {effort!r} turns it on, without a degree"),)
