"""Parallax, a cluster of one's own machines behind one scheduler; both of its eras at once.

The older server reads the settings of sampling in an object of their own, stops after 2048 tokens, and leaves `<think>`
and harmony in the text; the newer one is vLLM's, which stops after 128 tokens. So the limit is always sent. A prompt
that is too long is cut without a word by the older one. A refusal for load may take 100 seconds: nothing is sent twice.
"""

from __future__ import annotations

from agentkit.provider import Capabilities
from agentkit.providers.local import EFFORTS, base_url_of
from agentkit.providers.openai_chat import Dialect, OpenAIChat

PARALLAX = Dialect(
    capabilities=Capabilities(tool_choice=False, json_mode=False, reasoning_in=False),
    lacks=frozenset({"parallel_tool_calls"}),
    efforts=EFFORTS,
    body={"max_tokens": 2048},
    nests="sampling_params",
    one_system=True,
    leaks=frozenset({"think", "tokens"}),
    cleans=True,
    once=True,
    lists_models=True,
)


def parallax(base_url: str | None, api_key: str | None) -> OpenAIChat:
    """The scheduler at its usual port, or any node."""
    url = base_url_of(base_url, "http://localhost:3001/v1")
    return OpenAIChat(base_url=url, api_key=api_key, dialect=PARALLAX, name="parallax")
