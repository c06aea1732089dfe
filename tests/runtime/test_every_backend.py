"""Every backend by its name, against the simulator's profile of it; servers that are asked what they are; fallback."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import (
    AuthError,
    BadRequest,
    ConnectError,
    ConnectionLost,
    Conversation,
    Fallback,
    InvalidInput,
    NotConfigured,
    Notice,
    Outcome,
    ProtocolError,
    RateLimited,
    RetryPolicy,
    ServerError,
    TextDelta,
)
from agentkit.providers.openai_chat import SIM, OpenAIChat
from agentkit.sim import SimServer, Simulator
from agentkit.sim.profiles import PROFILES

ONCE = RetryPolicy(max_attempts=1)
LISTING = sorted(name for name in PROFILES if name not in ("openai", "gravixlayer", "gradient", "pixigpt"))
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
def server() -> Iterator[SimServer]:
    with SimServer(Simulator(seed=3)) as running:
        yield running


def asked(simulator: Simulator) -> list[str]:
    return [request.path for request in simulator.requests]


def backend_at(server: SimServer, name: str) -> OpenAIChat:
    return OpenAIChat(name=name, base_url=server.describe()["openai"], dialect=SIM)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_conversation_with_each_backend_in_process(runtime: str, profile: str) -> None:
    simulator = Simulator(seed=1, profile=profile)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, system="Be brief.") as chat:
            first = await chat.send("My name is Ada. Say hello")
            events = await collect(chat.stream("What is my name?"))
            assert first.outcome is Outcome.COMPLETE
            assert "".join(event.text for event in events if isinstance(event, TextDelta)) == chat.messages[-1].text
            assert "Ada" in chat.messages[-1].text
            assert chat.model.startswith(PROFILES[profile].backend)

    play(runtime, scenario)
    assert simulator.problems == ()


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"openai"}))
def test_a_backend_by_its_bare_name_finds_its_model(profile: str, server: SimServer) -> None:
    name, url = PROFILES[profile].backend, server.describe()[profile]
    model = name if profile != "gravixlayer" else "gravixlayer/llama-3.1"
    with Conversation(model, base_url=url, api_key="sk-test") as chat:
        assert chat.send("say hello there").text == "hello there"
        assert chat.model.startswith(f"{name}/")
    assert server.simulator.problems == ()


@pytest.mark.parametrize("profile", LISTING)
def test_gpt_oss_asks_a_server_once_what_it_is(runtime: str, profile: str, server: SimServer) -> None:
    async def scenario(open_chat: Opener) -> None:
        url = server.describe()[profile]
        async with open_chat("gpt-oss", base_url=url) as chat:
            assert (await chat.send("say one")).text == "one"
            assert (await chat.send("say two")).text == "two"
            assert "gpt-oss" in chat.model.partition("/")[2].lower()
        before = len(asked(server.simulator))
        async with open_chat("gpt-oss", base_url=url) as chat:
            assert (await chat.send("say three")).usage.requests == 1
        assert len(asked(server.simulator)) == before + 1

    play(runtime, scenario)
    assert server.simulator.problems == ()
    assert asked(server.simulator).count(f"/{profile}/v1/models") == 1


def test_a_crowd_asks_a_server_once_what_it_is(server: SimServer) -> None:
    url = server.describe()["vllm-0.33"]

    def one(number: int) -> str:
        with Conversation("gpt-oss", base_url=url) as chat:
            return chat.send(f"say {number}").text

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(one, range(64))) == [str(number) for number in range(64)]
    assert sum(path.endswith("/v1/models") for path in asked(server.simulator)) == 1


def test_a_named_model_is_kept_whatever_the_server_lists(server: SimServer) -> None:
    with Conversation("gpt-oss/my-model", base_url=server.describe()["vllm-0.33"]) as chat:
        assert chat.send("say yes").text == "yes"
        assert chat.model == "gpt-oss/my-model"


def test_several_models_must_be_chosen_from(server: SimServer) -> None:
    server.simulator.configure(models=["llama3.2", "mistral"])
    with (
        Conversation("ollama", base_url=server.describe()["ollama"]) as chat,
        pytest.raises(NotConfigured, match=r"llama3\.2, mistral.*'ollama/llama3\.2'") as caught,
    ):
        chat.send("hello")
    assert caught.value.reply is not None
    server.simulator.configure(models=["llama3.2", "gpt-oss:20b"])
    with Conversation("gpt-oss", base_url=server.describe()["ollama"]) as chat:
        assert chat.send("say found").text == "found"
        assert chat.model == "gpt-oss/gpt-oss:20b"


def test_what_is_no_such_server_is_said(server: SimServer) -> None:
    with (
        Conversation("gpt-oss", base_url=server.describe()["gradient"]) as chat,
        pytest.raises(ProtocolError, match="no server of an OpenAI-like dialect"),
    ):
        chat.send("hello")


def test_a_question_asked_while_the_server_was_away_is_resumed(runtime: str, server: SimServer) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat("gpt-oss", base_url=NOWHERE, retry=ONCE) as chat:
            with pytest.raises(ConnectError):
                await chat.send("say back again")
            store, name, model = chat.messages, chat.name, chat.model
        assert [message.role for message in store] == ["user"]
        assert (bool(name), model) == (True, "gpt-oss")

    play(runtime, scenario)


# --- several backends


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        ("fail with 500 every time", ServerError),
        ("fail with 401", AuthError),
        ("fail with 429", RateLimited),
        ("drop the connection", ConnectionLost),
    ],
)
def test_the_next_backend_answers_where_one_fails_before_the_first_word(
    runtime: str, order: str, kind: type[Exception], server: SimServer
) -> None:
    failing = Simulator()
    failing.script([f"{order}, say never"])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat([failing, backend_at(server, "second")], retry=ONCE) as chat:
            events = await collect(chat.stream("say hello"))
            assert chat.messages[-1].text == "hello"
            notices = [event.message for event in events if isinstance(event, Notice)]
            assert any("second/default goes on" in notice for notice in notices)
            reply = events[-1].reply
            assert reply.error is None
            assert [segment.backend for segment in reply.segments] == ["sim/sim", "second/default"]
            assert reply.usage.requests == 2

    play(runtime, scenario)
    assert issubclass(kind, Exception)


def test_a_reply_that_breaks_off_goes_on_with_the_next_backend(runtime: str, server: SimServer) -> None:
    whole = Conversation(Simulator(seed=3)).send("write 60 words").text
    breaking = Simulator(seed=3)
    breaking.script(["drop after 20 words, write 60 words"])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat([breaking, backend_at(server, "second")], retry=ONCE) as chat:
            events = await collect(chat.stream("write 60 words"))
            text = "".join(event.text for event in events if isinstance(event, TextDelta))
            reply = events[-1].reply
            assert text == reply.text == whole
            assert [(segment.backend, segment.strategy) for segment in reply.segments] == [
                ("sim/sim", "first"),
                ("second/default", "native"),
            ]
            assert reply.segments[0].end == reply.segments[1].start

    play(runtime, scenario)


def test_after_the_first_word_the_policy_may_say_stop(runtime: str, server: SimServer) -> None:
    breaking = Simulator(seed=3)
    breaking.script(["drop after 20 words, write 60 words"])

    async def scenario(open_chat: Opener) -> None:
        models = [breaking, backend_at(server, "second")]
        async with open_chat(models, retry=ONCE, fallback=Fallback(after_output="stop")) as chat:
            with pytest.raises(ConnectionLost) as caught:
                await chat.send("write 60 words")
            assert caught.value.reply is not None
            assert caught.value.reply.outcome is Outcome.INTERRUPTED
        assert server.simulator.received == 0

    play(runtime, scenario)


def test_what_is_not_declared_is_raised(runtime: str, server: SimServer) -> None:
    failing = Simulator()
    failing.script(["fail with 400"])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat([failing, backend_at(server, "second")], retry=ONCE) as chat:
            with pytest.raises(BadRequest):
                await chat.send("say hello")
        assert server.simulator.received == 0

    play(runtime, scenario)


def test_a_backend_that_keeps_failing_is_passed_over_for_a_while(runtime: str, server: SimServer) -> None:
    async def scenario(open_chat: Opener) -> None:
        down = OpenAIChat(name=f"down-{runtime}", base_url=NOWHERE)
        models = [down, backend_at(server, "up")]
        async with open_chat(models, retry=ONCE, fallback=Fallback(threshold=2, cool_down=3600.0)) as chat:
            tried = [(await chat.send(f"say {number}")).usage.requests for number in range(4)]
            assert tried == [2, 2, 1, 1]
        async with open_chat(models, retry=ONCE) as chat:
            assert (await chat.send("say other")).usage.requests == 1
        async with open_chat([down], retry=ONCE) as chat:
            with pytest.raises(ConnectError):
                await chat.send("say alone")

    play(runtime, scenario)


def test_the_last_error_is_raised_where_all_fail(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        first, second = Simulator(), Simulator()
        first.script(["fail with 500"])
        second.script(["fail with 401"])
        async with open_chat([first, second], retry=ONCE) as chat:
            with pytest.raises(AuthError) as caught:
                await chat.send("hello")
            assert caught.value.reply is not None
            assert (await chat.resume()).outcome is Outcome.COMPLETE

    play(runtime, scenario)


@pytest.mark.parametrize(
    ("models", "settings", "match"),
    [
        ([], {}, "empty list"),
        (["openai/a", "ollama/b"], {"base_url": "http://x/v1"}, "several are named"),
        (["openai/a", "ollama/b"], {"api_key": "k"}, "several are named"),
        (["openai/a", 3], {}, "not 3"),
        ("openai/a", {"fallback": 3}, "Fallback"),
    ],
)
def test_a_list_of_backends_is_checked(models: Any, settings: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        Conversation(models, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"errors": [ConnectError]},
        {"errors": (ValueError,)},
        {"after_output": "maybe"},
        {"threshold": 0},
        {"cool_down": float("nan")},
    ],
)
def test_a_fallback_is_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(settings))):
        Fallback(**settings)


def test_a_service_of_many_models_must_be_told_one() -> None:
    with pytest.raises(NotConfigured, match="gravixlayer needs a model"):
        Conversation("gravixlayer", api_key="k")
    with pytest.raises(NotConfigured, match="openai needs a model"):
        Conversation("openai", api_key="k")


def test_an_error_says_which_backend_failed_and_what_to_do(runtime: str, server: SimServer) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat("vllm/m", base_url=NOWHERE, retry=ONCE) as chat:
            with pytest.raises(ConnectError) as caught:
                await chat.send("hello")
            assert caught.value.backend == "vllm/m"
            assert "argument base_url" in caught.value.hint
            assert caught.value.hint in getattr(caught.value, "__notes__", [])
        url = server.describe()["pixigpt"]
        async with open_chat("pixigpt", base_url=url, api_key="sk-secret-test", retry=ONCE) as chat:
            with pytest.raises(AuthError) as refused:
                await chat.send("fail with 401")
            assert "argument api_key" in refused.value.hint
            assert "secret" not in refused.value.hint
        async with open_chat(Simulator(), retry=ONCE) as chat:
            with pytest.raises(AuthError) as plain:
                await chat.send("fail with 401")
            assert (plain.value.backend, plain.value.hint) == ("sim/sim", "")

    play(runtime, scenario)
