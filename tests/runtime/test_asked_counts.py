"""A server that counts is asked where nothing but the margin of our own count decides, and only there."""

from __future__ import annotations

from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import ContextPolicy, Message, Options, Trimmed, assistant, user
from agentkit.counters import PlainCounter
from agentkit.sim import SimServer, Simulator
from agentkit.tokens import TokenCount, count_prompt

MODEL = "mistral-7b"
"""Its vocabulary is not known here."""
ASK = "say yes"
SAID: tuple[Message, ...] = tuple(
    message
    for number in range(8)
    for message in (
        user(f"Tell me about harbour {number}"),
        assistant("The pier is long and the boats come in at noon. " * 12),
    )
)
OPTIONS = Options(max_tokens=100)
COUNTING = {
    "vllm-0.33": ["/tokenize"],
    "sglang": ["/tokenize"],
    "llamacpp-2026": ["/v1/chat/completions/input_tokens"],
    "llamacpp-2025": ["/v1/chat/completions/input_tokens", "/apply-template", "/tokenize"],
}


def counted() -> TokenCount:
    return count_prompt(PlainCounter(), [*SAID, user(ASK)])


def policy(room: int) -> ContextPolicy:
    return ContextPolicy(window=room + 100)


def asked(server: Simulator) -> list[str]:
    paths = (request.path.removeprefix("/" + server.profile) for request in server.requests)
    return [path for path in paths if path in {"/tokenize", "/apply-template", "/v1/chat/completions/input_tokens"}]


def trimmed(events: list[Any]) -> bool:
    return any(isinstance(event, Trimmed) for event in events)


@pytest.mark.parametrize("profile", COUNTING)
def test_a_prompt_that_fits_is_not_cut(runtime: str, profile: str) -> None:
    own = counted()
    room = own.value + own.margin // 2
    server = Simulator(profile=profile, models=(MODEL,), window=room + 100)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, messages=SAID, options=OPTIONS, context=policy(room)) as chat:
            assert not trimmed(await collect(chat.stream(ASK)))
            assert asked(server) == COUNTING[profile]
            tokens = chat.manifest.tokens
            assert (tokens.kind, tokens.margin) == ("server", 0)
            assert abs(tokens.value - chat.manifest.reported) <= 20  # some count the text without what frames it
            assert chat.manifest.shared == 0
            assert not trimmed(await collect(chat.stream(ASK)))
            assert asked(server) == COUNTING[profile], "what follows an answer needs no question"
        assert server.problems == ()

    play(runtime, scenario)


def test_a_server_that_does_not_count_is_not_asked(runtime: str) -> None:
    own = counted()
    room = own.value + own.margin // 2
    server = Simulator(profile="lmstudio", models=(MODEL,), window=room + 100)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, messages=SAID, options=OPTIONS, context=policy(room)) as chat:
            assert trimmed(await collect(chat.stream(ASK)))
        assert asked(server) == []

    play(runtime, scenario)


@pytest.mark.parametrize("room", [200, 40_000])
def test_what_is_clear_is_not_asked(runtime: str, room: int) -> None:
    server = Simulator(profile="vllm-0.33", models=(MODEL,), window=room + 100)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, messages=SAID, options=OPTIONS, context=policy(room)) as chat:
            assert trimmed(await collect(chat.stream(ASK))) == (room == 200)
        assert asked(server) == []

    play(runtime, scenario)


def test_an_exact_counter_asks_nobody(runtime: str) -> None:
    server = Simulator(profile="vllm-0.33", models=("openai/gpt-oss-20b",), window=1400)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, messages=SAID, options=OPTIONS) as chat:
            await collect(chat.stream(ASK))
            assert chat.manifest is not None
        assert asked(server) == []

    play(runtime, scenario)


def test_a_question_that_fits_is_not_shortened(runtime: str) -> None:
    """What goes before it is too long in any case; the last message alone is asked about."""
    long = "boats come in at noon, " * 220 + ASK
    own = count_prompt(PlainCounter(), [user(long)])
    room = own.value + own.margin // 3
    server = Simulator(profile="vllm-0.33", models=(MODEL,), window=room + 100)
    context = ContextPolicy(window=room + 100, reserve=100)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, messages=SAID, options=OPTIONS, context=context) as chat:
            assert trimmed(await collect(chat.stream(long)))
            assert chat.manifest.excluded
            assert not chat.manifest.shortened
            assert server.requests[-1].json["messages"][-1]["content"] == long
        assert asked(server) == ["/tokenize"]
        assert server.problems == ()

    play(runtime, scenario)


@pytest.mark.parametrize("order", ["fail 503", "fail 404", "drop the connection"])
def test_a_failure_is_ignored_and_remembered(runtime: str, order: str) -> None:
    own = counted()
    room = own.value + own.margin // 2
    with SimServer(Simulator(profile="vllm-0.33", models=(MODEL,))) as served:
        served.simulator.faults([order])
        where = served.describe()["vllm-0.33"]

        async def scenario(open_chat: Opener) -> None:
            for number in range(2):
                async with open_chat(
                    f"vllm/{MODEL}", base_url=where, messages=SAID, options=OPTIONS, context=policy(room)
                ) as chat:
                    assert trimmed(await collect(chat.stream(ASK))), number

        play(runtime, scenario)
        tries = [request.path for request in served.simulator.requests if request.path.endswith("/tokenize")]
        assert len(tries) == 1


def test_a_number_that_cannot_be_the_whole_is_not_believed(runtime: str) -> None:
    """The count of another prompt: the plan is made as if nothing had been asked."""
    own = counted()
    room = own.value + own.margin // 2
    server = Simulator(profile="vllm-0.33", models=(MODEL,), window=room + 100)
    handle = server.handle

    def wrong(method: str, path: str, headers: Any, body: bytes) -> Any:
        return handle(method, path, headers, b'{"prompt": "one"}' if path.endswith("/tokenize") else body)

    server.handle = wrong  # type: ignore[method-assign]

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(server, messages=SAID, options=OPTIONS, context=policy(room)) as chat:
            assert trimmed(await collect(chat.stream(ASK)))
        assert len(asked(server)) == 1

    play(runtime, scenario)
