"""The wire of PixiGPT: what it refuses, its shapes, and what it keeps."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_client import assistant, tool_schema, user

from agentkit.sim import Simulator
from agentkit.sim.pixigpt_platform import Outcome, Platform
from agentkit.sim.talk import Drop, Pause

URL = "/pixigpt/v1"
KEY = {"Authorization": "Bearer sk-proj-none"}
SYSTEM = {"role": "system", "content": "You are helpful"}


def call(simulator: Simulator, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    sent = b"" if body is None else json.dumps(body).encode()
    response = simulator.handle(method, URL + path, headers or KEY, sent)
    data = b"".join(item for item in response.body if isinstance(item, bytes))
    return response.status, json.loads(data)


def chat(simulator: Simulator, text: str, **fields: Any) -> Any:
    status, value = call(simulator, "POST", "/chat/completions", {"messages": [SYSTEM, user(text)], **fields})
    assert status == 200
    return value


def items_of(simulator: Simulator, path: str, body: Any) -> list[Any]:
    return list(simulator.handle("POST", URL + path, KEY, json.dumps(body).encode()).body)


def thread_of(simulator: Simulator, text: str) -> str:
    name = call(simulator, "POST", "/threads", {})[1]["id"]
    assert call(simulator, "POST", f"/threads/{name}/messages", user(text))[0] == 200
    return f"/threads/{name}"


def test_the_shape_of_a_chat() -> None:
    value = chat(Simulator(), "say hi", enable_thinking=False)
    assert list(value) == ["id", "object", "created", "model", "choices", "usage"]
    assert value["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "hi"},
            "finish_reason": "stop",
            "reasoning_content": None,
        }
    ]
    assert set(value["usage"]) == {"prompt_tokens", "completion_tokens", "total_tokens"}


def test_what_the_protocol_lacks_has_no_effect() -> None:
    lacks = {"stream": True, "model": 1, "stop": ["a"], "tool_choice": "required", "response_format": {}}
    value = chat(Simulator(), "write 40 words", enable_thinking=False, **lacks)
    assert value["model"] == "pixi"
    assert len(value["choices"][0]["message"]["content"].split()) == 40


def test_texts_come_without_white_space_around_them() -> None:
    assert chat(Simulator(), 'say "  hi\n "')["choices"][0]["message"]["content"] == "hi"


def test_a_reply_is_never_continued() -> None:
    simulator = Simulator()
    whole = chat(simulator, "write 9 words", enable_thinking=False)["choices"][0]["message"]["content"]
    messages = [SYSTEM, user("write 9 words"), assistant(whole[:10])]
    _, value = call(simulator, "POST", "/chat/completions", {"messages": messages, "enable_thinking": False})
    assert value["choices"][0]["message"]["content"] == whole


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"messages": []}, "empty array"),
        ({"messages": [user("hi")]}, "role 'system'"),
        ({"messages": [SYSTEM, {"role": "tool", "content": "x", "tool_call_id": "c"}]}, "role 'tool'"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"enable_thinking": "no"}, "enable_thinking"),
        ({"assistant_id": 7}, "assistant_id"),
        ({"tools": [{"type": "function"}]}, "tools"),
    ],
)
def test_invalid_chats(fields: dict[str, Any], words: str) -> None:
    simulator = Simulator()
    body = {"messages": [SYSTEM, user("hi")], **fields}
    status, value = call(simulator, "POST", "/chat/completions", body)
    assert (status, value["error"]["type"]) == (400, "invalid_request_error")
    assert words in value["error"]["message"]
    assert words in simulator.problems[0]


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/threads", None, "could not parse"),
        ("/threads/th_1/messages", {"role": "system", "content": "x"}, "role"),
        ("/threads/th_1/messages", {"role": "user", "content": " "}, "content"),
        ("/threads/th_1/messages/bulk", {"messages": []}, "messages"),
        ("/threads/th_1/messages/bulk", {"messages": ["x"]}, "role"),
        ("/threads/th_1/runs", {"assistant_id": ""}, "assistant_id"),
        ("/threads/th_1/runs", {"assistant_id": "as_1", "enable_thinking": 1}, "enable_thinking"),
        ("/threads/th_1/runs", {"assistant_id": "as_1", "max_tokens": "x"}, "max_tokens"),
        ("/assistants", {"name": "x"}, "instructions"),
        ("/assistants", {"name": "x", "instructions": "x", "tools_config": []}, "tools_config"),
    ],
)
def test_invalid_requests_to_the_platform(path: str, body: Any, words: str) -> None:
    simulator = Simulator()
    thread_of(simulator, "hi")
    status, value = call(simulator, "POST", path, body)
    assert (status, value["error"]["type"]) == (400, "invalid_request_error")
    assert words in value["error"]["message"]
    assert not simulator.clean()


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1", "\u0663", "9" * 5000])
def test_limits_of_lists(limit: str) -> None:
    simulator = Simulator()
    path = thread_of(simulator, "hi")
    assert call(simulator, "GET", f"{path}/messages?limit={limit}")[0] == 400
    assert call(simulator, "GET", f"{path}/messages?limit=100")[0] == 200


def test_lists_of_messages() -> None:
    simulator = Simulator()
    name = call(simulator, "POST", "/threads", {})[1]["id"]
    assert call(simulator, "GET", f"/threads/{name}/messages")[1] == {"object": "list", "data": [], "has_more": False}
    said = [user(f"say {number}") for number in range(30)]
    made = call(simulator, "POST", f"/threads/{name}/messages/bulk", {"messages": said})[1]["data"]
    listed = call(simulator, "GET", f"/threads/{name}/messages")[1]
    assert listed["data"] == made[:9:-1]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (made[-1]["id"], made[10]["id"], True)
    assert call(simulator, "GET", f"/threads/{name}/messages?limit=30")[1]["has_more"] is False


def test_paths_that_are_not_there() -> None:
    simulator = Simulator()
    path = thread_of(simulator, "hi")
    for method, other in (
        ("GET", "/chat/completions"),
        ("GET", "/models"),
        ("PUT", "/threads"),
        ("PUT", path),
        ("POST", f"{path}/runs/run_1/cancel"),
        ("PUT", "/assistants"),
        ("POST", "/assistants/as_1"),
        ("POST", "/assistants/as_1/threads"),
    ):
        status, value = call(simulator, method, other, {})
        assert (status, set(value["error"])) == (404, {"message", "type"})
    assert simulator.handle("GET", "/pixigpt/v2", KEY, b"").status == 404
    assert simulator.clean()


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer  ", "Basic abc"])
def test_without_a_key(given: str) -> None:
    simulator = Simulator()
    status, value = call(simulator, "GET", "/threads", authorization=given)
    assert (status, value["error"]["type"]) == (401, "authentication_error")
    assert not simulator.clean()
    assert call(simulator, "GET", "/threads", AUTHORIZATION="bearer x")[0] == 200


def test_an_overflow_is_no_mistake_of_the_client() -> None:
    simulator = Simulator(window=64)
    for path, body in (
        ("/chat/completions", {"messages": [SYSTEM, user("word " * 80)]}),
        (f"{thread_of(simulator, 'word ' * 80)}/runs", {"assistant_id": "as_1"}),
    ):
        status, value = call(simulator, "POST", path, body)
        assert (status, value["error"]["type"]) == (400, "invalid_request_error")
        assert "maximum context length is 64" in value["error"]["message"]
    assert simulator.clean()


def test_waiting_and_breaking_off() -> None:
    simulator = Simulator()
    waits = user("wait 2 seconds, stall 3 seconds after 4 words")
    assert items_of(simulator, "/chat/completions", {"messages": [SYSTEM, waits]})[0] == Pause(5.0)
    late = user("stall 3 seconds after 2 words, fail with 500 after 4 words")
    assert items_of(simulator, "/chat/completions", {"messages": [SYSTEM, late]})[0] == Pause(3.0)
    half = items_of(simulator, "/chat/completions", {"messages": [SYSTEM, user("drop after 40 words")]})
    assert isinstance(half[0], bytes)
    assert half[1:] == [Drop()]
    path = thread_of(simulator, "wait 2 seconds, drop the connection")
    assert items_of(simulator, f"{path}/runs", {"assistant_id": "as_1"}) == [Pause(2.0), Drop()]
    assert call(simulator, "GET", f"{path}/runs/run_1")[1]["status"] == "in_progress"
    path = thread_of(simulator, "wait 2 seconds")
    first, second = items_of(simulator, f"{path}/runs", {"assistant_id": "as_1"})
    assert (first, json.loads(second)["status"]) == (Pause(2.0), "queued")


def test_a_run_belongs_to_its_thread() -> None:
    simulator = Simulator()
    path, other = thread_of(simulator, "hi"), thread_of(simulator, "hi")
    name = call(simulator, "POST", f"{path}/runs", {"assistant_id": "as_1"})[1]["id"]
    assert call(simulator, "GET", f"{other}/runs/{name}")[0] == 404
    call(simulator, "DELETE", path)
    assert call(simulator, "GET", f"{path}/runs/{name}")[0] == 404


def test_scripted_runs() -> None:
    simulator = Simulator()
    simulator.script(["run ends as expired after 1 polls", "say three"])
    path = thread_of(simulator, "hi")
    for status in ("expired", "completed"):
        name = call(simulator, "POST", f"{path}/runs", {"assistant_id": "as_1"})[1]["id"]
        seen = [call(simulator, "GET", f"{path}/runs/{name}")[1] for _ in range(2)]
        assert seen[-1]["status"] == status
    assert seen[-1]["message"]["content"][0]["text"] == {"value": "three", "annotations": []}


def test_what_is_kept_has_an_end() -> None:
    simulator = Simulator()
    path = thread_of(simulator, "the first")
    for _ in range(11):
        call(simulator, "POST", f"{path}/messages/bulk", {"messages": [user("x")] * 100})
    listed = call(simulator, "GET", f"{path}/messages?limit=100")[1]
    assert listed["has_more"]
    for _ in range(4096):
        simulator.handle("POST", f"{URL}/threads", KEY, b"{}")
    assert call(simulator, "GET", path)[0] == 404


def test_many_threads_at_once() -> None:
    simulator = Simulator()
    seen: list[str] = []

    def work() -> None:
        for _ in range(20):
            path = thread_of(simulator, "say hi")
            name = call(simulator, "POST", f"{path}/runs", {"assistant_id": "as_1"})[1]["id"]
            runs = [call(simulator, "GET", f"{path}/runs/{name}")[1] for _ in range(2)]
            seen.append(runs[-1]["message"]["content"][0]["text"]["value"])

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert seen == ["hi"] * 80


def test_tools_of_a_request() -> None:
    value = chat(Simulator(), "leak thinking. call weather", tools=[tool_schema("weather")])
    choice = value["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"].endswith("</think>\n\n")
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}


def test_a_thread_that_goes_while_it_is_written_to() -> None:
    platform = Platform()
    assert platform.post("th_1", [("user", "hi")]) is None
    assert platform.begin("th_1", "as_1", Outcome()) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "user", "system", "hi", "as_1"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content"]), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = [
    "messages",
    "assistant_id",
    "role",
    "content",
    "max_tokens",
    "temperature",
    "enable_thinking",
    "tools",
    "name",
]
PATHS = ["/chat/completions", "/threads", "/threads/th_1/messages", "/threads/th_1/messages/bulk", "/threads/th_1/runs"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*PATHS, "/assistants"]), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_any_json_is_answered(path: str, fields: dict[str, Any]) -> None:
    simulator = Simulator()
    thread_of(simulator, "hi")
    status, _ = call(simulator, "POST", path, {"messages": [SYSTEM, user("hi")], **fields})
    assert status in (200, 400)
