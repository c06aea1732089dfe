"""Replies that are gone on with as one rendered text, over three runtimes: when, and what follows a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from scenarios import Opener, collect, play

from agentkit import Continuation, Conversation, Notice, Options, Outcome, TextDelta, tool
from agentkit.providers.local import VLLM
from agentkit.providers.openai_chat import Dialect, OpenAIChat
from agentkit.sim import SimServer, Simulator

STORY = "write 120 words"
CUT = Options(max_tokens=30)
RAW = "/v1/completions"


def whole_story() -> str:
    with Conversation(Simulator(seed=5)) as chat:
        return chat.send(STORY).text


WHOLE = whole_story()


def said(events: list[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def ways(reply: Any) -> list[str]:
    return [segment.strategy for segment in reply.segments]


@pytest.mark.parametrize("profile", ["vllm-0.11", "vllm-0.12", "vllm-0.33", "llamacpp-2025", "sglang"])
def test_where_a_beginning_is_not_taken_the_text_goes_as_one(runtime: str, profile: str) -> None:
    server = Simulator(seed=5, profile=profile, models=("gpt-oss-20b",))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=CUT, system="Be brief.") as chat:
            for place in range(2):
                events = await collect(chat.stream(STORY))
                assert said(events) == events[-1].reply.text == chat.messages[-1].text
                tried = {"native"} if place == 0 and profile.startswith("llama") else set[str]()
                assert set(ways(events[-1].reply)) == {"first", "raw"} | tried
                assert not events[-1].reply.usage.estimated  # what is refused costs nothing
                assert place or events[-1].reply.text == WHOLE
        raw = [request for request in server.requests if request.path.endswith(RAW)]
        assert len(raw) >= 6
        prompt = raw[0].json["prompt"]
        assert "# Instructions\n\nBe brief.<|end|><|start|>user<|message|>write 120 words<|end|>" in prompt
        assert WHOLE.startswith(prompt.rpartition("<|message|>")[2])

    play(runtime, scenario)


@pytest.mark.parametrize(("model", "way"), [("qwen3-8b", "raw"), ("llama-3", "native")])
def test_it_can_be_demanded_where_the_template_is_known(runtime: str, model: str, way: str) -> None:
    server = Simulator(seed=5, profile="vllm-0.33", models=(model,))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=CUT) as chat:
            assert set(ways(await chat.send(STORY))) == {"first", "native"}
        async with open_chat(server, options=CUT, continuation=Continuation(strategy="raw")) as chat:
            reply = await chat.send(STORY)
            if way == "raw":
                assert ways(reply)[1:] == ["raw"] * (len(reply.segments) - 1)
                assert reply.outcome is Outcome.COMPLETE
            else:
                assert (reply.outcome, reply.segments[1:]) == (Outcome.TRUNCATED, ())
                assert "no way of continuing works" in reply.reason

    play(runtime, scenario)


def test_thinking_goes_along(runtime: str) -> None:
    server = Simulator(seed=5, profile="vllm-0.33", models=("gpt-oss-20b",))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=CUT) as chat:
            reply = await chat.send("think for 20 words, write 60 words")
            assert set(ways(reply)) == {"first", "raw"}
            thought = reply.message.reasoning
            assert len(thought.split()) == 20
            raw = next(request for request in server.requests if request.path.endswith(RAW))
            assert f"<|channel|>analysis<|message|>{thought}<|end|>" in raw.json["prompt"]

    play(runtime, scenario)


@pytest.mark.parametrize("streams", [True, False])
def test_a_reply_in_one_piece(runtime: str, streams: bool) -> None:
    made = evolve(VLLM, gpt_oss=None, capabilities=evolve(VLLM.capabilities, prefix=False, stream=streams))
    with SimServer(Simulator(seed=5, profile="vllm-0.33", models=("gpt-oss-20b",))) as server:
        backend = OpenAIChat(name="mine", base_url=f"{server.url}/v1", dialect=made, model="gpt-oss-20b")

        async def scenario(open_chat: Opener) -> None:
            async with open_chat(backend, options=CUT) as chat:
                reply = await chat.send(STORY)
                assert (reply.text, set(ways(reply))) == (WHOLE, {"first", "raw"})

        play(runtime, scenario)


def test_a_server_without_it_is_asked_once(runtime: str) -> None:
    simulator = Simulator(seed=5)
    with SimServer(simulator) as server:
        dialect: Dialect = VLLM.of("gpt-oss-20b")
        backend = OpenAIChat(name="mine", base_url=f"{server.url}/v1", dialect=dialect, model="gpt-oss-20b")

        async def scenario(open_chat: Opener) -> None:
            simulator.reset()
            async with open_chat(backend, options=CUT) as chat:
                for place in range(2):
                    events = await collect(chat.stream(STORY))
                    assert said(events) == events[-1].reply.text
                    assert place or said(events) == WHOLE
                    assert [name for name in ways(events[-1].reply) if name != "first"][-1] == "echo"
                    notes = [event.message for event in events if isinstance(event, Notice)]
                    assert sum("does not continue by raw" in note for note in notes) == (place == 0)
            assert sum(request.path.endswith(RAW) for request in simulator.requests) == 1

        play(runtime, scenario)


def test_what_is_more_than_a_text_goes_another_way(runtime: str) -> None:
    server = Simulator(seed=5, profile="vllm-0.33", models=("gpt-oss-20b",))

    @tool
    def look() -> str:
        """Look."""
        return "a ferry"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=CUT, tools=[look]) as chat:
            reply = await chat.send(STORY)
            assert reply.text == WHOLE
            assert set(ways(reply)) == {"first", "echo"}
        assert not [request for request in server.requests if request.path.endswith(RAW)]

    play(runtime, scenario)
