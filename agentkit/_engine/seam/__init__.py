"""Joining a continuation to what it continues: pure functions and values, for streams and whole replies alike."""

from __future__ import annotations

from agentkit._engine.seam.chunks import Joint
from agentkit._engine.seam.joiner import Join, Seam
from agentkit._engine.seam.shape import Shape
from agentkit._engine.seam.strategy import Echo, Native, Overlap, Raw, Strategy, rungs, strategy_name

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
