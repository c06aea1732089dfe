"""Harmony against OpenAI's own library, and against the template of the model."""

from __future__ import annotations

import json
from pathlib import Path

import openai_harmony as oh
import pytest
from conversations import Talk

from agentkit.codec import from_openai
from agentkit.counters import HarmonyCounter
from agentkit.counters._harmony import ANY, OBJECTS, REFERENCE, TEXTS
from agentkit.counters._packed import as_tiktoken, read
from agentkit.messages import Media, Message, Reasoning, Text, ToolResult, Unknown, assistant, system, user
from agentkit.tokens import cost, count_prompt, live_from

DATA = Path(__file__).parent / "data"
COUNTER = HarmonyCounter((REFERENCE,))


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """The library wants the published file, which can be made from the packed one: it checks its hash."""
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "o200k_base.tiktoken").write_bytes(as_tiktoken(read("o200k")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(folder))
        yield oh.load_harmony_encoding(oh.HarmonyEncodingName.HARMONY_GPT_OSS)


def oracle_count(oracle, said, tools):
    made = oracle_messages(said, tools)
    config = oh.RenderConversationConfig(auto_drop_analysis=False)
    conversation = oh.Conversation.from_messages(made)
    return len(oracle.render_conversation_for_completion(conversation, oh.Role.ASSISTANT, config=config))


def oracle_messages(said, tools):
    content = oh.SystemContent.new().with_conversation_start_date("2031-07-19")
    made = [oh.Message.from_role_and_content(oh.Role.SYSTEM, content)]
    developer = oh.DeveloperContent.new()
    told = [message.text for message in said if message.role == "system"]
    if told:
        developer = developer.with_instructions(told[0])
    if tools:
        listed = [oh.ToolDescription.new(tool.name, tool.description, dict(tool.parameters)) for tool in tools]
        developer = developer.with_function_tools(listed)
    if told or tools:
        made.append(oh.Message.from_role_and_content(oh.Role.DEVELOPER, developer))
    names = {call.id: call.name for message in said for call in message.tool_calls}
    for place, message in enumerate(said):
        made += oracle_message(message, names, live=place >= live_from(said))
    return made


def oracle_message(message, names, *, live):
    match message.role:
        case "user":
            yield oh.Message.from_role_and_content(oh.Role.USER, message.text)
        case "assistant":
            if live and message.reasoning:
                yield spoken(message.reasoning, "analysis")
            if message.text:
                yield spoken(message.text, "commentary" if message.tool_calls else "final")
            for call in message.tool_calls:
                made = spoken(call.arguments_json, "commentary").with_recipient(f"functions.{call.name}")
                yield made.with_content_type("json")
        case "tool":
            for part in message.parts:
                author = oh.Author.new(oh.Role.TOOL, f"functions.{names[part.call_id]}")
                made = oh.Message.from_author_and_content(author, part.content)
                yield made.with_channel("commentary").with_recipient("assistant")
        case _:
            pass


def spoken(text, channel):
    return oh.Message.from_role_and_content(oh.Role.ASSISTANT, text).with_channel(channel)


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_the_reference(oracle, seed):
    """100 conversations a seed. What comes before the tools may merge with the end of the instructions: one at most."""
    talk, over = Talk(seed), 0
    for _ in range(100):
        tools = talk.tools()
        said = talk.conversation(tools)
        excess = count_prompt(COUNTER, said, tools=tools).value - oracle_count(oracle, said, tools)
        assert 0 <= excess <= (1 if said[0].role == "system" else 0), (said, tools)
        over += excess
    assert over < 60


def test_the_date_and_the_effort_do_not_matter(oracle):
    for date in ("2026-01-01", "1999-12-31", "2040-10-10"):
        for effort in oh.ReasoningEffort:
            content = oh.SystemContent.new().with_conversation_start_date(date).with_reasoning_effort(effort)
            said = oh.Conversation.from_messages([oh.Message.from_role_and_content(oh.Role.SYSTEM, content)])
            assert len(oracle.render_conversation_for_completion(said, oh.Role.ASSISTANT)) == COUNTER.base


@pytest.mark.parametrize(("way", "name"), [(OBJECTS, "objects"), (TEXTS, "texts")])
def test_counts_are_never_below_those_of_the_template(way, name):
    """Conversations that the template of the model rendered; the tools are written in a slightly shorter way there."""
    excesses = []
    for case in json.loads((DATA / "harmony_template.json").read_text(encoding="utf-8")):
        said = from_openai(case["messages"])
        counted = count_prompt(HarmonyCounter((way,)), said, tools=shapes(case["tools"]))
        assert counted.kind == "exact"
        excesses.append((counted.value - case[name]) / case[name])
        if not case["tools"]:
            assert counted.value - case[name] <= 0
        assert count_prompt(HarmonyCounter(), said, tools=shapes(case["tools"])).value >= counted.value
    assert min(excesses) >= 0
    assert sum(excesses) / len(excesses) < 0.05


def shapes(tools):
    from conversations import Tool

    return [Tool(**tool["function"]) for tool in tools]


def test_a_message_costs_its_dearest_way():
    result = Message("tool", (ToolResult("1", '{"a": "b"}'),))
    assert cost(HarmonyCounter(), result) == cost(HarmonyCounter((OBJECTS,)), result) > cost(COUNTER, result)
    assert HarmonyCounter().ways == ANY


def test_results_in_a_message_of_the_user_have_a_frame_of_their_own():
    both = Message("user", (ToolResult("1", "sunny"), Text("And now?")))
    assert COUNTER.message(both) == COUNTER.message(Message("tool", both.parts[:1])) + COUNTER.message(user("And now?"))
    assert COUNTER.message(Message("user", both.parts[:1])) == COUNTER.message(Message("tool", both.parts[:1]))


def test_thinking_counts_while_the_turn_runs():
    said = assistant(Reasoning("Let me see."), "Yes.")
    assert COUNTER.message(said, live=True) == COUNTER.message(said) + 6 + COUNTER.text("Let me see.")
    assert cost(COUNTER, said, live=True) == COUNTER.message(said, live=True)
    assert cost(COUNTER, said) == COUNTER.message(said)


def test_what_is_said_beside_a_call_goes_with_the_thinking_in_the_template():
    said = assistant("I look it up.", Talk(1).call(Talk(1).tools(1) or shapes([TOOL])))
    template = HarmonyCounter((OBJECTS,))
    assert template.message(said, live=True) - template.message(said) == 7 + template.text("I look it up.")
    assert COUNTER.message(said, live=True) == COUNTER.message(said)


TOOL = {"function": {"name": "look", "description": "", "parameters": {}}}


def test_nothing_costs_nothing():
    assert COUNTER.tools(()) == 0
    assert COUNTER.message(assistant(Reasoning("cut"))) == 0
    assert COUNTER.text("") == 0


def test_images_are_guessed_and_the_count_says_so():
    seen = user("What is it?", Media("image/png", data=b"x"), Unknown({"type": "video", "url": "v"}))
    counted = count_prompt(COUNTER, [system("Be brief."), seen])
    assert counted.kind == "estimate"
    assert counted.margin > 0
    assert counted.value > 1_300
    assert COUNTER.message(user(Unknown({"a": object()}))) > 4


def test_arguments_that_are_no_json_are_counted_all_the_same():
    from agentkit.messages import ToolCall

    circle: dict = {}
    circle["circle"] = circle
    for arguments in (circle, {"a": {1, 2}}, {"a": object()}):
        assert COUNTER.message(assistant(ToolCall("1", "f", arguments))) > 8
    assert COUNTER.message(assistant(ToolCall.parse("1", "f", '{"cut": '))) > 8
