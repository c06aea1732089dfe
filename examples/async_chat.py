"""Many conversations at once in one event loop, and one reply that is watched.

    python examples/async_chat.py

AGENTKIT_MODEL names the model; without it, the simulator answers. asyncio is used here; trio works in the same way.
"""

from __future__ import annotations

import asyncio
import os

from agentkit import AsyncConversation, TextDelta

MODEL = os.environ.get("AGENTKIT_MODEL", "sim")


async def greet(name: str) -> str:
    async with AsyncConversation(MODEL) as chat:
        await chat.send(f"My name is {name}.")
        reply = await chat.send("What is my name?")
        return reply.text


async def watch() -> None:
    async with AsyncConversation(MODEL) as chat, chat.stream("Write 20 words") as turn:
        async for event in turn:
            if isinstance(event, TextDelta):
                print(event.text, end="", flush=True)
        print(f"\n{turn.reply.outcome.value}")


async def main() -> None:
    for answer in await asyncio.gather(*(greet(name) for name in ("Ada", "Alan", "Grace"))):
        print(answer)
    await watch()


if __name__ == "__main__":
    asyncio.run(main())
