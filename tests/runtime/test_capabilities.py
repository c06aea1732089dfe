"""The table of capabilities, held against what happens with each backend as the simulator plays it.

What is not seen from here is not held: whether a server binds a reply to a schema, and the numbers of a window.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import frozen

from agentkit import (
    ConnectionLost,
    Conversation,
    InvalidInput,
    Notice,
    Options,
    Outcome,
    ReasoningDelta,
    RetryPolicy,
    TextDelta,
    ToolCall,
    ToolResult,
    Unsupported,
    assistant,
    user,
)
from agentkit.messages import Message, Reasoning
from agentkit.provider import (
    CallDelta,
    Capabilities,
    ChatRequest,
    Chunk,
    Exchanging,
    Fault,
    Finish,
    HTTPRequest,
    Provider,
    ResponseHead,
    UsageReport,
)
from agentkit.providers import counting, get_provider, provider_names
from agentkit.providers.pixigpt_threads import PixiThreads
from agentkit.sim import SimServer, Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.usage import FinishReason

THREADS = "pixigpt-threads"
THINKING = Options(reasoning_effort="high")
TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {}}}}}
]
NATIVE = "native"
REFUSES_A_BEGINNING = "llamacpp-2025"
"""The era of a server that goes on in the other one; which era it is shows by the refusal."""


@frozen
class Subject:
    """A backend with one model, and the profile that plays it."""

    backend: str
    profile: str
    model: str

    def __str__(self) -> str:
        return f"{self.profile}:{self.model}" if self.backend != THREADS else THREADS

    @property
    def can(self) -> Capabilities:
        return get_provider(self.backend).capabilities(self.model)

    def simulator(self) -> Simulator:
        return Simulator(seed=3, profile=self.profile, models=() if self.profile in FIXED else (self.model,))

    @contextmanager
    def chat(self, simulator: Simulator, **settings: Any) -> Iterator[Conversation]:
        if self.backend != THREADS:
            with Conversation(simulator, **settings) as chat:
                yield chat
            return
        with SimServer(simulator) as server:
            url = server.describe()[self.profile]
            with Conversation(PixiThreads(base_url=url, api_key="k", model=self.model), **settings) as chat:
                yield chat

    def provider(self) -> Provider:
        return get_provider(self.backend, base_url=f"sim://local{PROFILES[self.profile].path}", api_key="sim")


FIXED = {"openai": "sim", "gravixlayer": "sim", "gradient": "GPT OSS 120B", "pixigpt": "pixi"}
"""What is asked for by this name, whatever the simulator lists."""
SUBJECTS = (
    *(Subject(PROFILES[profile].backend, profile, model) for profile, model in FIXED.items()),
    *(
        Subject(made.backend, name, model)
        for name, made in PROFILES.items()
        if name not in FIXED
        for model in ("gpt-oss-20b", "llama-3")
    ),
    Subject(THREADS, "pixigpt", "as_1"),
)


@pytest.fixture(params=SUBJECTS, ids=str)
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param  # type: ignore[no-any-return]


SINGLE = tuple(each for each in SUBJECTS if each.backend != THREADS)
"""Whose reply is the answer to one request."""


@pytest.fixture(params=SINGLE, ids=str)
def single(request: pytest.FixtureRequest) -> Subject:
    return request.param  # type: ignore[no-any-return]


def where(holds: Callable[[Subject], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("single", [each for each in SINGLE if holds(each)], ids=str)


def asked(subject: Subject, text: str, options: Options = Options(), **settings: Any) -> tuple[list[Any], Simulator]:  # noqa: B008 - frozen
    """The events of one turn; nothing that was sent breaks the rules of the server."""
    simulator = subject.simulator()
    with subject.chat(simulator, **settings) as chat, chat.stream(text, options=options) as turn:
        events = list(turn)
        assert chat.model.endswith(f"/{subject.model}")
    assert simulator.problems == ()
    return events, simulator


def exchanged(subject: Subject, simulator: Simulator, *messages: Message, **more: Any) -> list[Chunk]:
    """One request and its answer, without a conversation around it."""
    provider = subject.provider()
    request = ChatRequest(model=subject.model, messages=messages, stream=subject.can.stream, **more)
    wire = provider.encode(request)
    path = "/" + wire.url.removeprefix("sim://").partition("/")[2]
    answer = simulator.handle(wire.method, path, dict(wire.headers), wire.body)
    body = b"".join(item for item in answer.body if isinstance(item, bytes))
    head = ResponseHead(answer.status, {name.lower(): value for name, value in answer.headers.items()})
    assert answer.status == 200, body
    decoder = provider.decoder(head, max_line=1 << 20)
    chunks = [*decoder.feed(body), *decoder.close()]
    assert not isinstance(chunks[-1], Fault)
    return chunks


def only(kind: type[Any], events: list[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def text_in(chunks: list[Any]) -> str:
    return "".join(chunk.text for chunk in only(TextDelta, chunks))


def ended(chunks: list[Any]) -> FinishReason:
    return chunks[-1].reason  # type: ignore[no-any-return]


def calls_in(chunks: list[Any]) -> int:
    return len({chunk.index for chunk in chunks if isinstance(chunk, CallDelta)})


def test_every_backend_is_held_to_its_row() -> None:
    assert {subject.backend for subject in SUBJECTS} >= set(provider_names()) - {"gpt-oss", "openai"}


def test_a_stream_comes_in_pieces_and_all_else_in_one(subject: Subject) -> None:
    events, _ = asked(subject, "write 12 words")
    pieces = only(TextDelta, events)
    assert len(pieces) == 12 if subject.can.stream else len(pieces) == 1
    assert len("".join(piece.text for piece in pieces).split()) == 12


def test_usage_is_the_backends_own_or_said_to_be_estimated(subject: Subject) -> None:
    events, _ = asked(subject, "write 40 words")
    usage = events[-1].reply.usage
    assert usage.estimated is not subject.can.usage
    assert usage.output_tokens > 0


def test_whether_a_server_counts_what_is_not_yet_sent(single: Subject) -> None:
    simulator, said = single.simulator(), (user("write 12 words"),)
    chat = single.provider().encode(ChatRequest(model=single.model, messages=said))

    def answer(wire: HTTPRequest) -> bytes:
        path = "/" + wire.url.removeprefix("sim://").partition("/")[2]
        body = simulator.handle(wire.method, path, dict(wire.headers), wire.body).body
        return b"".join(item for item in body if isinstance(item, bytes))

    wire = counting.count_request(single.backend, chat)
    assert (wire is not None) is single.can.counts
    if wire is None:
        return
    counted = counting.counted(answer(wire))
    if counted is None:
        assert single.profile == "llamacpp-2025"
        rendered = counting.tokenize_request(chat, answer(counting.template_request(chat)))
        assert rendered is not None
        counted = counting.counted(answer(rendered))
    assert counted is not None
    assert counted > 0


def test_thinking_comes_apart_from_the_text(subject: Subject) -> None:
    events, _ = asked(subject, "think 20 words, write 12 words", THINKING)
    assert subject.can.reasoning_out
    assert "".join(event.text for event in only(ReasoningDelta, events)).strip()
    assert len(events[-1].reply.text.split()) == 12


def test_instructions_have_a_role_of_their_own_or_their_declared_place(single: Subject) -> None:
    _, simulator = asked(single, "say yes", system="Answer in one word.")
    sent = simulator.requests[-1].json["messages"]
    if single.can.system_role:
        assert sent[0] == {"role": "system", "content": "Answer in one word."}
    else:
        assert [message["role"] for message in sent] == ["user"]
        assert sent[0]["content"].startswith("Answer in one word.\n")
    assert sum("one word" in message["content"] for message in sent) == 1


def test_an_assistant_with_instructions_of_its_own_takes_no_others() -> None:
    threads = SUBJECTS[-1]
    assert not threads.can.system_role
    with pytest.raises(InvalidInput, match="has its own instructions"):
        asked(threads, "say yes", system="Answer in one word.")


def test_max_tokens_holds_or_a_notice_says_that_it_does_not(single: Subject) -> None:
    options = Options(max_tokens=5)
    request = ChatRequest(model=single.model, messages=(user("hi"),), options=options)
    said = [notice.message for notice in single.provider().encode(request).notices if "max_tokens" in notice.message]
    chunks = exchanged(single, single.simulator(), user("write 30 words"), options=options)
    if not single.can.max_tokens:
        assert said == ["the backend has no setting max_tokens; 5 was left out"]
    elif single.can.min_output is not None:
        assert said == [f"the backend raises max_tokens 5 to {single.can.min_output} while thinking is on"]
    else:
        assert said == []
        assert (ended(chunks), only(UsageReport, chunks)[0].usage.output_tokens) == (FinishReason.LENGTH, 5)
        return
    assert ended(chunks) is FinishReason.STOP
    assert len(text_in(chunks).split()) == 30


@pytest.mark.parametrize("name", ["pixigpt", THREADS])
def test_a_least_length_is_that_of_thinking(name: str) -> None:
    subject = next(each for each in SUBJECTS if each.backend == name)
    for effort, told in (("high", 1), ("none", 0)):
        events, _ = asked(subject, "write 30 words", Options(max_tokens=3000 - told, reasoning_effort=effort))
        assert sum("while thinking is on" in event.message for event in only(Notice, events)) == told


BEGUN = (user('say "one two three four five six"'), assistant("one two three four"))


@where(lambda it: it.can.prefix and it.profile != REFUSES_A_BEGINNING)
def test_the_beginning_of_a_reply_is_gone_on_from_where_that_is_claimed(single: Subject) -> None:
    text = text_in(exchanged(single, single.simulator(), *BEGUN, prefix=True))
    repeats = text == "one two three four five six"
    assert repeats or text == " five six"
    assert single.can.repeats_prefix in (repeats, None)


@where(lambda it: it.profile == REFUSES_A_BEGINNING)
def test_an_era_that_refuses_a_beginning_says_so(single: Subject) -> None:
    with pytest.raises(AssertionError, match="prefill"):
        exchanged(single, single.simulator(), *BEGUN, prefix=True)


@where(lambda it: it.backend in ("gradient", "pixigpt"))
def test_what_can_never_go_on_is_not_asked_to(single: Subject) -> None:
    with pytest.raises(Unsupported, match="cannot go on"):
        exchanged(single, single.simulator(), *BEGUN, prefix=True)


@where(lambda it: it.backend != "gradient")  # which does not say that a reply was cut
def test_a_cut_reply_becomes_whole(single: Subject) -> None:
    """By going on from its beginning where that is claimed, by other ways elsewhere."""
    whole = Conversation(single.simulator()).send("write 30 words").text
    simulator = single.simulator()
    simulator.script(["cut@10"])
    with single.chat(simulator) as chat:
        reply = chat.send("write 30 words")
    ways = [segment.strategy for segment in reply.segments if segment.end > segment.start]
    assert (NATIVE in ways) is (single.can.prefix and single.profile != REFUSES_A_BEGINNING)
    assert (reply.outcome, reply.text) == (Outcome.COMPLETE, whole)


def test_tools_are_called_where_there_are_any(single: Subject) -> None:
    options = Options(extra={"tools": TOOLS})
    chunks = exchanged(single, single.simulator(), user("call weather"), options=options)
    assert isinstance(chunks[-1], Finish)
    assert calls_in(chunks) == single.can.tools


@where(lambda it: it.can.parallel_tools)
def test_calls_come_side_by_side_and_their_results_in_any_order(single: Subject) -> None:
    options, simulator = Options(extra={"tools": TOOLS}), single.simulator()
    question = user("call weather 3 times")
    assert calls_in(exchanged(single, simulator, question, options=options)) == 3
    calls = [ToolCall(f"call_{place}", "weather", {"city": str(place)}) for place in range(2)]
    results = Message("tool", tuple(ToolResult(call.id, "sunny") for call in reversed(calls)))
    assert text_in(exchanged(single, simulator, question, assistant(*calls), results, options=options))
    assert simulator.problems == ()


@where(lambda it: it.can.tool_choice)
def test_a_tool_can_be_demanded_and_forbidden_where_that_is_claimed(single: Subject) -> None:
    for choice, text, made in (("required", "hello", 1), ("none", "call weather", 0)):
        options = Options(extra={"tools": TOOLS, "tool_choice": choice})
        assert calls_in(exchanged(single, single.simulator(), user(text), options=options)) == made


def test_thinking_goes_back_while_the_model_is_at_it(single: Subject) -> None:
    call = ToolCall("call_1", "weather", {"city": "Ys"})
    running = (
        Message("assistant", (Reasoning("the sea took it"), call)),
        Message("tool", (ToolResult("call_1", "w"),)),
    )
    if not single.can.tools:
        running = (Message("assistant", (Reasoning("the sea took it"), *assistant("Gone.").parts)), user("Why?"))
    simulator = single.simulator()
    exchanged(single, simulator, user("call weather"), *running, options=Options(extra={"tools": TOOLS}))
    sent = json.dumps(simulator.requests[-1].json["messages"])
    assert "the sea took it" in sent or not single.can.reasoning_in
    assert simulator.problems == ()


def test_what_may_be_sent_again_is_sent_again(single: Subject) -> None:
    simulator = single.simulator()
    patient = RetryPolicy(base_delay=0.001, max_delay=0.001)
    simulator.script(["drop the connection"])
    with single.chat(simulator, retry=patient) as chat:
        if single.can.repeatable:
            assert chat.send("say here").usage.requests == 2
        else:
            with pytest.raises(ConnectionLost):
                chat.send("say here")


def test_no_reply_of_several_requests_claims_to_be_one() -> None:
    assert isinstance(PixiThreads(), Exchanging)
    assert not any(isinstance(get_provider(name), Exchanging) for name in provider_names() if name != THREADS)


def test_counts_come_with_the_answer_where_usage_is_claimed(single: Subject) -> None:
    chunks = exchanged(single, single.simulator(), user("write 9 words"))
    assert len(only(UsageReport, chunks)) == single.can.usage
