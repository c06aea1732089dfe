"""agentkit's own provider of each backend against the profiles of it: neither knows the other, so a mistake shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from accent_client import OPENAI_LIKE
from attrs import define, field
from sim_client import tool_schema

from agentkit import Conversation, assistant, user
from agentkit.errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServerError,
)
from agentkit.events import ReasoningDelta, TextDelta
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult
from agentkit.options import Options
from agentkit.provider import CallDelta, ChatRequest, Fault, Finish, Provider, ResponseHead, UsageReport
from agentkit.providers import get_provider
from agentkit.providers._identify import identify, next_probe
from agentkit.sim import SimServer, Simulator
from agentkit.sim.profiles import PROFILES

TOOL = tool_schema("weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
CALL = 'call weather with {"city": "Oslo, Norway"}'
MODELS = ("sim", "gpt-oss-20b")


@define
class Told:
    """What a decoder made of an answer."""

    text: str = ""
    reasoning: str = ""
    calls: dict[int, list[str]] = field(factory=dict)
    finish: str | None = None
    usage: Any = None
    error: ProviderError | None = None

    def take(self, chunk: Any) -> None:
        match chunk:
            case TextDelta(text):
                self.text += text
            case ReasoningDelta(text):
                self.reasoning += text
            case CallDelta(index, identity, name, arguments):
                call = self.calls.setdefault(index, ["", "", ""])
                self.calls[index] = [call[0] + identity, call[1] + name, call[2] + arguments]
            case Finish(reason):
                self.finish = reason.value
            case UsageReport(usage):
                self.usage = usage
            case Fault(error):
                self.error = error
            case _:
                pass


def provider_of(profile: str) -> Provider:
    made = PROFILES[profile]
    return get_provider(made.backend, base_url=f"http://sim{made.base}", api_key="key")


def exchange(profile: str, *messages: Message, simulator: Simulator | None = None, **fields: Any) -> Told:
    """Encode, answer, decode."""
    provider = provider_of(profile)
    extra = {"tools": fields.pop("tools")} if "tools" in fields else {}
    options = Options(max_tokens=fields.pop("max_tokens", None), extra=extra)
    request = provider.encode(ChatRequest(messages=messages, options=options, **{"model": "sim", **fields}))
    handle = (simulator or Simulator()).handle
    response = handle(request.method, urlsplit(request.url).path, dict(request.headers), request.body)
    head = ResponseHead(response.status, {name.lower(): text for name, text in response.headers.items()})
    pieces = [item for item in response.body if isinstance(item, bytes)]
    told = Told()
    if response.status >= 400:
        told.error = provider.decode_error(head, b"".join(pieces))
        return told
    decoder = provider.decoder(head, max_line=1 << 20)
    for piece in pieces:
        for chunk in decoder.feed(piece):
            told.take(chunk)
    for chunk in decoder.close():
        told.take(chunk)
    return told


both_ways = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
each = pytest.mark.parametrize(("profile", "model"), [(name, model) for name in OPENAI_LIKE for model in MODELS])


@each
@both_ways
def test_text_reasoning_end_and_counts(profile: str, model: str, stream: bool) -> None:
    simulator = Simulator()
    told = exchange(profile, user("think 2 words. say né"), simulator=simulator, model=model, stream=stream)
    assert (told.text, told.reasoning.strip(), told.finish, told.error) == ("né", "Night fell.", "stop", None)
    assert told.usage.output_tokens >= 3
    assert simulator.clean()


@each
@both_ways
def test_calls_and_their_results(profile: str, model: str, stream: bool) -> None:
    simulator = Simulator()
    asked = user(f"think 2 words. {CALL}")
    told = exchange(profile, asked, simulator=simulator, model=model, stream=stream, tools=[TOOL])
    ((identity, name, arguments),) = told.calls.values()
    assert (name, json.loads(arguments), told.finish) == ("weather", {"city": "Oslo, Norway"}, "tool_calls")
    call = ToolCall(identity, name, json.loads(arguments))
    thought = (Reasoning(told.reasoning),) if told.reasoning else ()
    history = (
        asked,
        Message("assistant", (*thought, call)),
        Message("tool", (ToolResult(identity, "sunny"),)),
    )
    answer = exchange(profile, *history, simulator=simulator, model=model, stream=stream, tools=[TOOL])
    assert "weather answered: sunny" in answer.text
    assert simulator.problems == ()


@each
def test_several_calls_and_a_text_go_back_in_a_form_that_the_server_takes(profile: str, model: str) -> None:
    simulator = Simulator()
    calls = (ToolCall("a1", "weather", {"city": "Oslo"}), ToolCall("b2", "weather", {"city": "Rome"}))
    history = (
        Message("system", (Text("Be brief."),)),
        user("think first"),
        Message("assistant", (Reasoning("Hm."), Text("Let me see."), *calls)),
        Message("tool", (ToolResult("a1", "rain"), ToolResult("b2", "sun"))),
        Message("system", (Text("Be kind."),)),
        user("say thanks"),
    )
    for upto in (4, 6):
        told = exchange(profile, *history[:upto], simulator=simulator, model=model, tools=[TOOL])
        assert told.error is None
    assert told.text == "thanks"
    assert simulator.problems == ()


@each
@both_ways
def test_a_reply_cut_by_its_limit(profile: str, model: str, stream: bool) -> None:
    told = exchange(profile, user("count to 50"), model=model, stream=stream, max_tokens=10)
    assert told.finish == "length"
    assert "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12".startswith(told.text.rstrip(","))
    assert len(told.text) > 20


@each
@both_ways
def test_the_beginning_of_a_reply_is_gone_on_from_where_the_backend_says_so(
    profile: str, model: str, stream: bool
) -> None:
    capabilities = provider_of(profile).capabilities(model)
    if not capabilities.prefix:
        return
    messages = (user("count to 9"), assistant("1, 2, 3,"))
    told = exchange(profile, *messages, model=model, stream=stream, prefix=True)
    if profile == "llamacpp-2025":
        assert isinstance(told.error, BadRequest), "the era in which the server refuses it"
        return
    said = told.text.removeprefix("1, 2, 3,") if capabilities.repeats_prefix is not False else told.text
    assert said == " 4, 5, 6, 7, 8, 9"


SILENT = {"ollama", "transformers", "mlx", "parallax-2025"}
"""They answer a prompt that is too long."""


@each
@both_ways
def test_a_prompt_that_is_too_long(profile: str, model: str, stream: bool) -> None:
    told = exchange(profile, user("word " * 200), simulator=Simulator(window=64), model=model, stream=stream)
    if profile in SILENT:
        assert told.error is None
        assert told.text
    else:
        assert isinstance(told.error, ContextOverflow)
        if profile != "llamacpp-2025":
            counted = profile not in ("vllm-0.33", "parallax-2026")  # "at least" is no count
            assert (told.error.limit, told.error.used) == (64, 205 if counted else None)


CROWDED = {"vllm-0.11", "vllm-0.12", "sglang"}


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_a_limit_that_does_not_fit(profile: str) -> None:
    told = exchange(profile, user("say hi"), simulator=Simulator(window=64), max_tokens=60)
    assert isinstance(told.error, ContextOverflow) is (profile in CROWDED)
    assert told.error is not None or told.text == "hi"


STATUSES: list[tuple[str, type[ProviderError]]] = [
    ("fail with 400", BadRequest),
    ("fail with 401", AuthError),
    ("fail with 404", BadRequest),
    ("fail with 429 retry after 2", RateLimited),
    ("fail with 500", ServerError),
    ("fail with 503 retry after 2", ServerError),
]


@pytest.mark.parametrize("profile", OPENAI_LIKE)
@both_ways
@pytest.mark.parametrize(("order", "kind"), STATUSES)
def test_errors(profile: str, stream: bool, order: str, kind: type[ProviderError]) -> None:
    told = exchange(profile, user(order), stream=stream)
    assert type(told.error) is kind
    if "retry" in order:
        assert told.error is not None
        assert told.error.retry_after == 2


@pytest.mark.parametrize("profile", ["openai", "gravixlayer"])
def test_a_quota(profile: str) -> None:
    assert type(exchange(profile, user("fail with 429 quota")).error) is QuotaExceeded


@pytest.mark.parametrize("profile", OPENAI_LIKE)
@pytest.mark.parametrize(
    "order",
    [
        "fail with 500 after 3 words",
        "end after 3 words",
        "end early",
        "break the json after 2 words",
        "end at 60 percent",
    ],
)
def test_a_stream_that_is_not_whole_is_an_error(profile: str, order: str) -> None:
    told = exchange(profile, user(f"{order}. say a b c d e f"))
    assert told.error is not None
    assert "a b c d e f".startswith(told.text)


@each
def test_harmony_that_leaks_is_cleaned_where_it_is_known_to(profile: str, model: str) -> None:
    if "tokens" not in getattr(provider_of(profile), "dialect").leaks:  # noqa: B009 - a provider of another kind has none
        return
    told = exchange(profile, user("leak harmony, think 2 words. say hi"), model=model)
    assert (told.text, told.reasoning) == ("hi", "Night fell.")
    called = exchange(profile, user(f"leak harmony. {CALL}"), model=model, tools=[TOOL])
    ((_, name, arguments),) = called.calls.values()
    assert (name, json.loads(arguments), called.finish) == ("weather", {"city": "Oslo, Norway"}, "tool_calls")


KNOWN = [name for name in OPENAI_LIKE if name not in ("openai", "gravixlayer")]
TELLS_NO_WINDOW = {"transformers", "mlx", "parallax-2025"}


@pytest.mark.parametrize("profile", KNOWN)
def test_each_server_is_known_by_its_answers(profile: str) -> None:
    simulator = Simulator(window=5000, models=["mine"])
    answers: dict[str, Any] = {}
    while (path := next_probe(answers)) is not None:
        response = simulator.handle("GET", f"/{profile}{path}", {}, b"")
        headers = {name.lower(): text for name, text in response.headers.items()}
        answers[path] = (response.status, headers, b"".join(item for item in response.body if isinstance(item, bytes)))
    verdict = identify(answers)
    assert (verdict.backend, verdict.models) == (PROFILES[profile].backend, ("mine",))
    assert verdict.windows == ({} if profile in TELLS_NO_WINDOW else {"mine": 5000})


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(Simulator()) as running:
        yield running


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_a_conversation_of_several_turns(server: SimServer, profile: str) -> None:
    server.simulator.reset()
    made = PROFILES[profile]
    provider = get_provider(made.backend, base_url=server.url + made.base, api_key="key")
    with Conversation(provider, system="Be brief.") as chat:
        chat.send("My name is Ada")
        with chat.stream("think 5 words. write 30 words") as turn:
            said = "".join(event.text for event in turn if isinstance(event, TextDelta))
        assert (turn.reply.text, len(said.split())) == (said, 30)
        assert str(chat.send("What is my name?")) == "Your name is Ada."
        assert len(chat.messages) == 6
    assert server.simulator.problems == ()
