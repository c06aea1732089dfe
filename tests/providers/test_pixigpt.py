"""PixiGPT: what leaves, and what comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_contract import (
    EVENT_STREAM,
    JSON,
    check_any_cut,
    check_interleaved,
    check_shape,
    decode,
    expected,
    summary,
    whole_of,
)

from agentkit import __version__
from agentkit.errors import (
    AuthError,
    BadRequest,
    InvalidInput,
    ProtocolError,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Unsupported,
)
from agentkit.events import TextDelta
from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, assistant, system, user
from agentkit.options import Options
from agentkit.provider import ChatRequest, Details, Fault, Finish, HTTPRequest, Provider, ResponseHead
from agentkit.providers import get_provider
from agentkit.providers.pixigpt import THINKING_FLOOR, URL, PixiGPT, pixigpt

CASES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "pixigpt" / "cases.json").read_text("utf-8")
)
KEY = "sk-proj-secret-0123456789"
PROVIDER = PixiGPT(api_key=KEY)
ASSISTED = PixiGPT(api_key=KEY, assistant_id="as_1")
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
INSTRUCTIONS = {"role": "system", "content": "s"}
QUESTION = {"role": "user", "content": "q"}


def encode(*messages: Message, provider: PixiGPT = PROVIDER, stream: bool = False, **settings: Any) -> HTTPRequest:
    return provider.encode(ChatRequest(model="pixi", messages=messages, stream=stream, options=Options(**settings)))


def sent(*messages: Message, **settings: Any) -> dict[str, Any]:
    wire: dict[str, Any] = json.loads(encode(*messages, **settings).body)
    return wire


def told(*messages: Message, **settings: Any) -> list[str]:
    return [notice.message for notice in encode(*messages, **settings).notices]


def test_the_least_request() -> None:
    request = encode(system("s"), user("q"), stream=True)
    assert json.loads(request.body) == {"enable_thinking": True, "messages": [INSTRUCTIONS, QUESTION]}
    assert (request.method, request.url, request.repeatable) == ("POST", f"{URL}/chat/completions", False)
    assert not request.notices


def test_the_largest_request() -> None:
    call = ToolCall("call_1", "get_weather", {"l": 1})
    history = (user("q"), assistant(Reasoning("t"), call), Message("tool", (ToolResult("call_1", '{"t":18}'),)))
    provider = PixiGPT(api_key=KEY, assistant_id="as_1", on_system="send")
    given: dict[str, Any] = {"temperature": 0.7, "max_tokens": 4000, "extra": {"tools": [TOOL]}}
    assert sent(system("s"), *history, provider=provider, **given) == {
        "messages": [
            INSTRUCTIONS,
            QUESTION,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"l":1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": '{"t":18}'},
        ],
        "assistant_id": "as_1",
        "temperature": 0.7,
        "max_tokens": 4000,
        "enable_thinking": True,
        "tools": [TOOL],
    }
    assert not told(system("s"), *history, provider=provider, **given)


def test_headers() -> None:
    assert dict(encode(user("q")).headers) == {
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"agentkit/{__version__}",
        "authorization": f"Bearer {KEY}",
    }


def test_by_name() -> None:
    provider = get_provider("pixigpt", api_key=KEY)
    assert isinstance(provider, PixiGPT)
    assert (provider.name, provider.base_url, provider.model) == ("pixigpt", "https://pixigpt.com/v1", "pixi")
    assert pixigpt("http://localhost:1/v1/", KEY) == PixiGPT(base_url="http://localhost:1/v1", api_key=KEY)
    assert KEY not in repr(provider)
    typed: Provider = provider
    assert typed.capabilities("pixi") == PROVIDER.capabilities("other")
    with pytest.raises(InvalidInput, match="begins with http"):
        PixiGPT(base_url="localhost")
    with pytest.raises(InvalidInput, match="no header can carry"):
        PixiGPT(api_key="ü")


def test_capabilities_are_honest() -> None:
    can = PROVIDER.capabilities("pixi")
    assert not any((can.stream, can.tool_choice, can.reasoning_in, can.json_mode, can.prefix, can.repeatable))
    assert all((can.tools, can.system_role, can.reasoning_out, can.usage, can.max_tokens))


def test_there_is_no_stream_and_no_model_in_a_request() -> None:
    wire = sent(user("q"), stream=True)
    assert not {"stream", "stream_options", "model"} & set(wire)


def test_there_is_no_prefix() -> None:
    with pytest.raises(Unsupported, match="cannot go on"):
        PROVIDER.encode(ChatRequest(model="pixi", messages=[user("a"), assistant("b")], prefix=True))


@pytest.mark.parametrize(
    ("effort", "default", "wanted"),
    [(None, True, True), (None, False, False), ("none", True, False), ("on", False, True), ("low", False, True)],
)
def test_thinking_is_always_said(effort: str | None, default: bool, wanted: bool) -> None:
    provider = PixiGPT(enable_thinking=default)
    assert sent(user("q"), provider=provider, reasoning_effort=effort)["enable_thinking"] is wanted
    assert "reasoning_effort" not in sent(user("q"), reasoning_effort=effort)
    assert ("without a degree" in " ".join(told(user("q"), reasoning_effort=effort))) == (effort == "low")


def test_the_floor_of_max_tokens_is_told() -> None:
    floor = [f"the backend raises max_tokens 100 to {THINKING_FLOOR} while thinking is on"]
    assert told(system("s"), user("q"), max_tokens=100) == floor
    assert sent(user("q"), max_tokens=100)["max_tokens"] == 100
    assert not told(system("s"), user("q"), max_tokens=THINKING_FLOOR)
    assert not told(system("s"), user("q"))
    assert not told(system("s"), user("q"), max_tokens=100, reasoning_effort="none")
    assert not told(system("s"), user("q"), max_tokens=100, extra={"enable_thinking": False})


def test_temperature_0_goes_only_as_a_field_of_the_caller() -> None:
    assert "temperature" not in sent(user("q"), temperature=0)
    assert "extra={'temperature': 0}" in told(system("s"), user("q"), temperature=0)[0]
    assert sent(user("q"), extra={"temperature": 0})["temperature"] == 0
    assert sent(user("q"), temperature=0.1)["temperature"] == 0.1
    assert not told(system("s"), user("q"), temperature=0.1)


def test_settings_it_lacks_are_left_out_with_a_notice() -> None:
    given = {"top_p": 0.5, "stop": ("x",), "seed": 1, "presence_penalty": 1.0, "frequency_penalty": 1.0}
    assert sent(user("q"), **given) == sent(user("q"))
    assert len(told(system("s"), user("q"), **given)) == len(given)


@pytest.mark.parametrize(
    ("choice", "tools", "count"),
    [("none", False, 0), ("auto", True, 0), (None, True, 0), ("required", True, 1), ({"function": "f"}, True, 1)],
)
def test_tools_can_be_forbidden_and_not_demanded(choice: Any, tools: bool, count: int) -> None:
    extra = {"tools": [TOOL], "tool_choice": choice}
    wire = sent(user("q"), extra=extra)
    assert "tool_choice" not in wire
    assert ("tools" in wire) == tools
    assert len(told(system("s"), user("q"), extra=extra)) == count
    assert extra == {"tools": [TOOL], "tool_choice": choice}


def test_the_tools_of_an_assistant_cannot_be_forbidden() -> None:
    assert told(user("q"), provider=ASSISTED, extra={"tool_choice": "none"}) == [
        "the tools of the assistant 'as_1' cannot be forbidden"
    ]


def test_without_instructions_some_are_made_up_visibly() -> None:
    assert sent(user("q"))["messages"] == [{"role": "system", "content": "You are a helpful assistant."}, QUESTION]
    assert told(user("q")) == ["the backend wants instructions; 'You are a helpful assistant.' was sent"]
    assert sent(user("q"), provider=PixiGPT(instructions="s"))["messages"] == [INSTRUCTIONS, QUESTION]
    with pytest.raises(InvalidInput, match="empty"):
        PixiGPT(instructions=" ")


def test_instructions_come_first() -> None:
    assert sent(user("q"), system("s"), assistant("a"))["messages"] == [
        INSTRUCTIONS,
        QUESTION,
        {"role": "assistant", "content": "a"},
    ]
    assert sent(system(" s"), user("q"), system("s"))["messages"][0] == {"role": "system", "content": " s"}
    assert sent(Message("system", (Text(" "),)), user("q"))["messages"][0]["content"] == PROVIDER.instructions


def test_an_assistant_has_its_own_instructions() -> None:
    assert sent(user("q"), provider=ASSISTED) == {
        "assistant_id": "as_1",
        "enable_thinking": True,
        "messages": [QUESTION],
    }
    assert not told(user("q"), provider=ASSISTED)


def test_instructions_besides_an_assistant_are_refused_unless_it_is_said_what_to_do() -> None:
    with pytest.raises(InvalidInput, match=r"'as_1' has its own instructions: .*on_system='send' or on_system='omit'"):
        encode(system("s"), user("q"), provider=ASSISTED)
    with pytest.raises(InvalidInput, match="'as_2' has its own"):
        encode(system("s"), user("q"), extra={"assistant_id": "as_2"})
    send = PixiGPT(assistant_id="as_1", on_system="send")
    assert sent(system("s"), user("q"), provider=send)["messages"] == [INSTRUCTIONS, QUESTION]
    omit = PixiGPT(assistant_id="as_1", on_system="omit")
    assert sent(system("s"), user("q"), provider=omit)["messages"] == [QUESTION]
    assert told(system("s"), user("q"), provider=omit) == [
        "instructions were left out: the assistant 'as_1' has its own"
    ]
    with pytest.raises(InvalidInput, match="on_system is 'refuse', 'send' or 'omit', not 'drop'"):
        PixiGPT(on_system="drop")  # type: ignore[arg-type]


def test_media_are_refused() -> None:
    with pytest.raises(Unsupported, match="carries no media"):
        encode(user("see", Media("image/png", data=b"x")))


@pytest.mark.parametrize("name", CASES)
def test_recorded_answer(name: str) -> None:
    chunks = check_any_cut(PROVIDER, JSON, whole_of(CASES[name]))
    assert summary(chunks) == expected(CASES[name])
    assert isinstance(chunks[-1], Finish)
    assert sum(isinstance(chunk, TextDelta) for chunk in chunks) <= 1


@pytest.mark.parametrize("name", CASES)
def test_an_answer_that_ends_early_is_never_a_success(name: str) -> None:
    body = whole_of(CASES[name])
    for place in range(len(body)):
        chunks = decode(PROVIDER, JSON, [body[:place]])
        assert isinstance(chunks[-1], Fault)
        check_shape(chunks)


def test_decoders_share_nothing() -> None:
    bodies = [whole_of(case) for case in CASES.values()]
    for one, other in zip(bodies, bodies[1:] + bodies[:1], strict=True):
        check_interleaved(PROVIDER, JSON, one, other)


def test_the_model_is_only_an_output() -> None:
    chunks = decode(PROVIDER, JSON, [whole_of(CASES["reasoning on the choice"])])
    details = next(chunk.values for chunk in chunks if isinstance(chunk, Details))
    assert details["model"] == "pixi"


def test_an_answer_that_is_streamed_all_the_same_is_read_at_its_end() -> None:
    body = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a "},"reasoning_content":"t"}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    chunks = check_any_cut(PROVIDER, EVENT_STREAM, body)
    assert (summary(chunks)["text"], summary(chunks)["reasoning"]) == ("a b", "t")


@pytest.mark.parametrize("body", ['{"choices":[{"index":0,"delta":{"content":" a"},"finish_reason":"stop"}]}'])
def test_a_choice_without_a_message_is_left_to_the_usual_reader(body: str) -> None:
    assert summary(check_any_cut(PROVIDER, JSON, body.encode()))["text"] == " a"


def test_halves_of_characters_and_other_bytes_are_told() -> None:
    body = '{"choices":[{"message":{"content":"a\\ud83d"},"finish_reason":"stop","reasoning_content":"é"}]}'
    chunks = check_any_cut(PROVIDER, JSON, body.encode())
    assert (summary(chunks)["text"], summary(chunks)["reasoning"]) == ("a\ufffd", "é")
    assert summary(check_any_cut(PROVIDER, JSON, body.encode("latin-1")))["reasoning"] == "\ufffd"
    assert summary(check_any_cut(PROVIDER, JSON, b"\xef\xbb\xbf" + body.encode()))["reasoning"] == "é"


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ('{"error":{"message":"slow down","type":"rate_limit_error"}}', RateLimited, "slow down"),
        ('{"error":"text"}', ServerError, "text"),
        ("<html><head><title>502 Bad Gateway</title></head></html>", ProtocolError, "502 Bad Gateway"),
        ("{}", ProtocolError, "the answer holds no choices"),
        ("[1]", ProtocolError, "the answer holds no JSON object"),
        ("", ProtocolError, "the answer is empty"),
        ('{"choices":[{"message":{"content":5}}]}', ProtocolError, "content is of type int"),
        ('{"choices":[{"message":{"content":"x"},"logprobs":1e999}]}', None, ""),
    ],
)
def test_a_success_that_is_none(body: str, kind: type[ProviderError] | None, said: str) -> None:
    last = check_any_cut(PROVIDER, JSON, body.encode())[-1]
    if kind is None:
        assert isinstance(last, Finish)
        return
    assert isinstance(last, Fault)
    assert type(last.error) is kind
    assert said in str(last.error)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"error":{"message":"m","type":"authentication_error","code":"c"}}', AuthError),
        (400, '{"error":{"message":"m","type":"authentication_error","code":"c"}}', AuthError),
        (429, '{"error":{"message":"m","type":"rate_limit_error","code":"c"}}', RateLimited),
        (400, '{"error":{"message":"m","type":"rate_limit_error","code":"c"}}', RateLimited),
        (503, '{"error":{"message":"m","type":"rate_limit_error","code":"c"}}', RateLimited),
        (429, '{"error":{"message":"m quota","type":"rate_limit_error","code":"quota"}}', QuotaExceeded),
        (400, '{"error":{"message":"m: wrong assistant","type":"invalid_request_error"}}', BadRequest),
        (500, '{"error":{"message":"m","type":"server_error"}}', ServerError),
        (500, '{"error":"m"}', ServerError),
        (400, '{"message":"m"}', BadRequest),
        (400, '["m"]', BadRequest),
        (502, "<html><head><title>m</title></head><body><h1>x</h1></body></html>", ServerError),
        (503, "m", ServerError),
    ],
)
def test_refusals_have_types(status: int, body: str, kind: type[ProviderError]) -> None:
    head = ResponseHead(status, {"retry-after": "7", "x-request-id": "r1"})
    error = PROVIDER.decode_error(head, body.encode())
    assert type(error) is kind
    assert (error.status, error.body, error.retry_after, error.request_id) == (status, body, 7.0, "r1")
    assert ": m" in str(error) or '"m"' in str(error)
    if '"code":"c"' in body:
        assert (error.code, error.type) == ("c", json.loads(body)["error"]["type"])


def test_the_key_is_in_no_error() -> None:
    error = PROVIDER.decode_error(ResponseHead(401, {}), f'{{"error":{{"message":"bad key {KEY}"}}}}'.encode())
    assert KEY not in str(error) + error.body


TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(["\ud83d", "<think>", '"', "\x00", " "])
CALL = st.builds(ToolCall, TEXT, TEXT, st.dictionaries(TEXT, st.none() | st.floats() | TEXT, max_size=2)) | st.builds(
    ToolCall.parse, TEXT, TEXT, TEXT
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


@given(st.lists(MESSAGE, max_size=8))
@settings(max_examples=300, deadline=None)
def test_every_history_becomes_a_valid_request(messages: list[Message]) -> None:
    request = PROVIDER.encode(ChatRequest(model="pixi", messages=messages))
    made = json.loads(request.body, parse_constant=pytest.fail)["messages"]
    assert made[0]["role"] == "system"
    assert made[0]["content"].strip()
    for provider in (PixiGPT(assistant_id="a", on_system="send"), PixiGPT(assistant_id="a", on_system="omit")):
        json.loads(provider.encode(ChatRequest(model="pixi", messages=messages)).body, parse_constant=pytest.fail)


SCRAPS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b'{"choices":[{"message":',
            b'{"content":"<think>x"}}]}',
            b'"reasoning_content":',
            b"[" * 300,
            b'{"a":' * 300,
            b"data: ",
            b"\n\n",
        ]
    ),
)


@given(st.lists(SCRAPS, max_size=8), st.data())
@settings(max_examples=300, deadline=None)
def test_garbage_never_raises(scraps: list[bytes], data: st.DataObject) -> None:
    body = b"".join(scraps)
    place = data.draw(st.integers(0, len(body)))
    whole = decode(PROVIDER, JSON, [body], 1024)
    assert list(map(repr, decode(PROVIDER, JSON, [body[:place], body[place:]], 1024))) == list(map(repr, whole))
    check_shape(whole)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["index", "message", "content", "reasoning_content", "tool_calls", "finish_reason", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["choices", "usage", "error", "id"]), JSON_VALUES, max_size=4), JSON_VALUES)
@settings(max_examples=300, deadline=None)
def test_any_json_never_raises(value: dict[str, Any], choice: Any) -> None:
    check_shape(decode(PROVIDER, JSON, [json.dumps(value).encode()]))
    check_shape(decode(PROVIDER, JSON, [json.dumps({"choices": [choice]}).encode()]))
    error = PROVIDER.decode_error(ResponseHead(400, {}), json.dumps(value).encode())
    assert isinstance(error, ProviderError)
