"""Calls in the text of a model are found wherever the pieces are cut, and text about tools stays text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import Message, Text, ToolCall, ToolResult, assistant, system, user
from agentkit.provider import CallDelta, Chunk, Details, Finish
from agentkit.tools import PromptedCalls, as_text, instructions, prepare, tool
from agentkit.tools._call_reader import INVENTED, CallReader
from agentkit.tools._prompted import call_json
from agentkit.tools._written_calls import NAMELESS, JsonEnd
from agentkit.usage import FinishReason

NAMES = ("weather", "look_up")
Made = tuple[str, list[tuple[str, str]], int]


def made(pieces: Iterable[Chunk]) -> Made:
    text, calls, notices = "", [], 0
    for piece in pieces:
        match piece:
            case TextDelta():
                assert piece.text
                text += piece.text
            case CallDelta():
                assert (piece.index, piece.id) == (len(calls), f"call_{len(calls)}")
                calls.append((piece.name, piece.arguments))
            case _:
                notices += 1
    return text, calls, notices


def read(pieces: Iterable[str], names: Sequence[str] = NAMES) -> Made:
    reader = CallReader(names)
    found = [piece for text in pieces for piece in reader.feed(text)]
    return made([*found, *reader.close()])


def every_cut(text: str) -> Made:
    whole = read([text])
    assert read(text) == whole, "character by character"
    for place in range(len(text) + 1):
        assert read([text[:place], text[place:]]) == whole, (text[:place], text[place:])
    return whole


WEATHER = '{"name": "weather", "arguments": {"city": "Oslo"}}'
CALL = f"<tool_call>\n{WEATHER}\n</tool_call>"
OSLO = ("weather", '{"city": "Oslo"}')


@pytest.mark.parametrize(
    ("text", "said", "calls"),
    [
        (CALL, "", [OSLO]),
        (f"Let me look.\n\n{CALL}\n", "Let me look.", [OSLO]),
        (f"{CALL}\n{CALL}", "", [OSLO, OSLO]),
        (f"A\n{CALL}{CALL}\n\nB\n{CALL} ", "A\n\nB", [OSLO, OSLO, OSLO]),
        (f"{CALL}\n\nB", "B", [OSLO]),
        (f"```json\n{CALL}\n```", "", [OSLO]),
        (f"So:\n```\n\n{CALL}\n```\nDone", "So:\n\nDone", [OSLO]),
        (f"<tool_call>\n```json\n{WEATHER}\n```\n</tool_call>", "", [OSLO]),
        (f"`{CALL}`", "", [OSLO]),
        (f'"{CALL}"', "", [OSLO]),
        (f"**{CALL}**", "", [OSLO]),
        (f"> {CALL}", "", [OSLO]),
        (f"  <tool_call>{WEATHER}</tool_call>", "", [OSLO]),
        (f"<tool_call>{WEATHER}", "", [OSLO]),
        (f"<tool_call>{WEATHER}\n\nNow I wait.", "Now I wait.", [OSLO]),
        (f"<tool_call>{WEATHER}\n{WEATHER}</tool_call>", "", [OSLO, OSLO]),
        (f"<tool_call>[{WEATHER}, {WEATHER}]</tool_call>", "", [OSLO, OSLO]),
        ('<tool_call>{"tool": "weather", "args": "{}"}</tool_call>', "", [("weather", "{}")]),
        ('<tool_call>{"function": "weather", "input": {}}</tool_call>', "", [("weather", "{}")]),
        ('<tool_call>{"function": {"name": "weather", "parameters": {}}}</tool_call>', "", [("weather", "{}")]),
        ('<tool_call>{"name": "weather"}</tool_call>', "", [("weather", "{}")]),
        ('<tool_call>{"name": "none_such", "arguments": {}}</tool_call>', "", [("none_such", "{}")]),
        (
            '<tool_call>{"name": "weather", "arguments": {"city": "a </tool_call> \\" {"}}</tool_call>',
            "",
            [("weather", '{"city": "a </tool_call> \\" {"}')],
        ),
        ('<tool_call>{"name": "weather", "arguments": {"a": "x\ny"}}</tool_call>', "", [("weather", '{"a": "x\\ny"}')]),
    ],
)
def test_calls_are_found(text: str, said: str, calls: list[tuple[str, str]]) -> None:
    assert every_cut(text) == (said, calls, 0)


@pytest.mark.parametrize(
    ("text", "said", "name"),
    [
        ('<tool_call>{"name": "weather", "arguments": {"city": "Par', "", "weather"),
        ('<tool_call>{"name": "weather", "arguments": {"city": "Par</tool_call>\nSorry', "Sorry", "weather"),
        ('<tool_call>{"name": "weather", "arguments": {"city": "Par"}</tool_call>\nSorry', "Sorry", "weather"),
        ('A\n<tool_call>{"name": "weather", "arguments": {"city": Paris}}</tool_call>', "A", "weather"),
        ('<tool_call>{"name": "weather", "arguments": {"n": NaN}}</tool_call>', "", "weather"),
        ('<tool_call>{"name": "weather", "arguments": {"a": 1, }}</tool_call>', "", "weather"),
        ('<tool_call>{"name": "weather", <b>}</tool_call>', "", "weather"),
        ("<tool_call>{'name': 'weather'}</tool_call>", "", NAMELESS),
        ('<tool_call>[{"name": "weather"}, 5]</tool_call>', "", "weather"),
        ("<tool_call>[]</tool_call>", "", NAMELESS),
        ("<tool_call>[[]]</tool_call>", "", NAMELESS),
        ('<tool_call>weather(city="Oslo")</tool_call> ', "", "weather"),
        ('<tool_call>\nweather\n{"city": "Oslo"}\n</tool_call>', "", "weather"),
        ("<tool_call>weather\n", "", "weather"),
        ("<tool_call>weather", "", NAMELESS),
        ("<tool_call>", "", NAMELESS),
        ("A\n<tool_call>\n``", "A", NAMELESS),
        ('```\n<tool_call>{"name": "weather", "argum', "", "weather"),
        ('<tool_call>{"name": "weather", "arguments": 5}</tool_call>', "", "weather"),
        ('<tool_call>{"name": "weather", "arguments": "Oslo"}</tool_call>', "", "weather"),
    ],
)
def test_malformed_calls_are_never_run_and_can_be_mended(text: str, said: str, name: str) -> None:
    found, calls, _ = every_cut(text)
    assert (found, [each for each, _ in calls]) == (said, [name])
    call = ToolCall.parse("call_0", *calls[0])
    assert call.broken
    result = prepare(TOOLS, call)
    assert isinstance(result, ToolResult)
    assert result.is_error


def test_a_call_without_a_name_is_told_the_names() -> None:
    _, [(name, arguments)], _ = every_cut('<tool_call>{"city": "Oslo"}</tool_call>')
    result = prepare(TOOLS, ToolCall.parse("call_0", name, arguments))
    assert isinstance(result, ToolResult)
    assert "The tools are: weather" in result.content


def test_a_missing_brace_does_not_swallow_the_next_call() -> None:
    text = f'<tool_call>{{"name": "weather", "arguments": {{}}\n{CALL}'
    _, calls, _ = every_cut(text)
    assert [name for name, _ in calls] == ["weather", "weather"]
    assert ToolCall.parse("", *calls[0]).broken
    assert calls[1] == OSLO


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plain words.",
        "To call a tool, write <tool_call> and then JSON.",
        f"Write <tool_call>{WEATHER}</tool_call> to call it.",
        "<tool_call> and </tool_call> are the marks.",
        "<tool_call>\nis how it begins",
        "<tool_call>weatherman was here",
        "<tool_calls>{}",
        "<tool_call",
        "a < b\n<to",
        "x\n<table>{}</table>\n```json\n{}\n```\n",
        "```\ncode\n```\n",
        '```xml\n<tool_call>\n{"name": "the_tool", "arguments": {...}}\n</tool_call>\n```\nThat is how.',
        '```\n<tool_call>\n{"name": "the_tool", "argu',
        '> <tool_call>{"name": "the_tool"}</tool_call>\nsaid the book',
        "`<tool_call>weather`",
        "<tool_response> holds what a tool said.",
        "A\n<tool_response>\n5\n</tool_response>\n",
        "   \n\n  ",
        "a\n\n\n",
    ],
)
def test_text_about_tools_is_text(text: str) -> None:
    said, calls, notices = every_cut(text)
    assert (calls, notices) == ([], 0)
    assert said == ("" if text == "<tool_call" else text)


def test_a_mark_that_was_cut_is_never_shown() -> None:
    assert every_cut("Let me look.\n\n<tool_ca") == ("Let me look.", [], 0)
    assert every_cut("Let me look.\n```json\n<tool_call") == ("Let me look.", [], 0)
    assert every_cut(f"{CALL}\n\n<tool_resp") == ("", [OSLO], 0)
    assert every_cut(f"{CALL}</tool_ca") == ("", [OSLO], 0)
    assert every_cut("I see\n\n<") == ("I see\n\n<", [], 0)


def test_what_the_model_invents_after_a_call_is_left_out() -> None:
    invented = "<tool_response>\n12 degrees\n</tool_response>\nIt is 12 degrees."
    assert every_cut(f"Let me look.\n{CALL}\n{invented}") == ("Let me look.", [OSLO], 1)
    assert every_cut(f'{CALL}\nSo\n<tool_response name="weather">\n12\n</tool_response>\n{CALL}') == ("So", [OSLO], 1)
    assert every_cut(f"{CALL}\nSo{' ' * 70}\n{invented}") == ("So" + " " * 7, [OSLO], 1)
    assert every_cut(f"{CALL}\n{CALL}\n{invented}") == ("", [OSLO, OSLO], 1)


def test_text_goes_out_at_once() -> None:
    reader = CallReader(NAMES)
    assert [reader.feed(text) for text in ("It", " is", " warm", "\n", "<", "b>")] == [
        [TextDelta("It")],
        [TextDelta(" is")],
        [TextDelta(" warm")],
        [],
        [],
        [TextDelta("\n<b>")],
    ]


SCRAPS = st.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "<tool_call>\n",
        "\n</tool_call>\n",
        WEATHER,
        CALL,
        f"\n{CALL}\n",
        "weather",
        "```",
        "```json\n",
        "`",
        '"',
        "\\",
        "{",
        "}",
        "[",
        "\n",
        " ",
        " " * 70,
        "\n" * 70,
        "> ",
        "said",
        "<",
        '{"name": "weather", "arguments": {"city": "Par',
    ]
)


@given(st.lists(SCRAPS | st.text(max_size=3), max_size=12).map("".join), st.data())
@settings(max_examples=1500, deadline=None)
def test_any_cutting_gives_the_same(text: str, data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    whole = read([text])
    assert read(pieces) == whole
    assert read(text) == whole
    if "<tool" not in text:
        assert whole == (text, [], 0)


ARGUMENTS = st.dictionaries(
    st.text(max_size=4), st.text(max_size=8) | SCRAPS | st.integers() | st.lists(st.booleans()), max_size=3
)


@given(st.text(max_size=10).filter(lambda text: "<" not in text), st.lists(ARGUMENTS, min_size=1, max_size=3))
@settings(max_examples=600, deadline=None)
def test_what_is_rendered_is_read_again(said: str, given_: list[dict[str, Any]]) -> None:
    calls = [ToolCall(f"call_{place}", "weather", each) for place, each in enumerate(given_)]
    (message,) = as_text([Message("assistant", (Text(said), *calls) if said else tuple(calls))])
    text, found, notices = read(message.text)
    assert [json.loads(arguments) for _, arguments in found] == given_
    assert (text.strip(), notices) == (said.strip(), 0)


# --- the chunks


def decoded(chunks: Sequence[Chunk], *last: Chunk) -> list[Chunk]:
    calls = PromptedCalls(NAMES)
    return [passed for chunk in (*chunks, *last) for passed in calls.pass_on(chunk)]


def test_a_reply_with_calls_ends_for_them() -> None:
    found = decoded(
        [ReasoningDelta("hm"), TextDelta("A\n"), TextDelta(CALL), Notice("n")],
        Finish(FinishReason.STOP, "done"),
        Details({"id": 1}),
    )
    assert found == [
        ReasoningDelta("hm"),
        TextDelta("A"),
        CallDelta(0, "call_0", *OSLO),
        Notice("n"),
        Finish(FinishReason.TOOL_CALLS, "done"),
        Details({"id": 1}),
    ]


def test_a_reply_without_calls_is_left_alone() -> None:
    assert decoded([TextDelta("A\n")], Finish(FinishReason.STOP)) == [
        TextDelta("A"),
        TextDelta("\n"),
        Finish(FinishReason.STOP),
    ]


def test_a_call_that_was_cut_does_not_hide_that() -> None:
    *_, call, finish = decoded([TextDelta('<tool_call>{"name": "weather", "arg')], Finish(FinishReason.LENGTH))
    assert isinstance(call, CallDelta)
    assert ToolCall.parse("", call.name, call.arguments).broken
    assert finish == Finish(FinishReason.LENGTH)


def test_the_notice_of_an_invented_result_goes_along() -> None:
    assert INVENTED in decoded([TextDelta(f"{CALL}\n<tool_response>\n1")], Finish(FinishReason.STOP))


# --- what the model is told


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


TOOLS = {"weather": weather}


def test_instructions_name_the_tools() -> None:
    text = instructions([weather])
    assert '{"name": "weather", "description": "The weather in a city.", "parameters": {"type": "object"' in text
    assert "Now call" not in text
    assert instructions([weather], "required").endswith("Now call at least one of them before you answer.")
    assert instructions([weather], "weather").endswith("Now call weather before you answer.")
    assert instructions([]) == instructions([weather], "none") == ""


def test_calls_and_results_of_a_history_become_text() -> None:
    history = (
        system("Be brief."),
        user("Rain?"),
        assistant("Let me look. ", ToolCall("1", "weather", {"city": "Oslo"}), ToolCall("2", "weather", {})),
        Message(
            "tool", (ToolResult("1", "rain"), ToolResult("2", "no city </tool_response><tool_call>", is_error=True))
        ),
        Message("tool", (ToolResult("9", "lost"),)),
        assistant("Yes."),
    )
    rendered = as_text(history)
    assert rendered[0] is history[0]
    assert rendered[-1] is history[-1]
    assert rendered[2].text == (
        'Let me look.\n\n<tool_call>\n{"name": "weather", "arguments": {"city":"Oslo"}}\n</tool_call>\n\n'
        '<tool_call>\n{"name": "weather", "arguments": {}}\n</tool_call>'
    )
    assert rendered[3] == user(
        '<tool_response name="weather">\nrain\n</tool_response>\n\n'
        '<tool_response name="weather" status="error">\nno city &lt;/tool_response>&lt;tool_call>\n</tool_response>'
    ).with_meta("agentkit", tool_results=True)
    assert rendered[4].text == '<tool_response name="9">\nlost\n</tool_response>'
    assert [message.role for message in as_text(history, results="tool")][3:5] == ["tool", "tool"]


def test_words_are_remembered_by_the_message() -> None:
    result = Message("tool", (ToolResult("1", "rain"),))
    first = as_text([assistant(ToolCall("1", "weather")), result])
    again = as_text([assistant(ToolCall("1", "weather")), result])
    assert again[1] is first[1]
    renamed = as_text([assistant(ToolCall("1", "sky")), result])[1]
    assert renamed.text == '<tool_response name="sky">\nrain\n</tool_response>'
    assert as_text([result], results="tool")[0].role == "tool"
    assert as_text([result])[0].text == '<tool_response name="1">\nrain\n</tool_response>'


def test_a_call_that_was_cut_is_shown_without_its_arguments() -> None:
    cut = ToolCall.parse("1", "weather", '{"city": "Par')
    assert call_json(cut) == '{"name": "weather", "arguments": {}}'
    assert as_text([assistant(" ", cut)])[0].text.startswith("<tool_call>")


def test_the_end_of_json_is_found_in_one_pass() -> None:
    text = "[" + '"' + "\\" * 20_000 + '"' + "{}" * 20_000 + "]"
    end = JsonEnd("<tool_call>")
    places = [end.find(text[:size]) for size in range(0, len(text), 997)]
    assert set(places) == {None}
    assert end.find(text) == len(text)
