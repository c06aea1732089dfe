"""The two sides of a comparison: agentkit's conversations, and bare httpx sending and reading the same bytes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from agentkit import AsyncConversation, Conversation
from agentkit.provider import Capabilities
from agentkit.providers.openai_chat import Dialect, OpenAIChat

WHOLE = Dialect(capabilities=Capabilities(stream=False))
SYSTEM = "You are a friendly assistant of a weather service. Answer briefly and to the point, in whole sentences."
QUESTION = "Will it rain in Oslo tomorrow, and should I take an umbrella with me when I leave in the morning?"


def provider(url: str, *, stream: bool) -> OpenAIChat:
    return OpenAIChat(name="bench", base_url=url, api_key="secret", dialect=Dialect() if stream else WHOLE)


def conversation(url: str, *, stream: bool = False, **settings: Any) -> Conversation:
    return Conversation(provider(url, stream=stream), system=SYSTEM, **settings)


def async_conversation(url: str, *, stream: bool = False, **settings: Any) -> AsyncConversation:
    return AsyncConversation(provider(url, stream=stream), system=SYSTEM, **settings)


def asked(*, stream: bool = False, history: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The body that agentkit sends for the same."""
    extra: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    messages = [{"role": "system", "content": SYSTEM}, *(history or ()), {"role": "user", "content": QUESTION}]
    return {"model": "default", **extra, "messages": messages}


def headers() -> dict[str, str]:
    return {"authorization": "Bearer secret", "accept-encoding": "identity"}


def post(client: httpx.Client, url: str, body: dict[str, Any]) -> str:
    response = client.post(f"{url}/chat/completions", json=body)
    response.raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"])


async def async_post(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> str:
    response = await client.post(f"{url}/chat/completions", json=body)
    response.raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"])


def deltas(client: httpx.Client, url: str, body: dict[str, Any]) -> Iterator[str]:
    with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                choices = json.loads(line[6:])["choices"]
                if choices and (text := choices[0]["delta"].get("content")):
                    yield text


async def async_deltas(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> AsyncIterator[str]:
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                choices = json.loads(line[6:])["choices"]
                if choices and (text := choices[0]["delta"].get("content")):
                    yield text
