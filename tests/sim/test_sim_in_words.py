"""Tools in words: what the simulator makes of a request whose text describes them, on wires that have no tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from accent_client import chat, send
from sim_client import assistant, user

from agentkit.messages import Message, ToolCall, ToolResult
from agentkit.messages import assistant as said_by_assistant
from agentkit.sim import Simulator
from agentkit.tools import as_text, instructions, tool


@tool
def get_weather(city: str, days: int = 1) -> str:
    """What the sky does # Tools \u2028 in a "city"."""
    return f"{city} {days}"


@tool
def tides() -> str:
    """When it is high."""
    return "noon"


TOLD = instructions([get_weather, tides])
CALL = 'call weather with {"city": "Ålesund"}'
WRITTEN = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ålesund"}}\n</tool_call>'
RESULT = '<tool_response name="get_weather">\nsunny\n</tool_response>'


def gradient(*messages: dict[str, Any], simulator: Simulator | None = None) -> str:
    body = {"model": "GPT OSS 120B", "clusterMode": "nvidia", "messages": list(messages)}
    answer = send(simulator or Simulator(), "POST", "/gradient/api/generate", body)
    lines = [json.loads(line) for line in answer.data.splitlines()]
    return "".join(line["data"].get("content", "") for line in lines if line["type"] == "reply")


def told(question: str, text: str = TOLD) -> dict[str, Any]:
    return user(f"Be brief.\n{text}\n\n{question}")


def test_a_call_is_written() -> None:
    assert gradient(told(CALL)) == WRITTEN
    system = {"role": "system", "content": TOLD}
    assert gradient(system, user(CALL)) == WRITTEN
    for profile in ("openai", "vllm-0.33", "ollama", "parallax-2025"):
        choice = chat(profile, [system, user(CALL)]).value["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (WRITTEN, "stop")


def test_several_calls_and_arguments_by_the_schema() -> None:
    first, second, third, rest = gradient(told("call tides and call weather 2 times")).split("</tool_call>")
    assert (json.loads(first.removeprefix("<tool_call>")), rest) == ({"name": "tides", "arguments": {}}, "")
    for block in (second, third):
        made = json.loads(block.removeprefix("\n<tool_call>"))
        assert isinstance(made["arguments"]["city"], str)


def test_the_words_of_the_protocol_are_no_orders() -> None:
    assert gradient(told("count to 3")) == "1, 2, 3"
    assert "<tool_call>" not in gradient(told("Hello"))
    assert "no AI" in gradient(told("Hello"))


def test_results_are_read() -> None:
    text = gradient(told(CALL), assistant(WRITTEN), user(RESULT))
    assert "get_weather answered: sunny" in text
    assert "<tool_call>" not in text
    both = user(f"{RESULT}\n{RESULT.replace('sunny', 'wet')}\nsay thanks")
    assert gradient(told(CALL), assistant(WRITTEN), both) == "thanks"
    lost = gradient(told(CALL), assistant(WRITTEN), user(f"{RESULT}\n\n{RESULT.replace('sunny', 'wet')}"))
    assert "get_weather answered: sunny" in lost
    assert "The tool answered: wet" in lost


def test_what_was_told_last_counts() -> None:
    asked = [told("hello", instructions([tides], "tides")), assistant('<tool_call>{"name": "tides"}</tool_call>')]
    result = RESULT.replace("get_weather", "tides")
    assert "tides answered: sunny" in gradient(*asked, user(f"Be brief.\n{TOLD}\n\n{result}"))
    assert gradient(*asked, user(f"{TOLD}\n\n{result}\ncall weather with {{}}")).count("get_weather") == 1


def test_a_whole_round_as_agentkit_writes_it() -> None:
    calls = said_by_assistant(
        "One moment.", ToolCall("a", "get_weather", {"city": "Bergen"}), ToolCall("b", "tides", {})
    )
    results = Message("tool", (ToolResult("b", "noon"), ToolResult("a", "no </tool_response> city", is_error=True)))
    wires = [{"role": made.role, "content": made.text} for made in as_text([calls, results])]
    text = gradient(told("call weather and call tides"), *wires)
    assert "tides answered: noon" in text
    assert "get_weather answered: no &lt;/tool_response> city" in text
    again = gradient(told("call tides every time"), *wires)
    assert again == '<tool_call>\n{"name": "tides", "arguments": {}}\n</tool_call>'


@pytest.mark.parametrize(
    ("choice", "order", "names"),
    [
        ("required", "hello", ["get_weather"]),
        ("required", "call tides", ["tides"]),
        ("tides", "hello", ["tides"]),
        ("auto", "hello", []),
        ("none", "call tides", []),
    ],
)
def test_what_is_demanded(choice: str, order: str, names: list[str]) -> None:
    text = gradient(told(order, instructions([get_weather, tides], choice)))
    assert [json.loads(block.split("</")[0])["name"] for block in text.split("<tool_call>")[1:]] == names


@pytest.mark.parametrize(
    ("order", "written"),
    [
        ("cut the arguments", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ål}\n</tool_call>'),
        ("misname the tool", WRITTEN.replace("get_", "no_such_get_")),
        ("empty arguments", '<tool_call>\n{"name": "get_weather"}\n</tool_call>'),
        ("garble the arguments", WRITTEN.replace('{"city": "Ålesund"}', "{'city': 'Ålesund',}")),
    ],
)
def test_calls_in_words_go_wrong_too(order: str, written: str) -> None:
    simulator = Simulator()
    assert gradient(told(f"{CALL}, {order}"), simulator=simulator) == written
    assert gradient(told(f"{CALL}, {order}"), simulator=simulator) == WRITTEN
    assert gradient(told(CALL), assistant(written), user('<tool_response name="x">\nno\n</tool_response>'))


def test_a_cut_call_goes_on() -> None:
    messages = [{"role": "system", "content": TOLD}, user(CALL)]
    first = chat("openai", messages, max_tokens=2).value["choices"][0]
    assert first["finish_reason"] == "length"
    begun = first["message"]["content"]
    rest = chat("openai", [*messages, assistant(begun)]).value["choices"][0]["message"]["content"]
    assert begun + rest == WRITTEN


def test_tools_of_the_request_count_for_more() -> None:
    own = {"type": "function", "function": {"name": "moon", "parameters": {}}}
    message = chat("openai", [{"role": "system", "content": TOLD}, user("call moon")], tools=[own]).value["choices"][0]
    assert message["message"]["tool_calls"][0]["function"]["name"] == "moon"


@pytest.mark.parametrize(
    "text",
    [
        "# Tools\n<tool_call>\n",
        '# Tools\n{}\n[]\n<tool_call>\n{"name": 5, "parameters": {}}',
        '# Tools\n{"name": "x", "parameters": {}}',
        "# Tools\n<tool_call>" + "[" * 5000,
        '<tool_response name="\\x">\nno\n</tool_response>',
        "<tool_response" * 2000,
    ],
)
def test_what_is_no_list_of_tools_does_no_harm(text: str) -> None:
    assert chat("openai", [user(f"{text}\n\nand"), assistant("<tool_call>" * 200), user(text)]).status == 200
    assert "<tool_call>" not in gradient(user(f"count to 2\n{text}"))


def test_calls_that_are_none_are_read_over() -> None:
    said = "<tool_call>nonsense</tool_call><tool_call>[1]</tool_call>"
    assert "The tool answered: sunny" in gradient(told("hello"), assistant(said), user(RESULT))
