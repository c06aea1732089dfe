"""Joining a continuation to what it continues: pure functions and values, for streams and whole replies alike.

Most replies are never cut, so each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit._lazy import lazy

_STRATEGIES = ("Echo", "Native", "Overlap", "Raw", "Strategy", "rungs", "strategy_name")
__getattr__ = lazy(
    __name__,
    {
        "agentkit._engine.seam.chunks": ("Joint",),
        "agentkit._engine.seam.joiner": ("Join", "Seam"),
        "agentkit._engine.seam.shape": ("Shape",),
        "agentkit._engine.seam.strategy": _STRATEGIES,
    },
)

__all__ = (
    "Echo",
    "Join",
    "Joint",
    "Native",
    "Overlap",
    "Raw",
    "Seam",
    "Shape",
    "Strategy",
    "rungs",
    "strategy_name",
)

if TYPE_CHECKING:
    from agentkit._engine.seam.chunks import Joint
    from agentkit._engine.seam.joiner import Join, Seam
    from agentkit._engine.seam.shape import Shape
    from agentkit._engine.seam.strategy import Echo, Native, Overlap, Raw, Strategy, rungs, strategy_name
