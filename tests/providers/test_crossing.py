"""A history that one backend has made is taken by every other, whatever happened to it in between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import product

import pytest
from attrs import evolve
from crossing import CHANGES, HARMONY, LINKED, MARK, PNG, STRANGE, Said, Turn, changed, history_of, read, turns
from hypothesis import given, settings
from hypothesis import strategies as st
from strict_wires import Refused, Wire, check, rules_of

from agentkit._engine.history import repair
from agentkit.errors import Unsupported
from agentkit.messages import Media, Message, Text, ToolCall, ToolResult, Unknown, assistant, system, user
from agentkit.provider import Answered, Call, ChatRequest, Exchanging, Provider, ResponseHead
from agentkit.providers import get_provider, provider_names
from agentkit.providers.pixigpt_threads import PixiThreads

KEY = "sk-secret-0123456789"
NAMES = provider_names()
TEXT_ONLY = {"gradient", "pixigpt", "pixigpt-threads"}
QUESTION = user("the last question")
MODELS = st.sampled_from(["any", "gpt-oss-20b"])


@cache
def provider(name: str) -> Provider:
    if name == "pixigpt-threads":
        return PixiThreads(api_key=KEY, on_system="omit")
    return get_provider(name, api_key=KEY)


def sent(name: str, messages: Sequence[Message], model: str = "any", *, prefix: Message | None = None) -> bytes:
    """The body of the next request, made as the engine makes it."""
    backend = provider(name)
    fit = [system("Be kind."), *repair(messages)]
    if prefix is not None:
        fit.append(prefix)
    stream = backend.capabilities(model).stream
    request = ChatRequest(model=model, messages=fit, stream=stream, prefix=prefix is not None)
    return exchanged(backend, request) if isinstance(backend, Exchanging) else backend.encode(request).body


def exchanged(backend: Exchanging, request: ChatRequest) -> bytes:
    """All that a thread is given before its run, as one body."""
    said: list[Wire] = []
    rounds = backend.exchange(request)
    step = next(rounds)
    with suppress(StopIteration):
        while True:
            if not isinstance(step, Call):
                step = next(rounds)
                continue
            posted = json.loads(step.request.body or b"{}")
            said += posted.get("messages", [posted] if "role" in posted else [])
            run = {"id": "new", "status": "completed", "message": {"id": "m", "content": "ok"}}
            step = rounds.send(Answered(ResponseHead(200, {}), json.dumps(run).encode(), 0.0))
    return json.dumps({"messages": said}, ensure_ascii=False).encode("utf-8", "replace")


def carries(name: str, messages: Sequence[Message]) -> bool:
    """Whether the backend has a place for all that the messages hold."""
    parts = [part for message in messages for part in message.parts]
    if any(isinstance(part, Unknown) for part in parts):
        return False
    media = [part for part in parts if isinstance(part, Media)]
    if not media or name in TEXT_ONLY:
        return not media
    return rules_of(name, gpt_oss=False).image_urls or all(part.data is not None for part in media)


def check_sent(name: str, messages: Sequence[Message], model: str) -> list[Wire]:
    """The request is taken, or refused here and with reason; what it holds is no business of another backend."""
    try:
        body = sent(name, messages, model)
    except Unsupported:
        assert not carries(name, messages)
        return []
    assert carries(name, messages)
    assert MARK.encode() not in body
    assert b"agentkit" not in body
    assert b"interrupted" not in body
    wires = check(name, body, gpt_oss="gpt" in model)
    assert sent(name, messages, model) == body, "remembered or not, it is the same"
    check_words(messages, wires)
    return wires


def check_words(messages: Sequence[Message], wires: Sequence[Wire]) -> None:
    """Nothing that was said is lost on the way."""
    there = json.dumps(wires)
    said = [message.text for message in messages if message.role in ("user", "assistant")]
    for word in ("question0", "question1", "question2", "answer", "told", "more", "last question"):
        assert word in there or not any(word in text for text in said)


@pytest.mark.parametrize(("maker", "taker"), list(product(NAMES, NAMES)))
@given(data=st.data(), model=MODELS)
@settings(max_examples=15, deadline=None)
def test_a_history_crosses_from_one_backend_to_another(maker: str, taker: str, data: st.DataObject, model: str) -> None:
    history = history_of(data.draw(turns(st.just(maker))), provider)
    check_sent(taker, [*changed(history, data.draw(CHANGES)), QUESTION], model)


@pytest.mark.parametrize("taker", NAMES)
@given(drawn=turns(st.sampled_from(NAMES)), changes=CHANGES, model=MODELS)
@settings(max_examples=100, deadline=None)
def test_a_history_of_many_backends_is_taken_by_each(
    taker: str, drawn: list[Turn], changes: list[tuple[str, int, Message]], model: str
) -> None:
    history = changed(history_of(drawn, provider), changes)
    check_sent(taker, [*history, QUESTION], model)
    # in the middle of a loop of tools, where the results come last
    check_sent(taker, [*history, QUESTION, assistant(ToolCall("x", "rain")), answer("x", "wet")], model)


@pytest.mark.parametrize("taker", NAMES)
@given(drawn=turns(st.sampled_from(NAMES)), maker=st.sampled_from(NAMES), model=MODELS)
@settings(max_examples=50, deadline=None)
def test_a_cut_reply_is_continued_by_another_backend(taker: str, drawn: list[Turn], maker: str, model: str) -> None:
    cut = read(provider(maker), maker, Said(text=f"{HARMONY}Once upon", reasoning="hm", cut=True), 99)
    assert cut.interrupted
    history = [*history_of(drawn, provider), QUESTION]
    begun = evolve(cut, parts=(*cut.parts, Text("Once upon a time")))
    if not provider(taker).capabilities(model).prefix:
        check_sent(taker, [*history, begun, QUESTION], model)
        return
    if not carries(taker, history):
        return
    body = sent(taker, history, model, prefix=begun)
    last = check(taker, body, gpt_oss="gpt" in model)[-1]
    assert last["role"] == "assistant"
    assert last["content"].endswith("Once upon a time")
    assert MARK.encode() not in body


def answer(call_id: str, content: str) -> Message:
    return Message("tool", (ToolResult(call_id, content),))


@pytest.mark.parametrize(
    ("part", "lacking"), [(PNG, TEXT_ONLY), (LINKED, {*TEXT_ONLY, "ollama"}), (STRANGE, set(NAMES))]
)
def test_what_has_no_place_is_refused_here(part: Media | Unknown, lacking: set[str]) -> None:
    asked = Message("user", (Text("look"), part))
    assert {name for name in NAMES if not check_sent(name, [asked], "any")} == lacking


Q = {"role": "user", "content": "q"}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "r"}


def calling(**changes: object) -> Wire:
    return {**CALLS, "tool_calls": [{**CALL, **changes}]}


@pytest.mark.parametrize(
    ("name", "messages", "why"),
    [
        ("openai", [Q, RESULT], "nobody called"),
        ("openai", [Q, CALLS, Q], "no results"),
        ("openai", [Q, CALLS], "no results"),
        ("openai", [Q, CALLS, RESULT, RESULT], "nobody called"),
        ("openai", [Q, CALLS, RESULT, CALLS, RESULT], "twice"),
        ("openai", [Q, calling(id="a b"), RESULT], "the id"),
        ("openai", [Q, calling(id="a" * 41), RESULT], "the id"),
        ("openai", [Q, calling(function={"name": "f.g", "arguments": "{}"}), RESULT], "the name"),
        ("openai", [Q, calling(function={"name": "f", "arguments": '{"a":NaN}'}), RESULT], "NaN"),
        ("openai", [Q, calling(function={"name": "f", "arguments": "[]"}), RESULT], "the arguments"),
        ("openai", [Q, calling(function={"name": "f", "arguments": {}}), RESULT], "the call"),
        ("openai", [{"role": "user", "content": ""}], "without content"),
        ("openai", [{"role": "user", "content": None}], "the content"),
        ("openai", [{"role": "robot", "content": "x"}], "role 'robot'"),
        ("openai", [{**Q, "meta": {}}], "meta"),
        ("openai", [Q, {"role": "assistant", "content": "x"}], "begins no reply"),
        ("openai", [], "messages is"),
        ("llamacpp", [Q, CALLS, RESULT, *[{"role": "assistant", "content": "x"}] * 2], "two messages"),
        ("gpt-oss", [Q, {"role": "system", "content": "s"}, Q], "system messages at"),
        ("gpt-oss", [Q, {**CALLS, "content": "x", "reasoning": "r"}, RESULT], "content and thinking"),
        ("gpt-oss", [Q, {**CALLS, "tool_calls": [CALL, {**CALL, "id": "b"}]}, RESULT], "first call"),
        ("gpt-oss", [Q, {"role": "assistant", "content": HARMONY}, Q], "control tokens"),
        ("gravixlayer", [Q, {"role": "assistant", "content": "x", "reasoning": "r"}, Q], "reasoning"),
        (
            "ollama",
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://h"}}]}],
            "as bytes",
        ),
        ("ollama", [{"role": "user", "content": [{"type": "hologram"}]}], "hologram"),
    ],
)
def test_the_strict_servers_refuse(name: str, messages: list[Wire], why: str) -> None:
    body = {"model": "m", "messages": messages}
    with pytest.raises(Refused, match=why):
        check(name, json.dumps(body).encode(), gpt_oss=False)


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("openai", {"messages": [Q]}, "missing"),
        ("openai", {"model": None, "messages": [Q]}, "model is None"),
        ("openai", {"model": "m", "messages": [Q], "stream_options": {"include_usage": True}}, "without stream"),
        ("parallax", {"model": "m", "messages": [Q]}, "max_tokens"),
        ("pixigpt", {"messages": [Q]}, "of the system"),
        ("pixigpt", {"messages": [Q], "stream": True}, "unknown fields"),
        ("gradient", {"model": "m", "messages": [Q]}, "the fields"),
    ],
)
def test_the_strict_servers_refuse_a_body(name: str, body: Wire, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check(name, json.dumps(body).encode(), gpt_oss=False)


@pytest.mark.parametrize(
    ("model", "messages", "why"),
    [
        ("Qwen3 235B", [Q], "does not run"),
        ("GPT OSS 120B", [Q, Q], "'user' after 'user'"),
        ("GPT OSS 120B", [RESULT], "'tool' after None"),
        ("GPT OSS 120B", [{"role": "user", "content": " "}], "the content"),
        ("GPT OSS 120B", [{**Q, "id": 1}], "a message with"),
        ("GPT OSS 120B", [Q, {"role": "assistant", "content": "x"}], "one of the user"),
    ],
)
def test_the_strict_gradient_refuses(model: str, messages: list[Wire], why: str) -> None:
    body = {"model": model, "clusterMode": "nvidia", "messages": messages, "enableThinking": False}
    with pytest.raises(Refused, match=why):
        check("gradient", json.dumps(body).encode(), gpt_oss=False)


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([Q, {**Q, "tool_calls": []}], "a message with"),
        ([{"role": "tool", "content": "r"}], "role 'tool'"),
        ([{"role": "user", "content": ""}], "the content"),
        ([Q, {"role": "assistant", "content": "x"}], "one of the user"),
        ([], "one of the user"),
    ],
)
def test_the_strict_thread_refuses(messages: list[Wire], why: str) -> None:
    with pytest.raises(Refused, match=why):
        check("pixigpt-threads", json.dumps({"messages": messages}).encode(), gpt_oss=False)
