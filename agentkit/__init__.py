"""agentkit: stateful conversations with language models.

Only the public names live here; each is loaded when it is first used.
"""

__version__ = "0.1.0"
