"""Counters of tokens: which one a model has, and how to make one from a file. Tables are loaded at the first count."""

from agentkit.counters._chatml import ChatMLCounter
from agentkit.counters._files import counter_from_file
from agentkit.counters._harmony import HarmonyCounter
from agentkit.counters._plain import PlainCounter
from agentkit.counters._registry import counter_for, warm

__all__ = ["ChatMLCounter", "HarmonyCounter", "PlainCounter", "counter_for", "counter_from_file", "warm"]
