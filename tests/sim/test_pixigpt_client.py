"""The real `pixigpt` client against the server, unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pixigpt
import pytest
import requests
from pixigpt.types import Message, ThreadMessage
from sim_client import tool_schema

from agentkit.sim import SimServer, Simulator

TOOL = tool_schema("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
SYSTEM = Message(role="system", content="You are helpful")


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(Simulator()) as running:
        yield running


@pytest.fixture
def client(server: SimServer) -> Iterator[pixigpt.Client]:
    server.simulator.reset()
    with pixigpt.Client("sk-proj-none", server.describe()["pixigpt"], max_retries=0) as made:
        yield made


def chat(client: pixigpt.Client, *messages: str | Message, **fields: Any) -> Any:
    said = [Message(role="user", content=each) if isinstance(each, str) else each for each in messages]
    return client.create_chat_completion(pixigpt.ChatCompletionRequest(messages=[SYSTEM, *said], **fields))


def thread_with(client: pixigpt.Client, *texts: str) -> str:
    thread = client.create_thread()
    for text in texts:
        client.create_message(thread.id, "user", text)
    return thread.id


def run(client: pixigpt.Client, thread_id: str, assistant_id: str = "as_1", **fields: Any) -> Any:
    begun = client.create_run(thread_id, assistant_id, **fields)
    return client.wait_for_run(thread_id, begun.id, poll_interval=0)


def text_of(message: ThreadMessage | None) -> str:
    assert message is not None
    return str(message.content[0].text["value"])


def test_a_chat_thinks_unless_it_is_told_not_to(client: pixigpt.Client) -> None:
    answer = chat(client, "say hello there")
    choice = answer.choices[0]
    assert choice.message.content == "hello there"
    assert len(choice.reasoning_content.split()) == 24
    assert choice.finish_reason == "stop"
    assert answer.usage.completion_tokens == 26
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 26
    quiet = chat(client, "think 50 words. say hello there", enable_thinking=False).choices[0]
    assert quiet.message.content == "hello there"
    assert quiet.reasoning_content is None
    said = chat(client, "think 50 words. write 3 words", enable_thinking=True).choices[0]
    assert len(said.reasoning_content.split()) == 50


def test_the_limit_is_raised_while_it_thinks(client: pixigpt.Client) -> None:
    bumped = chat(client, "write 4000 words", max_tokens=100)
    assert bumped.usage.completion_tokens == 3000
    assert bumped.choices[0].finish_reason == "length"
    cut = chat(client, "write 200 words", max_tokens=100, enable_thinking=False)
    assert cut.usage.completion_tokens == len(cut.choices[0].message.content.split()) == 100
    more = chat(client, "write 4000 words", max_tokens=3500)
    assert more.usage.completion_tokens == 3500
    ordered = chat(client, "stop at 30 tokens. write 200 words")
    assert (ordered.usage.completion_tokens, ordered.choices[0].finish_reason) == (30, "length")


def test_a_round_of_tools(client: pixigpt.Client, server: SimServer) -> None:
    first = chat(client, "call weather", tools=[TOOL]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert first.message.content is None
    (call,) = first.message.tool_calls
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert set(json.loads(call.function.arguments)) == {"city"}
    result = Message(role="tool", content="18 degrees", tool_call_id=call.id)
    second = chat(client, "call weather", first.message, result, tools=[TOOL]).choices[0]
    assert second.finish_reason == "stop"
    assert "18 degrees" in second.message.content
    assert server.simulator.clean()


def test_an_assistant_brings_its_instructions(client: pixigpt.Client) -> None:
    made = client.create_assistant("Ada", "Be brief. " * 20)
    request = pixigpt.ChatCompletionRequest(messages=[Message(role="user", content="say hi")], assistant_id=made.id)
    answer = client.create_chat_completion(request)
    assert answer.choices[0].message.content == "hi"
    assert answer.usage.prompt_tokens > 40
    request.assistant_id = "as_77"
    with pytest.raises(pixigpt.APIError, match="as_77") as caught:
        client.create_chat_completion(request)
    assert (caught.value.status_code, caught.value.type) == (400, "invalid_request_error")


def test_no_system_message_and_no_assistant(client: pixigpt.Client, server: SimServer) -> None:
    request = pixigpt.ChatCompletionRequest(messages=[Message(role="user", content="hi")])
    with pytest.raises(pixigpt.APIError, match="role 'system'"):
        client.create_chat_completion(request)
    assert not server.simulator.clean()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_errors(client: pixigpt.Client, server: SimServer, status: int, kind: str) -> None:
    # Without its adapter, which takes the body of an error away.
    with requests.Session() as plain:
        plain.headers["authorization"] = "Bearer x"
        bare = pixigpt.Client("x", server.describe()["pixigpt"], session=plain)
        with pytest.raises(pixigpt.APIError, match="told to fail") as caught:
            chat(bare, f"fail with {status}")
        assert (caught.value.status_code, caught.value.type) == (status, kind)
        assert pixigpt.is_auth_error(caught.value) == (status == 401)
        assert pixigpt.is_rate_limit_error(caught.value) == (status == 429)
        assert chat(bare, f"fail with {status}").choices[0].message.content


def test_without_a_key(server: SimServer) -> None:
    server.simulator.reset()
    with requests.Session() as own:
        client = pixigpt.Client("never sent", server.describe()["pixigpt"], session=own)
        with pytest.raises(pixigpt.APIError) as caught:
            client.list_threads()
    assert pixigpt.is_auth_error(caught.value)
    assert caught.value.status_code == 401
    assert not server.simulator.clean()


def test_it_tries_again_on_its_own(server: SimServer) -> None:
    server.simulator.reset()
    with pixigpt.Client("k", server.describe()["pixigpt"]) as client:
        assert chat(client, "fail with 503 twice. say ok").choices[0].message.content == "ok"
        assert server.simulator.received == 3
        assert chat(client, "fail with 429 retry after 0. say ok").choices[0].message.content == "ok"
        assert chat(client, "drop the connection. say ok").choices[0].message.content == "ok"


def test_a_broken_connection_and_a_timeout(client: pixigpt.Client, server: SimServer) -> None:
    for order in ("drop the connection", "drop after 30 words"):
        with pytest.raises(pixigpt.APIError) as caught:
            chat(client, order)
        assert caught.value.type == "request_error"
    with (
        pixigpt.Client("k", server.describe()["pixigpt"], timeout=0.1, max_retries=0) as hasty,  # type: ignore[arg-type]
        pytest.raises(pixigpt.APIError, match="timed out"),
    ):
        chat(hasty, "wait 30 seconds")
    with pytest.raises(pixigpt.APIError, match="told to fail"):
        chat(client, "fail with 400 after 3 words")


def test_assistants(client: pixigpt.Client) -> None:
    builtin = client.list_assistants()
    assert [(each.id, each.tools_config) for each in builtin] == [("as_1", None)]
    made = client.create_assistant("Ada", "Be brief", tools_config="[]")
    assert client.get_assistant(made.id) == made
    assert (made.name, made.instructions, made.tools_config) == ("Ada", "Be brief", "[]")
    changed = client.update_assistant(made.id, "Eve", "Be long")
    assert (changed.id, changed.name, changed.created_at) == (made.id, "Eve", made.created_at)
    assert client.list_assistants() == [*builtin, changed]
    client.delete_assistant(made.id)
    for call in (client.get_assistant, client.delete_assistant, client.list_assistant_threads):
        with pytest.raises(pixigpt.APIError) as caught:
            call(made.id)
        assert caught.value.status_code == 404


def test_a_thread_remembers(client: pixigpt.Client, server: SimServer) -> None:
    thread_id = thread_with(client, "My name is Ada")
    first = run(client, thread_id)
    assert (first.status, first.thread_id, first.assistant_id) == ("completed", thread_id, "as_1")
    assert len(first.message.reasoning_content.split()) == 24
    client.create_message(thread_id, "user", "What is my name?")
    second = run(client, thread_id, enable_thinking=False)
    assert "Ada" in text_of(second.message)
    assert second.message.reasoning_content is None
    listed = client.list_messages(thread_id)
    assert [message.role for message in listed] == ["assistant", "user", "assistant", "user"]
    assert text_of(listed[0]) == text_of(second.message)
    assert [text_of(message) for message in client.list_messages(thread_id, limit=1)] == [text_of(listed[0])]
    assert server.simulator.clean()


def test_threads(client: pixigpt.Client) -> None:
    assert client.list_threads() == []
    first, second = client.create_thread(), client.create_thread()
    assert first.metadata == {}
    assert client.get_thread(first.id) == first
    assert client.list_threads() == [second, first]
    bulk = [
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "say 3"},
    ]
    made = client.create_messages_bulk(first.id, bulk)
    assert [(message.role, text_of(message)) for message in made] == [
        ("user", "1"),
        ("assistant", "2"),
        ("user", "say 3"),
    ]
    assert text_of(run(client, first.id).message) == "3"
    assert client.list_assistant_threads("as_1") == [first]
    client.delete_thread(first.id)
    assert client.list_threads() == [second]
    for call in (client.get_thread, client.delete_thread, client.list_messages):
        with pytest.raises(pixigpt.APIError) as caught:
            call(first.id)
        assert caught.value.status_code == 404


def test_a_run_takes_its_time(client: pixigpt.Client) -> None:
    thread_id = thread_with(client, "after 4 polls say done")
    begun = client.create_run(thread_id, "as_1", temperature=0.7, max_tokens=100)
    assert (begun.status, begun.message) == ("queued", None)
    seen = [client.get_run(thread_id, begun.id) for _ in range(6)]
    assert [each.status for each in seen] == ["in_progress"] * 3 + ["completed"] * 3
    assert len({each.message.id for each in seen[3:]}) == 1
    assert len(client.list_messages(thread_id)) == 2


def test_runs_that_end_otherwise(client: pixigpt.Client) -> None:
    for order, words in (
        ("run ends as cancelled. write 5 words", "cancelled"),
        ("run ends as failed. write 5 words", "failed"),
        ("fail with 500 after 3 words. write 5 words", "failed"),
    ):
        thread_id = thread_with(client, order)
        with pytest.raises(RuntimeError, match=words):
            run(client, thread_id)
        assert len(client.list_messages(thread_id)) == 1
    assert run(client, thread_id).status == "completed"
    for order, status in (("run ends as requires_action", "requires_action"), ("never complete", "in_progress")):
        thread_id = thread_with(client, order)
        begun = client.create_run(thread_id, "as_1")
        assert [client.get_run(thread_id, begun.id).status for _ in range(3)] == ["in_progress", status, status]


def test_what_the_tools_of_the_service_made(client: pixigpt.Client) -> None:
    order = "attach sources, media and code. write 9 words"
    message = run(client, thread_with(client, order)).message
    assert message.sources[0].tool_name == "WebSearch"
    assert message.media[0].type == "image"
    assert message.code[0].stdout == "42\n"
    own = client.create_assistant("Ada", "Be brief", tools_config="[]")
    plain = run(client, thread_with(client, order), own.id).message
    assert (plain.sources, plain.media, plain.code) == (None, None, None)


def test_runs_that_cannot_begin(client: pixigpt.Client) -> None:
    thread_id = thread_with(client, "fail with 429 retry after 2. say ok")
    with pytest.raises(pixigpt.APIError) as caught:
        client.create_run(thread_id, "as_1")
    assert pixigpt.is_rate_limit_error(caught.value)
    assert text_of(run(client, thread_id).message) == "ok"
    with pytest.raises(pixigpt.APIError, match="as_9"):
        client.create_run(thread_id, "as_9")
    with pytest.raises(pixigpt.APIError, match="no messages"):
        client.create_run(client.create_thread().id, "as_1")
    with pytest.raises(pixigpt.APIError, match="run_9"):
        client.get_run(thread_id, "run_9")


def test_a_run_that_began_unseen(client: pixigpt.Client, server: SimServer) -> None:
    """The answer is lost and the run is there: who sends it again has two."""
    thread_id = thread_with(client, "drop the connection. say ok")
    with pixigpt.Client("k", server.describe()["pixigpt"]) as stubborn:
        begun = stubborn.create_run(thread_id, "as_1")
    assert begun.id == "run_2"
    assert text_of(client.wait_for_run(thread_id, "run_1", poll_interval=0).message) == "ok"


def test_leaked_thinking(client: pixigpt.Client) -> None:
    leaked = chat(client, "leak thinking. think 5 words. write 3 words").choices[0]
    assert leaked.reasoning_content is None
    assert leaked.message.content.startswith("<think>\n")
    cut = chat(client, "leak thinking. think 50 words. stop at 5 tokens").choices[0]
    assert "</think>" not in cut.message.content
    message = run(client, thread_with(client, "leak thinking. write 3 words")).message
    assert "</think>" in text_of(message)


def test_reset_forgets_it_all(client: pixigpt.Client, server: SimServer) -> None:
    thread_id = thread_with(client, "hi")
    client.create_assistant("Ada", "Be brief")
    server.simulator.reset()
    assert client.list_threads() == []
    assert len(client.list_assistants()) == 1
    assert thread_with(client) == thread_id
