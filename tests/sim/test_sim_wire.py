"""The OpenAI wire: shapes, checks, errors, usage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_client import CHAT, ask, assistant, body, stream, tool_schema, user

from agentkit.sim import Simulator

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": ""}


def test_models_health_and_everything_else() -> None:
    simulator = Simulator(window=4096)

    def get(method: str, target: str) -> tuple[int, Any]:
        response = simulator.handle(method, target, {}, b"")
        return response.status, json.loads(b"".join(response.body))  # type: ignore[arg-type]

    status, models = get("GET", "/v1/models?limit=3")
    assert status == 200
    assert models["data"][0]["max_model_len"] == 4096
    assert get("GET", "/v1/models/any/name")[1]["id"] == "any/name"
    assert get("GET", "/health")[0] == 200
    for method, target in (("GET", CHAT), ("POST", "/v1/models"), ("GET", "/"), ("PUT", "/v1/embeddings")):
        status, value = get(method, target)
        assert status == 404
        assert value["error"]["code"] == "unknown_url"
    assert simulator.clean()


def test_usage_in_streams_only_when_asked_for() -> None:
    simulator = Simulator()
    whole = ask(simulator, "say one two three")
    assert whole.usage is not None
    assert whole.usage["total_tokens"] == whole.usage["prompt_tokens"] + 3
    assert stream(simulator, "say one two three").usage is None
    assert stream(simulator, "say one two three", stream_options={"include_usage": False}).usage is None
    told = stream(simulator, "say one two three", stream_options={"include_usage": True})
    assert told.usage == whole.usage
    last = json.loads(told.items[-2][6:])
    assert last["choices"] == []


def test_prompt_tokens_grow_with_the_history() -> None:
    simulator = Simulator()
    short = ask(simulator, "say hi").usage
    long = ask(simulator, [user("say hi"), assistant("hi"), user("say hi")], tools=[tool_schema("x")]).usage
    assert short is not None
    assert long is not None
    assert long["prompt_tokens"] > short["prompt_tokens"]


def test_unknown_models_and_fields_are_served() -> None:
    heard = ask(Simulator(), "say hi", model="no-such-model", frobnicate=[1], temperature=None, tools=None)
    assert heard.text == "hi"
    value = json.loads(heard.items[0])
    assert value["model"] == "no-such-model"
    assert value["system_fingerprint"] == "simulator"


def test_overflow() -> None:
    heard = stream(Simulator(window=50), "word " * 60)
    assert heard.status == 400
    assert heard.error is not None
    assert "maximum context length is 50 tokens" in heard.error["message"]
    assert "has 65 input tokens" in heard.error["message"]
    simulator = Simulator(window=50)
    ask(simulator, "word " * 60)
    assert simulator.clean(), "too long is no mistake of the format"


def test_content_in_parts() -> None:
    parts = [{"type": "text", "text": "say "}, {"type": "text", "text": "hi"}]
    assert ask(Simulator(), [{"role": "user", "content": parts}]).text == "hi"
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    assert ask(Simulator(), [{"role": "user", "content": [image]}]).status == 200


def test_half_characters_do_no_harm() -> None:
    heard = stream(Simulator(), "say \ud83d half", model="m\udc00")
    assert heard.text == "? half"


def test_stop_words() -> None:
    simulator = Simulator()
    assert ask(simulator, "say one two three", stop="two").text == "one "
    assert ask(simulator, "say one two three", stop=["three", "two", ""]).finish == "stop"
    assert ask(simulator, "say one two three", stop="four").text == "one two three"


def test_shaped_replies() -> None:
    schema = {"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert isinstance(json.loads(ask(Simulator(), "a pool", response_format=shape).text)["depth"], int)
    assert "reply" in json.loads(ask(Simulator(), "a pool", response_format={"type": "json_object"}).text)
    assert ask(Simulator(), "say hi", response_format={"type": "text"}).text == "hi"


INVALID_HISTORY = [
    [],
    "text",
    ["text"],
    [{"content": "x"}],
    [{"role": "owner", "content": "x"}],
    [{"role": ["user"], "content": "x"}],
    [{"role": "user"}],
    [{"role": "user", "content": ""}],
    [{"role": "user", "content": " \n"}],
    [{"role": "user", "content": []}],
    [{"role": "user", "content": 5}],
    [{"role": "user", "content": [{"type": "text"}]}],
    [{"role": "user", "content": [{"type": "dance"}]}],
    [{"role": "user", "content": ["x"]}],
    [{"role": "system", "content": ""}, user("x")],
    [user("x"), {"role": "assistant"}],
    [user("x"), assistant("", reasoning="")],
    [user("x"), assistant("x", reasoning=5)],
    [user("x"), assistant("x", tool_calls=[])],
    [user("x"), assistant("x", tool_calls=[5])],
    [user("x"), assistant("x", tool_calls=[{**CALL, "id": ""}]), RESULT],
    [user("x"), assistant("x", tool_calls=[CALL, CALL]), RESULT],
    [user("x"), assistant("", tool_calls=[CALL])],
    [user("x"), assistant("", tool_calls=[CALL]), user("x")],
    [user("x"), assistant("", tool_calls=[CALL]), assistant("x")],
    [user("x"), RESULT],
    [user("x"), assistant("", tool_calls=[CALL]), RESULT, RESULT],
    [user("x"), assistant("", tool_calls=[CALL]), {**RESULT, "tool_call_id": "c2"}],
    [user("x"), assistant("", tool_calls=[CALL]), {"role": "tool", "content": "x"}],
    *(
        [user("x"), assistant("", tool_calls=[{**CALL, "function": {"name": "w", "arguments": text}}]), RESULT]
        for text in ("", '{"a', "[]", "null", "5", "[" * 5000)
    ),
]


@pytest.mark.parametrize("messages", INVALID_HISTORY, ids=[json.dumps(m)[:60] for m in INVALID_HISTORY])
def test_poisoned_histories_are_refused_and_remembered(messages: Any) -> None:
    simulator = Simulator()
    response = simulator.handle("POST", CHAT, {}, json.dumps({"model": "m", "messages": messages}).encode())
    assert response.status == 400
    error = json.loads(b"".join(response.body))["error"]  # type: ignore[arg-type]
    assert error["type"] == "invalid_request_error"
    assert not simulator.clean()
    assert simulator.problems == (error["message"],)
    assert simulator.requests[0].problem == error["message"]
    simulator.reset()
    assert simulator.clean()


INVALID_FIELDS: list[dict[str, Any]] = [
    {"model": None},
    {"model": ""},
    {"model": 5},
    {"temperature": "hot"},
    {"temperature": 3},
    {"temperature": True},
    {"top_p": -1},
    {"max_tokens": 0},
    {"max_tokens": 1.5},
    {"max_tokens": "5"},
    {"max_completion_tokens": -3},
    {"n": 2},
    {"seed": 1.0},
    {"stream": "yes"},
    {"stream_options": {"include_usage": True}},
    {"stream": True, "stream_options": 5},
    {"stream": True, "stream_options": {"include_usage": 1}},
    {"stop": 5},
    {"stop": ["a", 5]},
    {"reasoning_effort": 5},
    {"tools": []},
    {"tools": {}},
    {"tools": [5]},
    {"tools": [{"type": "function"}]},
    {"tools": [{"type": "search", "function": {"name": "x"}}]},
    {"tools": [tool_schema("no spaces")]},
    {"tools": [{"type": "function", "function": {"name": "x", "parameters": [1]}}]},
    {"tool_choice": "auto"},
    {"tools": [tool_schema("x")], "tool_choice": "sometimes"},
    {"tools": [tool_schema("x")], "tool_choice": {"type": "function", "function": {"name": "y"}}},
    {"tools": [tool_schema("x")], "tool_choice": {"function": 3}},
    {"response_format": "json"},
    {"response_format": {"type": "yaml"}},
    {"response_format": {"type": "json_schema"}},
    {"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}},
]


@pytest.mark.parametrize("fields", INVALID_FIELDS, ids=[json.dumps(f)[:50] for f in INVALID_FIELDS])
def test_wrong_fields(fields: dict[str, Any]) -> None:
    simulator = Simulator()
    heard = ask(simulator, "say hi", **fields)
    assert heard.status == 400
    assert heard.error is not None
    assert not simulator.clean()


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\xff", b"[]", b"5", b"null", b"[" * 100_000])
def test_wrong_bodies(data: bytes) -> None:
    simulator = Simulator()
    assert simulator.handle("POST", CHAT, {}, data).status == 400
    assert not simulator.clean()


@pytest.mark.parametrize("depth", [100, 500, 800, 900, 950, 990, 5000])
def test_deep_nesting_is_survived(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for field in ("messages", "tools", "stop", "frobnicate"):
        data = f'{{"model":"m","messages":[{{"role":"user","content":"x"}}],"{field}":{deep}}}'
        assert Simulator().handle("POST", CHAT, {}, data.encode()).status in (200, 400)
    schema = '{"properties":' * depth + "{}" + "}" * depth
    tool = f'{{"type":"function","function":{{"name":"x","parameters":{schema}}}}}'
    data = f'{{"model":"m","messages":[{{"role":"user","content":"call x"}}],"tools":[{tool}]}}'
    assert Simulator().handle("POST", CHAT, {}, data.encode()).status in (200, 400)


def test_a_wire_that_goes_too_deep_is_an_error_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("agentkit.sim.simulator.WIRES", {"openai": deep})
    simulator = Simulator()
    assert ask(simulator, "say hi").status == 400
    assert not simulator.clean()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["model", "messages", "stream", "stop", "max_tokens", "tools", "tool_choice", "response_format", "n", "seed"]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4), st.booleans())
def test_any_json_is_answered(fields: dict[str, Any], valid: bool) -> None:
    base = {"model": "m", "messages": [user("say hi")]} if valid else {}
    response = Simulator().handle("POST", CHAT, {}, json.dumps({**base, **fields}).encode())
    assert response.status in (200, 400)
    list(response.body)


def test_the_log() -> None:
    simulator = Simulator()
    for _ in range(1005):
        simulator.handle("GET", "/health", {"Authorization": "Bearer x"}, b"")
    assert simulator.received == 1005
    assert len(simulator.requests) == 1000
    assert simulator.requests[-1].headers["authorization"] == "Bearer x"
    assert "Bearer" not in repr(simulator.requests[-1])
    ask(simulator, "say hi")
    assert simulator.requests[-1].json["messages"][0]["content"] == "say hi"
    assert simulator.requests[-1].number == 1006


def test_answers_can_be_left() -> None:
    simulator = Simulator()
    response = simulator.handle("POST", CHAT, {}, body("write 90 words", stream=True))
    assert simulator.streaming == 0
    next(response.body)
    assert simulator.streaming == 1
    response.close()
    assert simulator.streaming == 0
