"""GravixLayer, a service that speaks the chat-completions dialect under a path of its own."""

from __future__ import annotations

from urllib.parse import urlsplit

from agentkit.provider import Capabilities
from agentkit.providers.openai_chat import Dialect, OpenAIChat

HOST = "https://api.gravixlayer.com"
"""The older of the two hosts, and the one whose inference is documented; the newer ends in `.ai`."""
PATH = "/v1/inference"
_SERVICES = ("", "/v1", "/v1/agents", "/v1/deployments", "/v1/files", "/v1/vectors", PATH)

GRAVIXLAYER = Dialect(capabilities=Capabilities(reasoning_in=False), writes_reasoning=())


def gravixlayer(base_url: str | None, api_key: str | None) -> OpenAIChat:
    """The service, at any of the addresses that its own clients have used; another path is taken as it is."""
    url = (base_url or HOST).rstrip("/")
    path = urlsplit(url).path.rstrip("/")
    if path in _SERVICES:
        url = url.removesuffix(path) + PATH
    return OpenAIChat(base_url=url, api_key=api_key, dialect=GRAVIXLAYER, name="gravixlayer")
