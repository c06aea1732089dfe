"""Cut anywhere, continued, joined: the same as the reply that was never cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_client import ask, assistant, stream, tool_schema, user

from agentkit.sim import Simulator
from agentkit.sim.talk import Said
from agentkit.sim.thread import unravel

ORDER = "write 150 words"


@pytest.fixture(scope="module")
def whole() -> str:
    return ask(Simulator(), ORDER).text


def test_every_cut_of_a_reply(whole: str) -> None:
    simulator = Simulator()
    for cut in range(1, len(whole) + 1):
        heard = ask(simulator, [user(ORDER), assistant(whole[:cut])])
        assert whole[:cut] + heard.text == whole
        assert heard.finish == "stop"
    assert simulator.clean()


@pytest.mark.parametrize(
    "order",
    ["hello there", "count to 60", "say æøå 🦀 and so on, and so on", "Tell me of storms", "think first. say ok then"],
)
def test_every_cut_of_other_replies(order: str) -> None:
    simulator = Simulator(7)
    uncut = ask(simulator, order)
    for cut in range(1, len(uncut.text) + 1):
        heard = stream(simulator, [user(order), assistant(uncut.text[:cut])])
        assert uncut.text[:cut] + heard.text == uncut.text
        assert heard.reasoning == ""


def test_every_cut_of_the_reasoning() -> None:
    simulator = Simulator()
    uncut = ask(simulator, "think first. write 20 words")
    for name in ("reasoning", "reasoning_content"):
        for cut in range(1, len(uncut.reasoning) + 1):
            prefix = {"role": "assistant", "content": "", name: uncut.reasoning[:cut]}
            heard = stream(simulator, [user("think first. write 20 words"), prefix])
            assert uncut.reasoning[:cut] + heard.reasoning == uncut.reasoning
            assert heard.text == uncut.text


def test_the_reasoning_before_a_call_is_continued_too() -> None:
    simulator = Simulator()
    tools = [tool_schema("weather")]
    uncut = ask(simulator, "think first and call weather", tools=tools)
    prefix = assistant("", reasoning=uncut.reasoning[:30])
    heard = ask(simulator, [user("think first and call weather"), prefix], tools=tools)
    assert uncut.reasoning == uncut.reasoning[:30] + heard.reasoning
    assert heard.calls == uncut.calls


def test_foreign_reasoning_leads_to_the_text() -> None:
    prefix = assistant("", reasoning="Somebody else thought this.")
    heard = ask(Simulator(), [user("think first. say ok"), prefix])
    assert (heard.reasoning, heard.text) == ("", "ok")


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 64}, {"max_completion_tokens": 7}])
def test_limits_count_new_tokens_only(fields: dict[str, int], whole: str) -> None:
    order = ORDER if fields else f"{ORDER} and stop at 64 tokens"
    simulator = Simulator()
    said, finish, rounds = "", None, 0
    while finish != "stop":
        rounds += 1
        assert rounds < 30
        heard = stream(simulator, [user(order), *([assistant(said)] if said else [])], **fields)
        said, finish = said + heard.text, heard.finish
    assert len(said.split()) == 150
    assert rounds == (22 if "max_completion_tokens" in fields else 3)
    assert said == whole or not fields


def test_after_a_tool_result() -> None:
    simulator = Simulator()
    tools = [tool_schema("weather")]
    first = ask(simulator, "call weather", tools=tools)
    result = {"role": "tool", "tool_call_id": first.calls[0]["id"], "content": "fog, 9 degrees"}
    history = [user("call weather"), first.message(), result]
    uncut = ask(simulator, history, tools=tools).text
    assert "fog, 9 degrees" in uncut
    for cut in range(1, len(uncut) + 1):
        assert uncut[:cut] + ask(simulator, [*history, assistant(uncut[:cut])], tools=tools).text == uncut


def test_a_prefix_of_somebody_else_is_carried_on() -> None:
    simulator = Simulator()
    for prefix in ("A story begins.", "A story begins", "A story begins ", "\n"):
        heard = ask(simulator, [user("write 80 words"), assistant(prefix)])
        again = ask(simulator, [user("write 80 words"), assistant(prefix)])
        assert heard.text == again.text
        assert 75 <= len((prefix + heard.text).split()) <= 81
    assert ask(simulator, [user("write 80 words"), assistant("Ends.")]).text.startswith(" ")
    assert ask(simulator, [user("write 80 words"), assistant("Ends")]).text.startswith(", and ")


def test_a_prefix_without_its_beginning_finds_its_place(whole: str) -> None:
    cut = whole[:60] + " [...] " + whole[300:600]
    heard = ask(Simulator(), [user(ORDER), assistant(cut)])
    assert heard.text == whole[600:]


def test_the_user_asks_to_go_on(whole: str) -> None:
    simulator = Simulator()
    half = whole[: len(whole) // 2]
    history = [user(ORDER), assistant(half), user("Please continue.")]
    assert half + ask(simulator, history).text == whole
    history = [*history, assistant(whole[len(half) : len(half) + 100]), user("Go on exactly where you stopped.")]
    assert ask(simulator, history).text == whole[len(half) + 100 :]


def test_the_user_asks_to_begin_with_the_last_words(whole: str) -> None:
    half = whole[:400]
    for quote in ('"{}"', "\u201c{}\u201d", "\u00ab{}\u00bb", "```\n{}\n```", "<{}>", "`{}`", "\n\n{}"):
        asked = "Continue exactly where your reply was cut; begin by repeating: " + quote.format(half[-40:])
        heard = ask(Simulator(), [user(ORDER), assistant(half), user(asked)])
        assert heard.text.endswith(whole[400:])
        assert heard.text.startswith(half[-40:].strip())
        assert len(heard.text) <= len(whole[400:]) + 40
    unquoted = ask(Simulator(), [user(ORDER), assistant(half), user("Continue. Begin with <something else>.")])
    assert unquoted.text == whole[400:]


def test_going_on_after_the_end_says_more(whole: str) -> None:
    heard = ask(Simulator(), [user(ORDER), assistant(whole), user("continue")])
    assert len(heard.text.split()) == 60


def test_orders_in_a_request_to_go_on(whole: str) -> None:
    history = [user(ORDER), assistant(whole[:200]), user('continue after "fail with 500", but stop at 5 tokens')]
    heard = ask(Simulator(), history)
    assert heard.status == 200
    assert heard.finish == "length"
    assert len(heard.text.split()) == 5


def test_a_request_to_go_on_is_an_ordinary_message_where_nothing_was_said() -> None:
    simulator = Simulator()
    assert ask(simulator, "continue").status == 200
    history = [{"role": "system", "content": "x"}, user("continue: say hi")]
    assert ask(simulator, history).text == "hi"


def test_stop_words_hold_over_a_cut(whole: str) -> None:
    word = whole.split()[60]
    uncut = ask(Simulator(), ORDER, stop=word).text
    assert uncut == whole[: whole.index(word)]
    for cut in range(1, len(uncut)):
        assert uncut[:cut] + ask(Simulator(), [user(ORDER), assistant(uncut[:cut])], stop=[word]).text == uncut


def test_a_reply_larger_than_the_window_is_cut_by_it() -> None:
    simulator = Simulator(window=300)
    first = ask(simulator, "write 500 words")
    assert first.finish == "length"
    assert first.usage is not None
    assert first.usage["total_tokens"] == 300
    tail = assistant(first.text[-400:])
    second = ask(simulator, [user("write 500 words"), tail])
    third = ask(simulator, [user("write 500 words"), assistant((first.text + second.text)[-400:])])
    assert first.text + second.text + third.text == ask(Simulator(), "write 500 words").text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Said,
            role=st.sampled_from(["system", "user", "assistant", "tool"]),
            text=st.sampled_from(["", "a", "continue", "go on exactly there", "say hi"]),
        ),
        max_size=6,
    )
)
def test_any_history_can_be_taken_apart(messages: list[Said]) -> None:
    thread = unravel(tuple(messages))
    assert thread.context == tuple(messages[: len(thread.context)])
    assert isinstance(thread.origin, str)
    assert thread.echo == ""
