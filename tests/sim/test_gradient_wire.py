"""The wire of Gradient Chat: what it refuses, its lines, and what can go wrong in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_client import assistant, user

from agentkit.sim import Simulator
from agentkit.sim.talk import Drop, Pause

URL = "/gradient/api"
GOOD = {"model": "GPT OSS 120B", "clusterMode": "nvidia", "messages": [user("say hi")]}


def send(simulator: Simulator, **fields: Any) -> tuple[int, list[Any]]:
    body = json.dumps({**GOOD, **fields}).encode()
    response = simulator.handle("POST", f"{URL}/generate", {}, body)
    return response.status, list(response.body)


def events(items: list[Any]) -> list[tuple[str, Any]]:
    data = b"".join(item for item in items if isinstance(item, bytes))
    values = [json.loads(line) for line in data.split(b"\n") if line.strip()]
    return [(value["type"], value["data"]) for value in values if isinstance(value, dict)]


def refused(simulator: Simulator, **fields: Any) -> str:
    status, items = send(simulator, **fields)
    assert status == 400
    return str(json.loads(items[0])["message"])


def test_the_whole_stream() -> None:
    status, items = send(Simulator(), messages=[user("say hi é there")], enableThinking=True)
    seen = events(items)
    assert status == 200
    assert seen[:3] == [
        ("jobInfo", {"status": "processing"}),
        ("clusterInfo", {"model": "GPT OSS 120B"}),
        ("blockUpdate", [{"blockId": 0}]),
    ]
    assert seen[3][1]["role"] == "assistant"
    assert all("role" not in data for kind, data in seen[4:] if kind == "reply")
    replies = [data for kind, data in seen if kind == "reply"]
    assert "".join(data.get("content", "") for data in replies) == "hi é there"
    assert len("".join(data.get("reasoningContent", "") for data in replies).split()) == 24
    assert seen[-1] == ("jobInfo", {"status": "completed"})
    assert len([kind for kind, _ in seen if kind == "blockUpdate"]) == 1


def test_other_paths_are_not_there() -> None:
    simulator = Simulator()
    for method, path in (("GET", "/generate"), ("POST", "/model_info"), ("GET", "/models"), ("POST", "")):
        assert simulator.handle(method, URL + path, {}, b"{}").status == 404
    assert simulator.clean()


def test_where_it_is_the_chosen_profile() -> None:
    simulator = Simulator(profile="gradient")
    response = simulator.handle("POST", "/api/generate", {}, json.dumps(GOOD).encode())
    assert events(list(response.body))[-1] == ("jobInfo", {"status": "completed"})


def test_what_the_protocol_lacks_has_no_effect() -> None:
    status, items = send(
        Simulator(), messages=[user("write 40 words")], max_tokens=3, stop=["a"], temperature=9, tools=[]
    )
    text = "".join(data.get("content", "") for kind, data in events(items) if kind == "reply")
    assert (status, len(text.split())) == (200, 40)


def test_instructions_at_the_head() -> None:
    told = [{"role": "system", "content": "Be brief."}, user("say hi")]
    assert send(Simulator(), messages=told)[0] == 200
    assert send(Simulator(), messages=[*told, assistant(""), user("say hi")])[0] == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": None}, "Unknown model None"),
        ({"model": "gpt-oss-120b"}, "Unknown model"),
        ({"clusterMode": None}, "Invalid clusterMode"),
        ({"model": "Qwen3 235B"}, "does not run in the cluster 'nvidia'"),
        ({"enableThinking": "yes"}, "enableThinking"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "role of message 0"),
        ({"messages": [user("hi"), assistant("hi")]}, "last message"),
        ({"messages": [user(" ")]}, "content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "content"),
        ({"messages": [{"role": "tool", "content": "x"}, user("hi")]}, "role of message 0"),
        ({"messages": [user("hi"), {"role": "system", "content": "x"}, user("hi")]}, "role of message 1"),
        ({"messages": [{**user("hi"), "reasoningContent": "x"}]}, "reasoningContent"),
        ({"messages": [assistant("x", reasoningContent=1), user("hi")]}, "reasoningContent"),
    ],
)
def test_invalid_requests(fields: dict[str, Any], words: str) -> None:
    simulator = Simulator()
    assert words in refused(simulator, **fields)
    assert words in simulator.problems[0]
    assert simulator.requests[0].problem == simulator.problems[0]


def test_no_json() -> None:
    simulator = Simulator()
    for body in (b"", b"[1]", b"{"):
        assert simulator.handle("POST", f"{URL}/generate", {}, body).status == 400
    assert len(simulator.problems) == 3


def test_an_overflow_is_no_mistake_of_the_client() -> None:
    simulator = Simulator(window=64)
    assert "maximum context length is 64" in refused(simulator, messages=[user("word " * 80)])
    assert simulator.clean()


def test_faults() -> None:
    simulator = Simulator()
    status, items = send(simulator, messages=[user("wait 2 seconds, fail with 429 retry after 3")])
    assert (status, items[0]) == (429, Pause(2.0))
    assert "told to fail" in json.loads(items[1])["message"]
    _, items = send(simulator, messages=[user("drop the connection")])
    assert items == [Drop()]
    _, items = send(simulator, messages=[user("drop after 3 words")])
    assert len([kind for kind, _ in events(items) if kind == "reply"]) == 3
    assert items[-1] == Drop()
    _, items = send(simulator, messages=[user("stall 5 seconds after 3 words")])
    assert Pause(5.0) in items
    assert events(items)[-1] == ("jobInfo", {"status": "completed"})
    _, items = send(simulator, messages=[user("fail with 503 after 0 words")])
    assert events(items)[-1][1]["status"] == "failed"
    assert not [kind for kind, _ in events(items) if kind == "reply"]
    simulator.script(["never complete", "leak harmony"])
    _, items = send(simulator)
    assert events(items)[-1] == ("reply", {"role": "assistant", "content": "hi"})
    _, items = send(simulator)
    words = [data["content"] for kind, data in events(items) if kind == "reply"]
    assert words == ["<|channel|>", "final", "<|message|>", "hi", "<|return|>"]


def test_noise() -> None:
    _, items = send(Simulator(), messages=[user('add noise. say "a\u2028b"')])
    lines = b"".join(items).split(b"\n")
    assert b"" in lines[:-1]
    assert [1, 2] in [json.loads(line) for line in lines if line.strip()]
    assert ("reply", None) in events(items)
    assert "peerUpdate" in dict(events(items))
    assert b"\xe2\x80\xa8b" in b"".join(items)


def test_words_that_are_said_are_no_orders() -> None:
    _, items = send(Simulator(), messages=[user("say leak harmony, never complete")])
    seen = events(items)
    assert [data["content"] for kind, data in seen if kind == "reply"] == ["leak", " harmony,", " never", " complete"]
    assert seen[-1] == ("jobInfo", {"status": "completed"})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "user", "assistant", "hi", "nvidia"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ["model", "clusterMode", "messages", "enableThinking", "other"]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_any_json_is_answered(fields: dict[str, Any]) -> None:
    status, items = send(Simulator(), **fields)
    assert status in (200, 400)
    assert items
