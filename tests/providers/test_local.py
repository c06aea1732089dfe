"""Local servers: where they are, what each can do, and what each must not be sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from provider_contract import EVENT_STREAM, JSON, check_any_cut, decode, summary

from agentkit.errors import (
    BadRequest,
    ContextOverflow,
    ProtocolError,
    ProviderError,
    RateLimited,
    ServerError,
    Unsupported,
)
from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, assistant, system, user
from agentkit.options import Options
from agentkit.provider import ChatRequest, Counting, Fault, HTTPRequest, Provider
from agentkit.providers import capability_table, get_provider
from agentkit.providers._openai_dialect import is_gpt_oss
from agentkit.providers.openai_chat import OpenAIChat

PORTS = {
    "vllm": 8000,
    "llamacpp": 8080,
    "ollama": 11434,
    "lmstudio": 1234,
    "sglang": 30000,
    "transformers": 8000,
    "mlx": 8080,
    "parallax": 3001,
    "gpt-oss": 8000,
}
GPT_OSS = "openai/gpt-oss-20b"
TEMPLATED = ["llamacpp", "sglang", "transformers", "mlx", "gpt-oss"]


def encode(name: str, *messages: Message, model: str = GPT_OSS, **settings: Any) -> HTTPRequest:
    return get_provider(name).encode(ChatRequest(model=model, messages=messages, **settings))


def sent(name: str, *messages: Message, **settings: Any) -> dict[str, Any]:
    wire: dict[str, Any] = json.loads(encode(name, *messages, **settings).body)
    return wire


@pytest.mark.parametrize("name", PORTS)
def test_where_it_is(name: str) -> None:
    provider = get_provider(name, api_key="k")
    assert isinstance(provider, OpenAIChat)
    assert (provider.name, provider.api_key) == (name, "k")
    assert provider.base_url == f"http://localhost:{PORTS[name]}/v1"
    for base in ("http://host:9", "http://host:9/", "http://host:9/v1", "http://host:9/v1/"):
        assert get_provider(name, base_url=base).base_url == "http://host:9/v1"
    assert get_provider(name, base_url="http://host/mine/v1").base_url == "http://host/mine/v1"


@pytest.mark.parametrize(
    ("model", "is_one"),
    [
        ("gpt-oss:20b", True),
        ("openai/gpt-oss-120b", True),
        ("GPT OSS 120B", True),
        ("ggml-org_gpt_oss-20b-GGUF", True),
        ("gpt-4o", False),
        ("qwen3", False),
    ],
)
def test_gpt_oss_by_its_names(model: str, is_one: bool) -> None:
    assert is_gpt_oss(model) is is_one


@pytest.mark.parametrize(
    ("name", "model", "prefix", "repeats"),
    [
        ("vllm", "qwen3", True, False),
        ("vllm", GPT_OSS, False, None),
        ("llamacpp", "qwen3", True, True),
        ("llamacpp", GPT_OSS, True, True),
        ("ollama", "qwen3", False, None),
        ("ollama", GPT_OSS, True, None),
        ("sglang", "qwen3", True, None),
        ("sglang", GPT_OSS, False, None),
        *((name, model, False, None) for name in ("lmstudio", "mlx", "parallax") for model in ("qwen3", GPT_OSS)),
        ("transformers", "qwen3", False, None),
        ("gpt-oss", "default", False, None),
        ("gravixlayer", "m", False, None),
    ],
)
def test_who_goes_on_with_a_reply(name: str, model: str, prefix: bool, repeats: bool | None) -> None:
    can = get_provider(name).capabilities(model)
    assert (can.prefix, can.repeats_prefix) == (prefix, repeats)


FLAGS = {"continue_final_message", "add_generation_prompt"}


@pytest.mark.parametrize(
    ("name", "model", "fields"),
    [
        ("vllm", "qwen3", {"continue_final_message": True, "add_generation_prompt": False}),
        ("vllm", GPT_OSS, {}),
        ("sglang", "qwen3", {"continue_final_message": True}),
        ("sglang", GPT_OSS, {}),
        ("llamacpp", GPT_OSS, {}),
        ("ollama", GPT_OSS, {}),
        ("transformers", "qwen3", {}),
    ],
)
def test_how_it_is_asked_to_go_on(name: str, model: str, fields: dict[str, Any]) -> None:
    wire = sent(name, user("q"), assistant("Once"), model=model, prefix=True)
    assert {field: wire[field] for field in FLAGS & set(wire)} == fields
    assert wire["messages"][-1] == {"role": "assistant", "content": "Once"}
    assert not FLAGS & set(sent(name, user("q"), model=model))


@pytest.mark.parametrize("name", [*PORTS, "gravixlayer"])
def test_counts_are_asked_for_where_the_server_knows_the_question(name: str) -> None:
    assert ("stream_options" in sent(name, user("q"))) == (name != "transformers")
    assert "stream_options" not in sent(name, user("q"), stream=False)


def test_a_server_that_does_not_count_is_not_asked() -> None:
    provider = get_provider("ollama")
    assert isinstance(provider, Counting)
    with pytest.raises(StopIteration) as end:
        next(provider.count(ChatRequest(model=GPT_OSS, messages=[user("q")])))
    assert end.value.value is None


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize("model", [GPT_OSS, "qwen3"])
def test_only_efforts_that_every_server_takes(name: str, model: str) -> None:
    for effort in ("low", "medium", "high"):
        request = encode(name, user("q"), model=model, options=Options(reasoning_effort=effort))
        assert (json.loads(request.body).get("reasoning_effort") == effort) == (name != "transformers")
        assert bool(request.notices) == (name == "transformers")
    for effort in ("none", "minimal", "xhigh"):
        request = encode(name, user("q"), model=model, options=Options(reasoning_effort=effort))
        assert "reasoning_effort" not in json.loads(request.body)
        assert [repr(effort) in notice.message for notice in request.notices] == [True]


@pytest.mark.parametrize("name", PORTS)
def test_one_name_for_the_limit(name: str) -> None:
    wire = sent(name, user("q"), options=Options(max_tokens=9))
    assert wire["max_tokens"] == 9
    assert "max_completion_tokens" not in wire
    assert not {"tools", "tool_choice"} & set(wire)


def test_parallax_is_always_told_its_limit_and_the_settings_twice() -> None:
    wire = sent("parallax", user("q"))
    assert wire["max_tokens"] == 2048
    assert "sampling_params" not in wire
    wire = sent("parallax", user("q"), options=Options(temperature=0, top_p=0.5, seed=1, max_tokens=5))
    assert (wire["temperature"], wire["top_p"], wire["seed"], wire["max_tokens"]) == (0, 0.5, 1, 5)
    assert wire["sampling_params"] == {"temperature": 0, "top_p": 0.5}


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("vllm", {"reasoning", "reasoning_content"}),
        ("llamacpp", {"reasoning_content"}),
        ("ollama", {"reasoning"}),
        ("sglang", {"reasoning_content"}),
        ("transformers", {"reasoning_content"}),
        ("gpt-oss", {"reasoning", "reasoning_content"}),
        ("gravixlayer", set[str]()),
    ],
)
def test_the_names_that_thinking_goes_back_under(name: str, names: set[str]) -> None:
    loop = assistant(Reasoning("r"), ToolCall("c", "f"))
    wire = sent(name, user("q"), loop, Message("tool", (ToolResult("c", "x"),)))["messages"][1]
    assert {key for key, value in wire.items() if value == "r"} == names
    assert wire["content"] == ""


TWO = assistant(Reasoning("r"), "t", ToolCall("a", "f", {"x": 1}), ToolCall("b", "g"))


def results(*idents: str) -> Message:
    return Message("tool", tuple(ToolResult(ident, ident.upper()) for ident in idents))


def shape(messages: list[dict[str, Any]]) -> list[str]:
    """Each message as a word: its calls, the call it answers, or its role."""
    return [
        "+".join(call["id"] for call in message.get("tool_calls", ())) or message.get("tool_call_id") or message["role"]
        for message in messages
    ]


@pytest.mark.parametrize("name", TEMPLATED)
@pytest.mark.parametrize("answers", [[results("a", "b")], [results("b"), results("a")]])
def test_parallel_calls_go_in_pairs(name: str, answers: list[Message]) -> None:
    messages = sent(name, user("q"), TWO, *answers, user("next"))["messages"]
    assert shape(messages) == ["user", "a", "a", "b", "b", "user"]
    assert [message["content"] for message in messages] == ["q", "t", "A", "", "B", "next"]
    later = sent(name, user("q"), TWO, *answers, assistant("x"))["messages"]
    assert shape(later) == ["user", "a", "a", "b", "b", "assistant"]


@pytest.mark.parametrize("name", TEMPLATED)
def test_thinking_and_text_of_a_call_go_as_one(name: str) -> None:
    first, second = sent(name, user("q"), TWO, results("a", "b"))["messages"][1::2]
    assert (first["content"], first["reasoning_content"]) == ("", "r\n\nt")
    assert (second["content"], "reasoning_content" in second) == ("", False)


def test_pairs_keep_what_has_no_partner() -> None:
    assert shape(sent("gpt-oss", TWO, results("z", "b"))["messages"]) == ["a", "b", "b", "z"]
    assert shape(sent("gpt-oss", user("q"), TWO)["messages"]) == ["user", "a", "b"]
    one = assistant(ToolCall("a", "f"))
    assert shape(sent("gpt-oss", one, results("a"), one, results("a"))["messages"]) == ["a", "a", "a", "a"]


@pytest.mark.parametrize(
    ("name", "model"), [("vllm", GPT_OSS), ("ollama", GPT_OSS), ("llamacpp", "qwen3"), ("lmstudio", GPT_OSS)]
)
def test_parallel_calls_stay_together_where_they_are_read(name: str, model: str) -> None:
    messages = sent(name, user("q"), TWO, results("a", "b"), model=model)["messages"]
    assert shape(messages) == ["user", "a+b", "a", "b"]
    assert messages[1]["content"] == "t"


@pytest.mark.parametrize("name", PORTS)
def test_one_system_message(name: str) -> None:
    history = [system("one"), user("q"), system("two"), assistant("a"), system("three"), user("n")]
    messages = sent(name, *history)["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"] == "one\n\ntwo\n\nthree"
    assert shape(sent(name, system("one"), user("q"))["messages"]) == ["system", "user"]
    assert sent(name, user("q"), system("late"), user("n"))["messages"][0]["content"] == "late"
    with pytest.raises(Unsupported):
        encode(name, user("q"), Message("system", (Text("x"), Media("image/png", url="http://h/x"))))


def test_other_models_get_the_history_as_it_is() -> None:
    history = [system("one"), user("q"), system("two"), user("n")]
    assert shape(sent("vllm", *history, model="qwen3")["messages"]) == ["system", "user", "system", "user"]


LEAK = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>"


@pytest.mark.parametrize("name", PORTS)
def test_leaked_tokens_do_not_go_back(name: str) -> None:
    messages = sent(name, user(LEAK), assistant(LEAK), user("n"), assistant(LEAK[:-10]))["messages"]
    assert [message["content"] for message in messages] == [LEAK, "Hi", "n", "Hi"]
    only = "<|channel|>analysis<|message|>hm"
    assert shape(sent(name, user("q"), assistant(only), user("n"))["messages"]) == ["user", "user"]


def test_one_message_serves_several_backends() -> None:
    history = [user("q"), TWO, results("a", "b"), assistant(LEAK), user("n"), assistant(Reasoning("r"), LEAK)]
    backends = [("openai", "m"), ("vllm", "m"), ("vllm", GPT_OSS), ("gpt-oss", "m"), ("ollama", "m")]
    for name, model in backends:
        fresh = [Message(message.role, message.parts) for message in history]
        assert encode(name, *history, model=model).body == encode(name, *fresh, model=model).body


@pytest.mark.parametrize("name", PORTS)
@pytest.mark.parametrize(
    "call",
    [
        ToolCall.parse("c", "f", ""),
        ToolCall.parse("c", "f", '{"a"'),
        ToolCall("c", "f", {}, raw="[1]"),
        ToolCall("c", "f"),
    ],
)
def test_arguments_are_an_object_and_content_is_a_text(name: str, call: ToolCall) -> None:
    wire = sent(name, user("q"), assistant(call), results("c"))["messages"][1]
    assert wire["tool_calls"][0]["function"]["arguments"] == "{}"
    assert wire["content"] == ""


def test_a_table_of_what_each_can_do() -> None:
    head, rule, *rows = capability_table().splitlines()
    assert head.startswith("| backend | stream | tools |")
    assert set(rule) <= set("|- ")
    cells = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows}
    assert {"openai", "vllm", "vllm, gpt-oss", "gravixlayer", "parallax"} <= set(cells)
    assert "gpt-oss, gpt-oss" not in cells
    place = [cell.strip() for cell in head.split("|")[2:-1]].index("prefix")
    assert (cells["vllm"][place], cells["vllm, gpt-oss"][place]) == ("yes", "no")
    assert all(len(row.split("|")) == len(head.split("|")) for row in rows)


# what leaks, as each server sends it

ARGS = '{"city":"Oslo"}'
HARMONY = [
    "<|channel|>",
    "analysis",
    "<|message|>",
    "hm",
    "<|end|>",
    "<|start|>",
    "assistant",
    "<|chan",
    "nel|>comment",
    'ary to=functions.f <|constrain|>json<|message|>{"city":',
    '"Oslo"}<|call|>',
]
LEAKS: list[tuple[str, list[str], str, str, list[list[str]]]] = [
    *(
        (name, HARMONY, "", "hm", [["call_0", "f", ARGS]])
        for name in ("llamacpp", "lmstudio", "mlx", "gpt-oss", "parallax")
    ),
    ("parallax", ["<think>", "\nh", "m</thi", "nk>\n\n", "Hi <b", ">"], "Hi <b>", "hm", []),
    ("gpt-oss", ["anal", "ysisWe", " thinkassis", "tantfinal", "Hi"], "Hi", "We think", []),
    ("sglang", ["analysisWe"], "analysisWe", "", []),
    ("vllm", ["<|channel|>"], "<|channel|>", "", []),
]


def answer(pieces: list[str]) -> bytes:
    frames: list[dict[str, Any]] = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    frames.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    return "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames).encode()


@pytest.mark.parametrize(("name", "pieces", "text", "thought", "calls"), LEAKS)
def test_a_leak_is_read_as_what_it_is(
    name: str, pieces: list[str], text: str, thought: str, calls: list[list[str]]
) -> None:
    wanted = {
        "text": text,
        "reasoning": thought,
        "calls": calls,
        "finish": "tool_calls" if calls else "stop",
        "usage": None,
    }
    provider: Provider = get_provider(name)
    assert summary(check_any_cut(provider, EVENT_STREAM, answer(pieces))) == wanted
    whole = {"choices": [{"message": {"content": "".join(pieces)}, "finish_reason": "stop"}]}
    assert summary(decode(provider, JSON, [json.dumps(whole).encode()])) == wanted


@pytest.mark.parametrize("name", ["gpt-oss", "parallax"])
def test_what_is_held_back_comes_before_a_fault(name: str) -> None:
    body = b'data: {"choices":[{"delta":{"content":"a <|e"}}]}\n\n'
    found = summary(decode(get_provider(name), EVENT_STREAM, [body]))
    assert (found["text"], found["finish"]) == ("a <|e", None)


def test_a_polluted_name_is_cut() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "functions.f<|channel|>commentary", "arguments": "{}"}}
    body = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    for name in PORTS:
        assert summary(decode(get_provider(name), JSON, [json.dumps(body).encode()]))["calls"] == [["c", "f", "{}"]]


BROKEN: list[tuple[str, str, type[ProviderError], str]] = [
    (
        "vllm",
        'data: {"error":{"message":"engine died","type":"InternalServerError","code":500}}\n\n',
        ServerError,
        "engine",
    ),
    ("llamacpp", 'data: {"error":{"code":500,"message":"lost a slot","type":"server_error"}}\n\n', ServerError, "slot"),
    (
        "llamacpp",
        'error: {"code":400,"message":"the request exceeds the available context size","type":"t"}\n\n',
        ContextOverflow,
        "context size",
    ),
    (
        "lmstudio",
        'event: error\ndata: {"error":"Trying to keep the first 5000 tokens","message":"x"}\n\n',
        ContextOverflow,
        "5000",
    ),
    ("lmstudio", "", ProtocolError, "empty"),
    ("ollama", 'data: {"id":"","object":"","created":0,"model":"","choices":null}\n\n', ProtocolError, "finish reason"),
    (
        "sglang",
        'data: {"error":{"object":"error","message":"bad","type":"BadRequestError","code":400}}\n\n',
        BadRequest,
        "bad",
    ),
    ("transformers", 'data: {"error": "a "quoted" word"}\n\n', ServerError, '"quoted"'),
    ("mlx", ": keepalive 1/2\n\n", ProtocolError, "finish reason"),
    (
        "parallax",
        (
            'data: {"id":"1","object":"chat.completion.chunk","error":{"message":"no node","type":"x","code":500}}\n\n'
            'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n'
        ),
        ServerError,
        "no node",
    ),
    ("parallax", '{"error":{"message":"upstream","type":"upstream_error","code":null}}', ServerError, "upstream"),
    ("gravixlayer", 'data:{"error":{"code":"rate_limited","message":"slow"}}\n\n', RateLimited, "slow"),
    ("gpt-oss", 'data: {"detail":"no model"}\n\n', ServerError, "no model"),
]


@pytest.mark.parametrize(("name", "body", "kind", "words"), BROKEN)
@pytest.mark.parametrize("before", ["", 'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'])
def test_how_each_breaks_off(name: str, body: str, kind: type[ProviderError], words: str, before: str) -> None:
    for rest in ("", "data: [DONE]\n\n") if body.startswith("data") else ("",):
        chunks = check_any_cut(get_provider(name), EVENT_STREAM, (before + body + rest).encode())
        assert summary(chunks)["text"] == ("Hi" if before else "")
        assert isinstance(chunks[-1], Fault)
        assert type(chunks[-1].error) is kind, chunks[-1].error
        assert before or rest or words in str(chunks[-1].error)
