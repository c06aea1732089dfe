"""What of a long conversation goes into a request, over three runtimes and every profile of the simulator."""

from __future__ import annotations

import os
from itertools import takewhile
from statistics import mean
from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import (
    ContextOverflow,
    ContextPolicy,
    Conversation,
    InvalidInput,
    Manifest,
    Options,
    Outcome,
    TextDelta,
    Trimmed,
    assistant,
    pin,
    user,
)
from agentkit.sim import SimServer, Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.sim.text import count_tokens
from agentkit.testing import ScriptedProvider

UNTOLD = {"openai", "transformers", "mlx", "parallax-2025", "gravixlayer", "gradient", "pixigpt"}
"""Servers that do not tell their window."""
BRIEF = Options(max_tokens=200)


def said(request: Any) -> list[tuple[str, str]]:
    return [(each["role"], str(each["content"])) for each in request.json["messages"]]


def has_messages(request: Any) -> bool:
    return isinstance(request.json, dict) and "messages" in request.json


def shared(before: list[tuple[str, str]], now: list[tuple[str, str]]) -> float:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(before, now, strict=False))
    return sum(count_tokens(text) for (_, text), _ in same) / max(1, sum(count_tokens(text) for _, text in now))


TURNS = int(os.environ.get("AGENTKIT_TURNS", "140"))
"""500 were made by hand; enough to trim several times are made in each run."""


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_many_turns_in_a_small_window(profile: str) -> None:
    """Zero overflows, zero invalid requests, and requests that begin like the one before."""
    server = Simulator(seed=3, profile=profile, window=8192)
    policy = ContextPolicy(window=8192 if profile in UNTOLD else None)
    shares: list[float] = []
    before: list[tuple[str, str]] = []
    with Conversation(server, system="Be brief and kind.", options=BRIEF, context=policy) as chat:
        for number in range(TURNS):
            assert chat.send(f"write {20 + number % 50} words, this is number {number}").outcome is Outcome.COMPLETE
            asked = [request for request in server.requests[-8:] if has_messages(request)]
            now = said(asked[-1])
            assert sum(count_tokens(text) + 4 for _, text in now) + 200 <= 8192, "some servers drop it and say nothing"
            shares.append(shared(before, now))
            before = now
        assert len(chat.messages) == 2 * TURNS
        assert chat.manifest is not None
        assert chat.manifest.excluded
    assert server.problems == ()
    assert sum(map(has_messages, server.requests)) == TURNS, "none was refused, and sent again with less in it"
    assert mean(shares[1:]) >= 0.75


def test_what_is_left_out_is_told_and_stays_in_the_history(runtime: str) -> None:
    server = Simulator(seed=3, profile="vllm-0.33", window=1024)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=BRIEF, system="Be brief.") as chat:
            told: list[Manifest] = []
            for number in range(30):
                events = await collect(chat.stream(f"write 40 words about {number}"))
                told += [event.manifest for event in events if isinstance(event, Trimmed)]
            assert told
            assert told[-1].excluded[0].reason == "window"
            assert len(chat.messages) == 60
            assert chat.messages[0].text == "write 40 words about 0"
            manifest = chat.manifest
            assert manifest.window == 1024
            assert manifest.reported == server_count(server)
            assert "left out: messages 0 to" in str(manifest)
        assert said(server.requests[-1])[0] == ("system", "Be brief.")
        assert server.problems == ()

    play(runtime, scenario)


def server_count(server: Simulator) -> int:
    return sum(count_tokens(text) + 4 for _, text in said(server.requests[-1])) or 1


def test_the_manifest_is_there_without_limits_too(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(Simulator()) as chat:
            assert chat.manifest is None
            await chat.send("say hello")
            manifest = chat.manifest
            assert (manifest.sent, manifest.excluded, manifest.window) == (1, (), None)
            assert manifest.tokens.value > 0
            assert manifest.reported is not None

    play(runtime, scenario)


@pytest.mark.parametrize("policy", [ContextPolicy(), ContextPolicy(max_pairs=40)])
def test_a_window_that_nobody_told_is_learnt_from_a_refusal(runtime: str, policy: ContextPolicy) -> None:
    server = Simulator(seed=3, profile="gravixlayer", window=700)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=BRIEF, context=policy) as chat:
            for number in range(25):
                assert (await chat.send(f"write 40 words about {number}")).outcome is Outcome.COMPLETE
            assert len(chat.messages) == 50
            assert chat.manifest.window == 700
        assert server.received <= 27

    play(runtime, scenario)


def test_a_prompt_that_cannot_fit_is_refused_before_it_is_sent(runtime: str) -> None:
    server = Simulator(profile="vllm-0.33", window=512)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, system="Remember this. " * 500) as chat:
            with pytest.raises(ContextOverflow, match="instructions and tools take") as caught:
                await chat.send("hello")
            assert caught.value.reply is not None
            assert all(not request.path.endswith("/chat/completions") for request in server.requests)

    play(runtime, scenario)


def test_a_message_larger_than_the_window_is_cut_in_its_middle(runtime: str) -> None:
    server = Simulator(profile="vllm-0.33", window=2048)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=BRIEF) as chat:
            question = "BEGIN " + "many words stand here, " * 2000 + " END say done"
            events = await collect(chat.stream(question))
            assert any(isinstance(event, Trimmed) and event.manifest.shortened for event in events)
            sent = said(server.requests[-1])[-1][1]
            assert sent.startswith("BEGIN")
            assert sent.endswith("END say done")
            assert "characters left out" in sent
            assert chat.messages[0].text == question
        assert server.problems == ()

    play(runtime, scenario)


@pytest.mark.parametrize(
    "policy",
    [
        ContextPolicy(max_history=6),
        ContextPolicy(max_pairs=2),
        ContextPolicy(policy="keep_first_and_last", max_pairs=3),
    ],
)
def test_limits_in_messages_and_pairs(runtime: str, policy: ContextPolicy) -> None:
    server = Simulator(seed=3)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, context=policy, system="Be brief.") as chat:
            for number in range(12):
                await chat.send(f"say {number}")
            sent = said(server.requests[-1])
            assert sent[0] == ("system", "Be brief.")
            assert len(sent) <= 8
            assert sent[-1] == ("user", "say 11")
            assert len(chat.messages) == 24
            if policy.policy == "keep_first_and_last":
                assert sent[1] == ("user", "say 0")

    play(runtime, scenario)


def test_what_is_pinned_stays(runtime: str) -> None:
    server = Simulator(seed=3)
    history = (pin(user("My name is Ada")), assistant("Hello Ada."))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, context=ContextPolicy(max_pairs=1), messages=history) as chat:
            for number in range(5):
                await chat.send(f"say {number}")
            assert (await chat.send("What is my name?")).text == "Your name is Ada."

    play(runtime, scenario)


def test_a_summary_stands_for_what_is_left_out(runtime: str, store: str) -> None:
    from agentkit.stores.memory import MemoryStore

    kept: Any = MemoryStore() if store == "memory" else store

    async def scenario(open_chat: Opener) -> None:
        answers = [f"answer number {number} with some words in it" for number in range(4)]
        provider = ScriptedProvider([*answers, "They counted from zero to three.", "answer four", "answer five"])
        policy = ContextPolicy(policy="summarize", max_pairs=3, keep=0.4)
        async with open_chat(provider, context=policy, store=kept, name="talk") as chat:
            for number in range(4):
                await chat.send(f"question {number}")
            events = await collect(chat.stream("question 4"))
            text = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert text == "answer four" == chat.messages[-1].text
            assert events[-1].reply.usage.requests == 2
            asked = provider.requests[-2].messages
            assert asked[-1].text.startswith("Summarize our conversation")
            sent = [message.text for message in provider.requests[-1].messages]
            assert "They counted from zero to three." in sent
            assert sent[-1] == "question 4"
            assert len(chat.messages) == 10
        async with open_chat(provider, context=policy, store=kept, name="talk") as chat:
            assert (await chat.send("question 5")).text == "answer five"
            assert "They counted from zero to three." in [message.text for message in provider.requests[-1].messages]

    play(runtime, scenario)


def test_without_a_summary_the_oldest_go(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        provider = ScriptedProvider(["a", "b", "c", "d", "", "e"])
        async with open_chat(provider, context=ContextPolicy(policy="summarize", max_pairs=3)) as chat:
            for number in range(5):
                await chat.send(f"question {number}")
            assert chat.messages[-1].text == "e"
            assert len(provider.requests[-1].messages) < 9

    play(runtime, scenario)


def test_an_edit_and_a_fork_are_planned_from_what_they_are(runtime: str) -> None:
    server = Simulator(seed=3, profile="vllm-0.33", window=900)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, options=BRIEF) as chat:
            for number in range(12):
                await chat.send(f"write 40 words about {number}")
            await chat.edit(4, "My name is Ada, say hello")
            assert (await chat.send("What is my name?")).text == "Your name is Ada."
            other = await chat.fork(at=2)
            await other.send("My name is Bob, say hello")
            assert (await other.send("What is my name?")).text == "Your name is Bob."
            await other.close()
        assert server.problems == ()

    play(runtime, scenario)


def test_a_server_that_drops_silently_is_not_trusted_with_more_than_it_holds(runtime: str) -> None:
    with SimServer(Simulator(seed=3, profile="ollama", window=2048)) as server:

        async def scenario(open_chat: Opener) -> None:
            url = server.describe()["ollama"]
            async with open_chat("ollama", base_url=url, options=BRIEF, system="Be brief.") as chat:
                for number in range(40):
                    await chat.send(f"write 50 words about {number}")
                assert chat.manifest.window in (2048, 4096)
                assert chat.manifest.excluded

        play(runtime, scenario)
        assert server.simulator.problems == ()


def test_a_server_with_a_named_model_is_asked_for_its_window_once_that_matters(runtime: str) -> None:
    with SimServer(Simulator(seed=3, window=2048)) as server:

        def asked() -> int:
            return sum(request.path.endswith("/v1/models") for request in server.simulator.requests)

        async def scenario(open_chat: Opener) -> None:
            url = server.describe()["vllm-0.33"]
            async with open_chat("vllm/openai/gpt-oss-20b", base_url=url, options=BRIEF) as chat:
                await chat.send("say hello")
                assert (asked(), chat.manifest.window) == (0, None)
                await chat.send("many words stand here, " * 100 + "say done")
                assert (asked(), chat.manifest.window) == (1, 2048)
                await chat.send("many words stand here, " * 100 + "say done")
                assert asked() == 1

        play(runtime, scenario)
        assert server.simulator.problems == ()


def test_the_setting_is_checked_where_it_is_given() -> None:
    with pytest.raises(InvalidInput, match="ContextPolicy"):
        Conversation("sim", context=3)  # type: ignore[arg-type]
