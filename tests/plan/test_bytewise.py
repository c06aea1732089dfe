"""What bytes say of a prompt is never less than what any counter says of it."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit._engine.bytewise import BYTES
from agentkit._engine.worded import Worded
from agentkit.counters import ChatMLCounter, HarmonyCounter, PlainCounter, counter_for
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult, assistant, user
from agentkit.tokens import TokenCounter, count, count_prompt
from agentkit.tools import as_text
from tests.counters.conversations import Talk, Tool

COUNTERS: tuple[TokenCounter, ...] = (
    HarmonyCounter(),
    counter_for("vllm", "gpt-oss-20b"),
    counter_for("llamacpp", "gpt-oss-20b"),
    ChatMLCounter(),
    counter_for("vllm", "qwen2.5-7b"),
    PlainCounter(),
)

words = st.text(max_size=40) | st.sampled_from(
    ["<|start|>", '"\\"\n\t', "<tool_call>", "🏽", "　", "ಠ" * 30, "\x01" * 9]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
fields = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "number", "integer", "boolean", "null"])},
        optional={"description": words, "default": values, "enum": st.lists(words, max_size=3)},
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(words, inner, max_size=3)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3)}),
    ),
    max_leaves=8,
)
shapes = st.builds(
    Tool,
    name=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    description=words,
    parameters=st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(words, fields | values, max_size=4)},
        optional={"required": st.lists(words, max_size=3), "$defs": st.dictionaries(words, fields, max_size=2)},
    ),
)
ids = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)
names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
called = st.builds(ToolCall, ids, names, st.dictionaries(words, values, max_size=3))
parts = st.one_of(
    st.builds(Text, words),
    st.builds(Reasoning, words),
    called,
    st.builds(ToolResult, ids, words, is_error=st.booleans()),
)
said = st.builds(
    Message, st.sampled_from(["user", "assistant", "tool", "system"]), st.lists(parts, max_size=4).map(tuple)
)


def most(tools: list[Tool]) -> int:
    return count(BYTES, BYTES.base + BYTES.tools(tools)).upper


@pytest.mark.parametrize("counter", COUNTERS, ids=str)
@settings(max_examples=60, deadline=None)
@given(st.lists(shapes, max_size=4))
def test_definitions_of_tools(counter: TokenCounter, tools: list[Tool]) -> None:
    assert counter.base + counter.tools(tools, system=True) <= most(tools)
    assert counter.base + counter.tools(tools) <= most(tools)


@pytest.mark.parametrize("counter", COUNTERS, ids=str)
def test_definitions_as_they_are_usual(counter: TokenCounter) -> None:
    for seed in range(60):
        tools = Talk(seed).tools(12)
        assert counter.base + counter.tools(tools) <= most(tools)


@pytest.mark.parametrize("counter", COUNTERS, ids=str)
@settings(max_examples=100, deadline=None)
@given(said, st.booleans())
def test_messages(counter: TokenCounter, message: Message, live: bool) -> None:
    bound = count(BYTES, BYTES.message(message)).upper
    assert counter.message(message, live=live) <= bound
    assert Worded(counter, "look_it_up").message(message) <= bound


def test_a_schema_that_is_no_json_has_bytes_too() -> None:
    odd = Tool("odd", "", {"type": "object", "default": {1, 2}})
    assert BYTES.tools([odd]) > BYTES.tools([evolve(odd, parameters={})])


class TestInWords:
    """Where a backend has no tools, calls and results are counted as the texts that they become."""

    within = counter_for("vllm", "qwen2.5-7b")
    counter = Worded(within, "look")
    call = assistant("One moment.", ToolCall("c1", "look", {"for": "rain"}))
    result = Message("tool", (ToolResult("c1", "It rains."),))

    def test_what_goes_out_is_counted(self) -> None:
        messages = [user("Does it rain?"), self.call, self.result]
        counted = count_prompt(self.counter, messages)
        assert counted.value == count_prompt(self.within, as_text(messages)).value
        assert counted.kind == "proxy", "the name in a result is a guess"
        assert self.counter.margin == 0.02
        assert self.counter.tools([Tool("look", "", {})]) == 0
        assert self.counter.text("It rains.") == self.within.text("It rains.")

    def test_what_is_weak_stays_so(self) -> None:
        weak = Worded(PlainCounter(), "look")
        assert (weak.kind, weak.margin) == (PlainCounter().kind, PlainCounter().margin)
