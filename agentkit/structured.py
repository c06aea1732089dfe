"""Values in place of texts: what `ask()` is made of, for those who want a part of it. Names only."""

from __future__ import annotations

from agentkit.tools import InvalidReply, PartialJson, Problem, Wanted, wanted

__all__ = ["InvalidReply", "PartialJson", "Problem", "Wanted", "wanted"]
