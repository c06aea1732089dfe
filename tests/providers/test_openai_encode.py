"""What leaves for a server of the chat-completions dialect."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from agentkit import __version__
from agentkit.errors import InvalidInput, Unsupported
from agentkit.messages import (
    Media,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Unknown,
    assistant,
    system,
    user,
)
from agentkit.options import Options
from agentkit.provider import Capabilities, ChatRequest, HTTPRequest
from agentkit.providers.openai_chat import OPENAI, SIM, Dialect, OpenAIChat
from agentkit.usage import FinishReason

KEY = "sk-secret-0123456789"
PROVIDER = OpenAIChat(base_url="http://host/v1", api_key=KEY, dialect=SIM)
PNG = Media("image/png", data=b"\x89PNG")


def encode(*messages: Message, provider: OpenAIChat = PROVIDER, **settings: Any) -> HTTPRequest:
    return provider.encode(ChatRequest(model="m", messages=messages, **settings))


def sent(*messages: Message, provider: OpenAIChat = PROVIDER, **settings: Any) -> dict[str, Any]:
    wire: dict[str, Any] = json.loads(encode(*messages, provider=provider, **settings).body)
    return wire


def wires(*messages: Message, **settings: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(*messages, **settings)["messages"]
    return found


def results(*pairs: tuple[str, str]) -> Message:
    return Message("tool", tuple(ToolResult(ident, content) for ident, content in pairs))


def test_the_least_request() -> None:
    assert sent(user("hé"), stream=False) == {"model": "m", "messages": [{"role": "user", "content": "hé"}]}
    assert "hé".encode() in encode(user("hé")).body
    assert b", " not in encode(user("hé"), assistant("x")).body


def test_a_stream_asks_for_its_usage() -> None:
    wire = sent(user("hi"))
    assert wire["stream"] is True
    assert wire["stream_options"] == {"include_usage": True}
    silent = OpenAIChat(base_url="http://host", dialect=Dialect(capabilities=Capabilities(usage=False)))
    assert "stream_options" not in sent(user("hi"), provider=silent)


def test_options_by_their_names() -> None:
    options = Options(
        temperature=0,
        top_p=0.5,
        max_tokens=7,
        stop=("a", "b"),
        seed=0,
        presence_penalty=0,
        frequency_penalty=1,
        reasoning_effort="low",
    )
    wire = sent(user("hi"), stream=False, options=options)
    del wire["messages"], wire["model"]
    assert wire == {
        "temperature": 0,
        "top_p": 0.5,
        "max_tokens": 7,
        "stop": ["a", "b"],
        "seed": 0,
        "presence_penalty": 0,
        "frequency_penalty": 1,
        "reasoning_effort": "low",
    }


def test_options_that_the_dialect_lacks_are_left_out_with_a_notice() -> None:
    dialect = Dialect(
        lacks=frozenset({"seed", "top_p"}), max_tokens="max_completion_tokens", body={"cache": True, "seed": 9}
    )
    request = encode(
        user("hi"), provider=OpenAIChat(base_url="http://h", dialect=dialect), options=Options(seed=1, max_tokens=2)
    )
    wire = json.loads(request.body)
    assert (wire["cache"], wire["seed"], wire["max_completion_tokens"]) == (True, 9, 2)
    assert ["seed" in notice.message for notice in request.notices] == [True]
    assert encode(user("hi")).notices == ()


def test_extra_fields_win_and_none_removes() -> None:
    extra = {"temperature": 1.5, "model": None, "stream": False, "top_k": 4, "user": None}
    wire = sent(user("hi"), options=Options(temperature=0.5, extra=extra))
    assert wire == {"temperature": 1.5, "stream": False, "top_k": 4, "messages": [{"role": "user", "content": "hi"}]}
    own = [{"role": "user", "content": "own"}]
    assert sent(user("hi"), options=Options(extra={"messages": own}))["messages"] == own
    assert sent(user("hi"), stream=False, options=Options(extra={"model": None})) == {
        "messages": [{"role": "user", "content": "hi"}]
    }


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_extra_fields_that_are_no_json_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInput, match="cannot be written as JSON"):
        encode(user("hi"), options=Options(extra={"x": value}))


def test_extra_fields_that_hold_themselves_are_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested too deeply"):
        encode(user("hi"), options=Options(extra={"x": deep}))


def test_headers() -> None:
    headers = dict(encode(user("hi")).headers)
    assert headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "user-agent": f"agentkit/{__version__}",
        "authorization": f"Bearer {KEY}",
    }
    assert dict(encode(user("hi"), stream=False).headers)["accept"] == "application/json"
    own = OpenAIChat(base_url="http://h", headers={"User-Agent": "mine", "X-Api-Key": KEY})
    headers = dict(own.encode(ChatRequest(model="m", messages=[user("x")])).headers)
    assert headers["user-agent"] == "mine"
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers


def test_the_address() -> None:
    for base in ("http://host/v1", "http://host/v1/", " http://host/v1//"):
        assert (
            OpenAIChat(base_url=base.strip()).encode(ChatRequest(model="m", messages=[])).url
            == "http://host/v1/chat/completions"
        )
    with pytest.raises(InvalidInput, match="'host:80'"):
        OpenAIChat(base_url="host:80")


def test_the_key_is_nowhere_to_be_seen() -> None:
    provider = OpenAIChat(base_url="http://host", api_key=KEY, headers={"authorization": KEY})
    assert KEY not in repr(provider)
    assert KEY not in repr(encode(user("x"), provider=provider))
    assert hash(provider) == hash(evolve(provider))
    assert provider == evolve(provider)
    for bad in ("a\nb", "schlüssel"):
        with pytest.raises(InvalidInput) as caught:
            OpenAIChat(base_url="http://host", api_key=bad)
        assert bad not in str(caught.value)
    assert OpenAIChat(base_url="http://host", api_key=" \n").api_key is None


def test_capabilities_are_the_dialects() -> None:
    assert PROVIDER.capabilities("m").prefix
    assert not OpenAIChat(base_url="http://host").capabilities("m").prefix
    assert OPENAI.finish["stop"] is FinishReason.STOP
    repeatable = Dialect(capabilities=Capabilities(repeatable=True))
    assert encode(user("x"), provider=OpenAIChat(base_url="http://host", dialect=repeatable)).repeatable
    assert not encode(user("x")).repeatable


def test_messages_of_every_role() -> None:
    call = ToolCall("c", "f", {"a": "é"})
    assert wires(
        system("s"), user("q"), assistant("t", call), results(("c", "r"), ("d", "e")), assistant("answer"), user("next")
    ) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {
            "role": "assistant",
            "content": "t",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":"é"}'}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "tool", "tool_call_id": "d", "content": "e"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": "next"},
    ]


def test_an_assistant_message_that_says_nothing_stays_here() -> None:
    assert wires(user("a"), assistant(Reasoning("r")), Message("assistant", ()), user("b")) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


def test_reasoning_goes_back_only_in_the_running_tool_loop() -> None:
    old = assistant(Reasoning("old"), "x")
    loop = assistant(Reasoning("now"), ToolCall("c", "f"))
    first, _, second, _ = wires(old, user("q"), loop, results(("c", "r")))
    assert "reasoning" not in first
    assert (second["reasoning"], second["reasoning_content"], second["content"]) == ("now", "now", "")
    later = wires(user("q"), loop, results(("c", "r")), user("next"))
    assert all("reasoning" not in wire for wire in later)
    plain = OpenAIChat(base_url="http://host", dialect=Dialect(writes_reasoning=("thinking",)))
    assert wires(user("q"), loop, provider=plain)[1]["thinking"] == "now"


def test_a_prefix_is_the_last_message() -> None:
    assert wires(user("q"), assistant("Once"), prefix=True)[-1] == {"role": "assistant", "content": "Once"}
    assert wires(user("q"), assistant(Reasoning("r")), prefix=True)[-1] == {
        "role": "assistant",
        "content": "",
        "reasoning": "r",
        "reasoning_content": "r",
    }
    assert wires(user("q"), Message("assistant", ()), prefix=True)[-1] == {"role": "assistant", "content": ""}
    asks = Dialect(continues={"continue_final_message": True, "add_generation_prompt": False})
    wire = sent(user("q"), assistant("Once"), prefix=True, provider=OpenAIChat(base_url="http://host", dialect=asks))
    assert wire["continue_final_message"] is True
    assert "continue_final_message" not in sent(user("q"), provider=OpenAIChat(base_url="http://host", dialect=asks))
    for messages in ((), (user("q"),)):
        with pytest.raises(InvalidInput, match="ends with a message of the assistant"):
            encode(*messages, prefix=True)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (ToolCall("c", "f"), "{}"),
        (ToolCall.parse("c", "f", ""), "{}"),
        (ToolCall.parse("c", "f", '{"a": 1}'), '{"a": 1}'),
        (ToolCall.parse("c", "f", '{"a": 1'), "{}"),
        (ToolCall.parse("c", "f", "[1]"), "{}"),
        (ToolCall.parse("c", "f", '{"a": NaN, "b": 1}'), "{}"),
        (ToolCall("c", "f", {"a": float("nan"), "b": 1}), '{"a":null,"b":1}'),
        (ToolCall("c", "f", {"a": float("inf")}), '{"a":null}'),
        (ToolCall("c", "f", {}, raw="no json"), "{}"),
    ],
)
def test_arguments_are_json_whatever_the_model_wrote(call: ToolCall, arguments: str) -> None:
    assert wires(assistant(call))[0]["tool_calls"][0]["function"]["arguments"] == arguments


def test_arguments_that_a_program_got_wrong_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'c' to 'f'"):
        encode(assistant(ToolCall("c", "f", {"a": object()})))
    with pytest.raises(InvalidInput, match="'c' to 'f'"):
        encode(assistant(ToolCall("c", "f", MappingProxyType({}))))


def test_images() -> None:
    message = user("look", PNG, Media("image/jpeg", url="https://host/x.jpg"))
    assert wires(message)[0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
        {"type": "image_url", "image_url": {"url": "https://host/x.jpg"}},
    ]


def test_images_by_address_are_refused_where_the_server_does_not_fetch_them() -> None:
    ollama = OpenAIChat(base_url="http://host", dialect=Dialect(image_urls=False))
    linked = user("look", Media("image/jpeg", url="https://host/x.jpg"))
    assert len(wires(linked)) == len(wires(user("look", PNG), provider=ollama)) == 1
    with pytest.raises(Unsupported, match="not its address"):
        encode(linked, provider=ollama)


def test_blank_instructions_and_questions_stay_here() -> None:
    blank = (Text(""),)
    assert wires(Message("system", blank), Message("user", blank), user("q")) == [{"role": "user", "content": "q"}]


def test_results_in_a_message_of_the_user_go_first() -> None:
    assert wires(user("and now?", ToolResult("c", "r"))) == [
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "user", "content": "and now?"},
    ]
    assert wires(user(ToolResult("c", "r"))) == [{"role": "tool", "tool_call_id": "c", "content": "r"}]
    assert len(wires(user(ToolResult("c", "r"), PNG))[1]["content"]) == 1


@pytest.mark.parametrize(
    "message",
    [
        user(Media("audio/wav", data=b"x")),
        user(Media("image/png")),
        user(Unknown({"type": "hologram"})),
        assistant(PNG),
        system("s", PNG),
        Message("tool", (Text("x"),)),
        user(ToolCall("c", "f")),
        assistant(ToolResult("c", "r")),
    ],
)
def test_what_cannot_be_carried_is_refused(message: Message) -> None:
    with pytest.raises(Unsupported):
        encode(message)


def test_a_wire_form_is_made_once() -> None:
    first, second = user("a"), assistant("b")
    for _ in range(3):
        encode(first, second)
    assert list(first._memo) == ["openai"]
    assert len(second._memo) == 1


@pytest.mark.parametrize(
    ("text", "wanted"), [("\ud83d\ude00", "\U0001f600"), ("a\ud83d", "a\ufffd"), ("\ude00é", "\ufffdé")]
)
def test_halves_of_characters_do_not_stop_a_request(text: str, wanted: str) -> None:
    assert wires(user(text))[0]["content"] == wanted
    assert sent(user("x"), options=Options(extra={"user": text}))["user"] == wanted
    assert wires(assistant(ToolCall("c", text, {"a": text})))[0]["tool_calls"][0]["function"]["name"] == wanted


TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(["\ud83d", "\ude00", "<|channel|>", '"', "\x00"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)
CALL = st.builds(ToolCall, TEXT, TEXT, st.dictionaries(TEXT, JSON, max_size=2)) | st.builds(
    ToolCall.parse, TEXT, TEXT, TEXT | st.sampled_from(['{"a":1}', '{"a":', "{}", '{"a":NaN}'])
)
RESULT = st.builds(ToolResult, TEXT, TEXT, st.booleans())
IMAGE = st.builds(lambda data: Media("image/png", data=data), st.binary(max_size=4))
MESSAGE = st.one_of(
    st.builds(lambda parts: Message("system", tuple(parts)), st.lists(st.builds(Text, TEXT), max_size=2)),
    st.builds(
        lambda parts: Message("user", tuple(parts)), st.lists(st.builds(Text, TEXT) | IMAGE | RESULT, max_size=3)
    ),
    st.builds(
        lambda parts: Message("assistant", tuple(parts)),
        st.lists(st.builds(Text, TEXT) | st.builds(Reasoning, TEXT) | CALL, max_size=4),
    ),
    st.builds(lambda parts: Message("tool", tuple(parts)), st.lists(RESULT, max_size=3)),
)


def nulls(value: Any) -> bool:
    match value:
        case None:
            return True
        case dict():
            return any(nulls(inner) for inner in value.values())
        case list():
            return any(nulls(inner) for inner in value)
        case _:
            return False


@given(st.lists(MESSAGE, max_size=8), st.booleans(), st.booleans())
@settings(max_examples=500, deadline=None)
def test_every_history_becomes_a_valid_request(messages: list[Message], stream: bool, prefix: bool) -> None:
    if prefix:
        messages = [*messages, assistant("Once")]
    request = PROVIDER.encode(ChatRequest(model="m", messages=messages, stream=stream, prefix=prefix))
    wire = json.loads(request.body.decode("utf-8"), parse_constant=pytest.fail)
    assert not nulls(wire)
    assert ("stream_options" in wire) == stream
    for message in wire["messages"]:
        assert isinstance(message["content"], str | list)
        assert message["role"] != "assistant" or message["content"] or message.get("tool_calls")
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"], parse_constant=pytest.fail), dict)
    # the same values encode to the same bytes, remembered or not
    fresh = [Message(message.role, message.parts) for message in messages]
    assert PROVIDER.encode(ChatRequest(model="m", messages=fresh, stream=stream, prefix=prefix)).body == request.body
