"""What chat and threads of PixiGPT do with a reply: texts without white space around them, and leaks. Pure."""

from __future__ import annotations

from agentkit.sim.whole import Whole


def spoken(made: Whole, *, leaks: bool) -> tuple[str, str | None]:
    """The text, and the reasoning beside it; in one, with tags, where the service misses to part them."""
    text, reasoning = made.text.strip(), made.reasoning.strip()
    if not leaks or not reasoning:
        return text, reasoning or None
    close = "\n</think>\n\n" if text or made.heads else ""
    return f"<think>\n{reasoning}{close}{text}", None
