"""Turns that call tools: twenty calls one after the other, twenty at once, and how far calls run at the same time.

Bare httpx sends the same requests and calls the same function; it reads the calls out of the replies, and no more.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from typing import Any

import httpx

from agentkit import tool
from tests.benchmarks.clients import QUESTION, asked, async_conversation, conversation, headers
from tests.benchmarks.harness import Row, compare
from tests.benchmarks.server import Server

CALLS = 20
PAUSE = 0.3
DEFINITION = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


async def weather_soon(city: str) -> str:
    """The weather in a city."""
    return weather(city)


@tool(name="weather")
def slowly(city: str) -> str:
    """The weather in a city, after a while."""
    time.sleep(PAUSE)
    return weather(city)


def tools(server: Server, rounds: int) -> Iterator[Row]:
    """Calls in a row and at once, blocking and on asyncio; the CPU of one call, its share of the requests included."""
    for label, path in (("in a row", f"calls/{CALLS}/1"), ("at once", f"calls/1/{CALLS}")):
        url = server.url(path)
        yield _blocking(f"{CALLS} calls {label}, sync", url, rounds)
        yield _on_asyncio(f"{CALLS} calls {label}, async", url, rounds)
    yield _together(server.url("calls/1/3"), rounds)


def _blocking(name: str, url: str, rounds: int) -> Row:
    with httpx.Client(headers=headers()) as client:

        def ours() -> None:
            with conversation(url, tools=[weather]) as made:
                made.send(QUESTION)

        def bare() -> None:
            body = {**asked(), "tools": [DEFINITION]}
            while _answered(body, client.post(f"{url}/chat/completions", json=body)):
                pass

        return compare(name, ours, bare, rounds=rounds, units=CALLS, unit="call")


def _on_asyncio(name: str, url: str, rounds: int) -> Row:
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(headers=headers())

        async def ours() -> None:
            async with async_conversation(url, tools=[weather_soon]) as made:
                await made.send(QUESTION)

        async def bare() -> None:
            body = {**asked(), "tools": [DEFINITION]}
            while _answered(body, await client.post(f"{url}/chat/completions", json=body)):
                pass

        row = compare(
            name,
            lambda: runner.run(ours()),
            lambda: runner.run(bare()),
            rounds=rounds,
            units=CALLS,
            unit="call",
        )
        runner.run(client.aclose())
        return row


def _answered(body: dict[str, Any], response: httpx.Response) -> bool:
    """Call what the reply calls; False where it calls nothing."""
    response.raise_for_status()
    message = response.json()["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    body["messages"].append(message)
    for call in calls:
        result = weather(**json.loads(call["function"]["arguments"]))
        body["messages"].append({"role": "tool", "tool_call_id": call["id"], "content": result})
    return bool(calls)


def _together(url: str, rounds: int) -> Row:
    """Seconds by the clock, since this is about waiting."""
    seconds: list[float] = []
    with conversation(url, tools=[slowly]) as made:
        made.fork().send(QUESTION)
        for _ in range(min(rounds, 5)):
            begin = time.perf_counter()
            made.fork().send(QUESTION)
            seconds.append(time.perf_counter() - begin)
    middle = statistics.median(seconds)
    return Row(f"3 calls of {PAUSE:g} s at once", notes=[f"the whole turn takes {middle:.3f} s (goal: 0.35 s)"])
