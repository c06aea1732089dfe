"""Prompts counted with a counter that the caller brings, over three runtimes."""

from __future__ import annotations

from scenarios import Opener, play

from agentkit import ContextPolicy
from agentkit.counters import ChatMLCounter
from agentkit.sim import Simulator


def test_the_callers_counter_beats_that_of_the_model(runtime: str) -> None:
    async def manifest(open_chat: Opener, policy: ContextPolicy) -> tuple[str, int]:
        server = Simulator(profile="vllm-0.33", window=4096)
        async with open_chat(server, context=policy) as chat:
            await chat.send("many words stand here, " * 100 + "say done")
            return chat.manifest.portions[0].kind, chat.manifest.portions[0].tokens

    async def scenario(open_chat: Opener) -> None:
        counter = ChatMLCounter()
        usual, own = ContextPolicy(max_pairs=3, trigger=0.9), ContextPolicy(max_pairs=3, trigger=0.9, counter=counter)
        assert await manifest(open_chat, usual) != ("exact", counter.base)
        assert await manifest(open_chat, own) == ("exact", counter.base)

    play(runtime, scenario)
