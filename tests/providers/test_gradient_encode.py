"""What leaves for Gradient Chat."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit import __version__
from agentkit.errors import InvalidInput, Unsupported
from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, Unknown, assistant, system, user
from agentkit.options import Options
from agentkit.provider import ChatRequest, HTTPRequest, Provider
from agentkit.providers import get_provider
from agentkit.providers.gradient import MOST_PAIRS, PAIRS, URL, Gradient, gradient

GPT, QWEN = "GPT OSS 120B", "Qwen3 235B"
PNG = Media("image/png", data=b"\x89PNG")


def encode(*messages: Message, provider: Gradient | None = None, model: str = GPT, **settings: Any) -> HTTPRequest:
    provider = provider or Gradient()
    return provider.encode(ChatRequest(model=model, messages=messages, options=Options(**settings)))


def sent(*messages: Message, **settings: Any) -> dict[str, Any]:
    wire: dict[str, Any] = json.loads(encode(*messages, **settings).body)
    return wire


def wires(*messages: Message, **settings: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(*messages, **settings)["messages"]
    return found


def talk(count: int) -> list[Message]:
    """Questions with their answers, and one more question."""
    made = [each for n in range(1, count + 1) for each in (user(f"q{n}"), assistant(f"a{n}"))]
    return [*made, user(f"q{count + 1}")]


def said(messages: list[dict[str, Any]]) -> str:
    return " ".join(message["content"] for message in messages)


def test_the_least_request_is_the_recorded_one() -> None:
    request = encode(user("hi"))
    assert request.body == (
        b'{"model":"GPT OSS 120B","clusterMode":"nvidia",'
        b'"messages":[{"role":"user","content":"hi"}],"enableThinking":false}'
    )
    assert (request.method, request.url, request.repeatable) == ("POST", f"{URL}/generate", False)
    assert not request.notices


def test_the_largest_request_is_the_recorded_one() -> None:
    history = (user("hi"), assistant(Reasoning("think"), "Hello"), user("hi 2 é"))
    assert sent(*history, model=QWEN, provider=Gradient(enable_thinking=True)) == {
        "model": QWEN,
        "clusterMode": "hybrid",
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "Hello", "reasoningContent": "think"},
            {"role": "user", "content": "hi 2 é"},
        ],
        "enableThinking": True,
    }


def test_headers_say_what_this_is() -> None:
    assert dict(encode(user("hi")).headers) == {
        "content-type": "application/json",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": f"agentkit/{__version__}",
    }


def test_by_name() -> None:
    provider = get_provider("gradient", api_key="sk-secret-0123456789")
    assert isinstance(provider, Gradient)
    assert (provider.name, provider.base_url, provider.model) == ("gradient", URL, GPT)
    assert gradient("http://localhost:1/api/", None) == Gradient(base_url="http://localhost:1/api")
    typed: Provider = provider
    request = typed.encode(ChatRequest(model=GPT, messages=[user("hi")]))
    assert "secret" not in repr(request.headers)
    with pytest.raises(InvalidInput, match="begins with http"):
        Gradient(base_url="localhost")


def test_capabilities_are_honest() -> None:
    can = Gradient().capabilities(GPT)
    assert can.stream
    assert can.reasoning_in
    assert can.reasoning_out
    lacking = (can.tools, can.parallel_tools, can.tool_choice, can.usage, can.max_tokens, can.json_mode, can.prefix)
    assert not any(lacking)
    assert not can.system_role
    assert Gradient(system_role=True).capabilities(GPT).system_role


@pytest.mark.parametrize(
    ("model", "shown", "cluster"),
    [
        (GPT, GPT, "nvidia"),
        ("gpt-oss-120b", GPT, "nvidia"),
        ("GPT_OSS_120B", GPT, "nvidia"),
        (QWEN, QWEN, "hybrid"),
        ("qwen3-235b", QWEN, "hybrid"),
        ("Qwen3 480B", "Qwen3 480B", "hybrid"),
        ("Kimi K2", "Kimi K2", "nvidia"),
    ],
)
def test_the_cluster_follows_the_model(model: str, shown: str, cluster: str) -> None:
    wire = sent(user("hi"), model=model)
    assert (wire["model"], wire["clusterMode"]) == (shown, cluster)


def test_a_wrong_pair_is_refused_before_sending() -> None:
    with pytest.raises(InvalidInput, match=r"'Qwen3 235B' does not run in the cluster 'nvidia': .*'hybrid', or leave"):
        encode(user("hi"), model="qwen3-235b", provider=Gradient(cluster_mode="nvidia"))
    with pytest.raises(InvalidInput, match="does not run"):
        encode(user("hi"), model=QWEN, extra={"clusterMode": "nvidia"})
    with pytest.raises(InvalidInput, match="does not run"):
        encode(user("hi"), provider=Gradient(cluster_mode="nvidia"), extra={"model": "qwen3-235b"})
    assert sent(user("hi"), provider=Gradient(cluster_mode="hybrid"))["clusterMode"] == "hybrid"
    assert sent(user("hi"), model=QWEN, provider=Gradient(cluster_mode="hybrid"))["clusterMode"] == "hybrid"
    with pytest.raises(InvalidInput, match="cluster_mode is 'nvidia', 'hybrid' or None, not 'amd'"):
        Gradient(cluster_mode="amd")  # type: ignore[arg-type]


def test_the_fields_of_the_caller_win() -> None:
    wire = sent(user("hi"), extra={"clusterMode": "hybrid", "enableThinking": True, "new": 1, "model": None})
    assert wire == {
        "model": GPT,
        "clusterMode": "hybrid",
        "messages": [{"role": "user", "content": "hi"}],
        "enableThinking": True,
        "new": 1,
    }
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        encode(user("hi"), extra={"new": object()})


@pytest.mark.parametrize(
    ("effort", "default", "wanted", "told"),
    [
        (None, False, False, 0),
        (None, True, True, 0),
        ("none", True, False, 0),
        ("Off", True, False, 0),
        ("on", False, True, 0),
        ("high", False, True, 1),
    ],
)
def test_thinking(effort: str | None, default: bool, wanted: bool, told: int) -> None:
    request = encode(user("hi"), provider=Gradient(enable_thinking=default), reasoning_effort=effort)
    assert json.loads(request.body)["enableThinking"] is wanted
    assert len(request.notices) == told


def test_settings_of_sampling_are_left_out_with_a_notice() -> None:
    given = {
        "temperature": 0.5,
        "top_p": 0.5,
        "max_tokens": 5,
        "stop": ("x",),
        "seed": 1,
        "presence_penalty": 1.0,
        "frequency_penalty": 1.0,
    }
    request = encode(user("hi"), **given)
    assert request.body == encode(user("hi")).body
    assert sorted(notice.message.split()[5].rstrip(";") for notice in request.notices) == sorted(given)


def test_there_is_no_prefix() -> None:
    with pytest.raises(Unsupported, match="cannot go on"):
        Gradient().encode(ChatRequest(model=GPT, messages=[user("a"), assistant("b")], prefix=True))


def test_what_one_role_says_in_a_row_becomes_one_message() -> None:
    history = (
        user("a"),
        user("b"),
        assistant(Reasoning("t1"), "c"),
        assistant("d"),
        assistant(Reasoning("t2"), "e"),
        user("f"),
    )
    assert wires(*history) == [
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": "c\nd\ne", "reasoningContent": "t1\nt2"},
        {"role": "user", "content": "f"},
    ]
    assert history[0] == user("a"), "what is stored stays"


def test_messages_that_say_nothing_are_left_out() -> None:
    history = (user("a"), assistant(Reasoning("only thought")), Message("assistant", ()), user("b"))
    assert wires(*history) == [{"role": "user", "content": "a\nb"}]


def test_instructions_go_at_the_head_of_the_first_question() -> None:
    assert wires(system("Be brief."), user("a"), assistant("b"), system("And kind."), user("c")) == [
        {"role": "user", "content": "Be brief.\nAnd kind.\n\na"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert wires(system("Be brief.")) == [{"role": "user", "content": "Be brief."}]
    assert wires(system("Be brief."), assistant("Hello"), user("a"))[1]["content"] == "Be brief.\n\na"


def test_instructions_that_say_nothing_are_left_out() -> None:
    for provider in (Gradient(), Gradient(system_role=True)):
        blank = Message("system", (Text(" "),))
        assert wires(blank, user("a"), provider=provider) == [{"role": "user", "content": "a"}]


def test_instructions_under_their_own_role() -> None:
    provider = Gradient(system_role=True, context_pairs=0)
    assert wires(system("Be brief."), user("a"), assistant("b"), user("c"), provider=provider) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "c"},
    ]


def test_a_history_with_tools_goes_as_text() -> None:
    call = ToolCall("c1", "weather", {"city": "Paris"})
    history = (
        user("warm?"),
        assistant("Let me see.", call, ToolCall.parse("c2", "clock", '{"cut')),
        Message("tool", (ToolResult("c1", "18"), ToolResult("c2", "no clock", is_error=True), ToolResult("c9", "?"))),
        assistant("Yes."),
        Message("user", (ToolResult("c1", "19"), Text("and now?"))),
    )
    assert wires(*history) == [
        {"role": "user", "content": "warm?"},
        {
            "role": "assistant",
            "content": 'Let me see.\n[called the tool weather with {"city":"Paris"}]\n'
            '[called the tool clock with {"cut]',
        },
        {
            "role": "user",
            "content": "[the tool weather answered: 18]\n[the tool clock failed: no clock]\n[the tool c9 answered: ?]",
        },
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "[the tool weather answered: 19]\nand now?"},
    ]


def test_arguments_that_are_no_json_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'c1' to 'f' are no JSON"):
        wires(user("a"), assistant(ToolCall("c1", "f", {"a": object()})))


@pytest.mark.parametrize("part", [PNG, Unknown({"type": "x"})])
def test_media_are_refused(part: Any) -> None:
    for message in (user("see", part), Message("system", (part,))):
        with pytest.raises(Unsupported, match="carries text only"):
            encode(message, user("b"))


def test_fifteen_pairs_go_along_and_what_is_left_out_is_told() -> None:
    assert Gradient().context_pairs == PAIRS == 15
    request = encode(*talk(20))
    messages = json.loads(request.body)["messages"]
    assert len(messages) == 31
    assert (messages[0]["content"], messages[-1]["content"]) == ("q6", "q21")
    assert [notice.message for notice in request.notices] == [
        "the 10 earliest messages were not sent: context_pairs is 15"
    ]
    assert not encode(*talk(15)).notices


@pytest.mark.parametrize(
    ("pairs", "wanted"), [(0, "q4"), (1, "q3 a3 q4"), (2, "q2 a2 q3 a3 q4"), (3, "q1 a1 q2 a2 q3 a3 q4")]
)
def test_whole_pairs(pairs: int, wanted: str) -> None:
    assert said(wires(*talk(3), provider=Gradient(context_pairs=pairs))) == wanted


def test_fifty_pairs_are_the_most() -> None:
    assert Gradient(context_pairs=60).context_pairs == MOST_PAIRS == 50
    assert len(wires(*talk(60), provider=Gradient(context_pairs=60))) == 101
    assert Gradient(context_pairs=None).context_pairs == PAIRS  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, 1.5, "3", True])
def test_other_numbers_of_pairs_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="context_pairs is a whole number"):
        Gradient(context_pairs=value)


def test_instructions_are_kept_whatever_is_left_out() -> None:
    provider = Gradient(context_pairs=0)
    assert wires(system("s"), *talk(3), provider=provider) == [{"role": "user", "content": "s\n\nq4"}]


def test_what_answers_a_question_stays_with_it() -> None:
    call = assistant(ToolCall("c", "f"))
    history = (
        assistant("greeting"),
        user("q1"),
        call,
        Message("user", (ToolResult("c", "r1"),)),
        assistant("a1"),
        user("q2"),
        call,
        Message("tool", (ToolResult("c", "r2"),)),
    )
    now = "q2 [called the tool f with {}] [the tool f answered: r2]"
    assert said(wires(*history, provider=Gradient(context_pairs=0))) == now
    before = "q1 [called the tool f with {}] [the tool f answered: r1] a1"
    assert said(wires(*history, provider=Gradient(context_pairs=1))) == f"{before} {now}"
    assert said(wires(*history, provider=Gradient(context_pairs=2))) == f"greeting {before} {now}"


TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(["\ud83d", "\ude00", "<|channel|>", '"', "\x00", " "])
CALL = st.builds(ToolCall, TEXT, TEXT, st.dictionaries(TEXT, st.none() | st.floats() | TEXT, max_size=2)) | st.builds(
    ToolCall.parse, TEXT, TEXT, TEXT | st.sampled_from(['{"a":1}', '{"a":', '{"a":NaN}'])
)
RESULT = st.builds(ToolResult, TEXT, TEXT, st.booleans())
PARTS = {
    "system": st.builds(Text, TEXT),
    "user": st.builds(Text, TEXT) | RESULT,
    "assistant": st.builds(Text, TEXT) | st.builds(Reasoning, TEXT) | CALL,
    "tool": RESULT,
}
MESSAGE = st.sampled_from(sorted(PARTS)).flatmap(
    lambda role: st.builds(lambda parts: Message(role, tuple(parts)), st.lists(PARTS[role], max_size=3))  # type: ignore[arg-type]
)


@given(st.lists(MESSAGE, max_size=12), st.integers(0, 4), st.booleans())
@settings(max_examples=500, deadline=None)
def test_every_history_becomes_a_valid_request(messages: list[Message], pairs: int, native: bool) -> None:
    provider = Gradient(context_pairs=pairs, system_role=native)
    wire = json.loads(provider.encode(ChatRequest(model=GPT, messages=messages)).body, parse_constant=pytest.fail)
    made = wire["messages"]
    if native and made and made[0]["role"] == "system":
        made = made[1:]
    roles = [message["role"] for message in made]
    assert all(one != other for one, other in pairwise(roles)), "roles take turns"
    assert set(roles) <= {"user", "assistant"}
    for message in made:
        assert message["content"].strip()
        assert message.get("reasoningContent", "x")
        assert message["role"] == "assistant" or "reasoningContent" not in message
    assert roles.count("user") <= 2 * len(messages)
