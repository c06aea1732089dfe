"""What tools cost: their definitions where the backend has tools, and the words about them where it has none."""

from __future__ import annotations

from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import ContextOverflow, ContextPolicy, Options, Trimmed, tool
from agentkit.counters import counter_for
from agentkit.sim import Simulator
from agentkit.tools import instructions

MODEL = "openai/gpt-oss-20b"


@tool
def tides(harbour: str, days: int = 1) -> str:
    """When the water is high."""
    return f"at noon in {harbour}"


@tool
def ferries(harbour: str) -> str:
    """Which ferries leave."""
    return f"none from {harbour}"


@tool(name="long", description="It does what it does. " * 400)
def long(harbour: str) -> str:
    return harbour


def portion(manifest: Any, name: str) -> int:
    return next(portion.tokens for portion in manifest.portions if portion.name == name)


def test_definitions_are_a_segment_of_their_own(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        server = Simulator(profile="vllm-0.33", models=(MODEL,))
        async with open_chat(server, tools=[tides, ferries], system="Be brief.") as chat:
            await chat.send("say hello")
            counter = counter_for("vllm", MODEL)
            assert portion(chat.manifest, "tools") == counter.tools([tides, ferries], system=True) > 0
            assert "  tools" in str(chat.manifest)
            assert len(server.requests[-1].json["tools"]) == 2
        async with open_chat(server, tools=[tides, ferries]) as chat:
            await chat.send("say hello")
            assert portion(chat.manifest, "tools") == counter.tools([tides, ferries])
        assert server.problems == ()

    play(runtime, scenario)


def test_definitions_take_their_room(runtime: str) -> None:
    """Old messages go sooner where there are tools, and the server never refuses."""

    async def scenario(open_chat: Opener) -> None:
        sent: list[int] = []
        for tools in ([], [tides, long]):
            server = Simulator(seed=3, profile="vllm-0.33", window=4096, models=(MODEL,))
            first = 0
            async with open_chat(server, tools=tools, options=Options(max_tokens=200)) as chat:
                for number in range(25):
                    events = await collect(chat.stream(f"write 60 words about {number}, {'many words ' * 60}"))
                    first = first or (any(isinstance(event, Trimmed) for event in events) and number)
            sent.append(first)
            assert server.problems == ()
        assert 0 < sent[1] < sent[0]

    play(runtime, scenario)


@pytest.mark.parametrize("profile", ["vllm-0.33", "gradient"])
def test_tools_that_cannot_fit_are_named(runtime: str, profile: str) -> None:
    server = Simulator(profile=profile, window=1500)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, tools=[long], context=ContextPolicy(window=1500)) as chat:
            with pytest.raises(ContextOverflow, match="instructions and tools take"):
                await chat.send("hello")
            assert not any(request.path.endswith(("completions", "generate")) for request in server.requests)

    play(runtime, scenario)


def test_words_about_tools_are_part_of_the_instructions(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        server = Simulator(profile="gradient")
        for given, before in (("Be brief.", "Be brief.\n\n"), (None, "")):
            async with open_chat(server, tools=[tides], system=given) as chat:
                await chat.send("say hello")
                told = before + instructions([tides])
                assert told in str(server.requests[-1].json["messages"][0]["content"])
                assert portion(chat.manifest, "tools") == 0
                assert portion(chat.manifest, "system") >= counter_for("gradient", "any").text(told)
        async with open_chat(server, tools=[tides], options=Options(tool_choice="none")) as chat:
            await chat.send("say hello")
            assert "tides" not in str(server.requests[-1].json)

    play(runtime, scenario)


@pytest.mark.parametrize(("profile", "sent"), [("vllm-0.33", True), ("ollama", False)])
def test_tools_that_are_forbidden_cost_what_is_sent_of_them(runtime: str, profile: str, sent: bool) -> None:
    async def scenario(open_chat: Opener) -> None:
        server = Simulator(profile=profile, models=(MODEL,))
        async with open_chat(server, tools=[tides], options=Options(tool_choice="none")) as chat:
            await chat.send("say hello")
            assert bool(server.requests[-1].json.get("tools")) is sent
            assert (portion(chat.manifest, "tools") > 0) is sent

    play(runtime, scenario)
