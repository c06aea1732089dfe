"""Each profile shows what is recorded of its server: the forms of answers, streams, calls, ends, counts and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from accent_client import OPENAI_LIKE, chat, path_of, send, stream
from attrs import field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_client import assistant, tool_schema, user

from agentkit.sim import Simulator

TOOL = tool_schema("weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
CALL = 'call weather with {"city": "Oslo, Norway"}'
VLLM = ("vllm-0.11", "vllm-0.12", "vllm-0.33")
LLAMACPP = ("llamacpp-2025", "llamacpp-2026")


@frozen(kw_only=True)
class Facts:
    """What is recorded of one server."""

    first: dict[str, Any] | None = field(factory=lambda: {"role": "assistant", "content": ""})
    """The delta of an event before the first word."""
    reasoning: tuple[str, ...] = ("reasoning_content",)
    content: dict[str, Any] = field(factory=lambda: {"content": "one"})
    """The delta of the first word."""
    second: dict[str, Any] = field(factory=lambda: {"content": " two"})
    last: dict[str, Any] = field(factory=dict)
    calls: str = "pieces"
    cut_call: str = "length"
    done: bool = True
    server: str | None = None
    system_fingerprint: str | None = None
    model: str = "sim"
    pads: frozenset[str] = frozenset()
    """Names that a whole message has even where they say nothing."""


VLLM_PADS = frozenset({"refusal", "annotations", "audio", "function_call"})
ROLE = {"role": "assistant"}
FACTS = {
    "openai": Facts(system_fingerprint="simulator"),
    "vllm-0.11": Facts(cut_call="tool_calls", server="uvicorn", pads=VLLM_PADS | {"tool_calls"}),
    "vllm-0.12": Facts(reasoning=("reasoning", "reasoning_content"), server="uvicorn", pads=VLLM_PADS | {"tool_calls"}),
    "vllm-0.33": Facts(reasoning=("reasoning",), server="uvicorn", pads=VLLM_PADS),
    "llamacpp-2025": Facts(
        first={"role": "assistant", "content": None},
        calls="glued",
        server="llama.cpp",
        system_fingerprint="b6153-a1b2c3d",
        model="gpt-oss-20b-mxfp4.gguf",
    ),
    "llamacpp-2026": Facts(
        first={"role": "assistant", "content": None},
        calls="glued",
        server="llama.cpp",
        system_fingerprint="b1-0c1e570",
        model="gpt-oss-20b-mxfp4.gguf",
    ),
    "ollama": Facts(
        first=None,
        reasoning=("reasoning",),
        content={**ROLE, "content": "one"},
        calls="whole",
        system_fingerprint="fp_ollama",
    ),
    "lmstudio": Facts(
        first=None,
        content={**ROLE, "content": "one"},
        calls="nulls",
        system_fingerprint="openai/gpt-oss-20b",
    ),
    "sglang": Facts(
        first={"role": "assistant", "content": "", "reasoning_content": None, "tool_calls": None},
        content={"content": "one", "reasoning_content": None},
        second={"content": " two", "reasoning_content": None},
        last={"reasoning_content": None},
        server="uvicorn",
        pads=frozenset({"reasoning_content", "tool_calls"}),
    ),
    "transformers": Facts(calls="whole", cut_call="tool_calls", done=False, server="uvicorn", system_fingerprint=""),
    "mlx": Facts(
        first=None,
        reasoning=("reasoning",),
        content={**ROLE, "content": "one"},
        second={**ROLE, "content": " two"},
        calls="whole",
        server="BaseHTTP/0.6 Python/3.12.8",
    ),
    "parallax-2025": Facts(
        first=None,
        reasoning=(),
        content={**ROLE, "content": "one"},
        second={"role": None, "content": " two"},
        last={"role": None, "content": None},
        calls="whole",
        server="uvicorn",
        model="default",
        pads=frozenset({"reasoning_content", "tool_calls"}),
    ),
    "parallax-2026": Facts(reasoning=("reasoning",), pads=VLLM_PADS),
    "gravixlayer": Facts(),
}


def test_each_profile_has_its_facts() -> None:
    assert tuple(FACTS) == OPENAI_LIKE


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_the_form_of_a_stream(profile: str) -> None:
    facts = FACTS[profile]
    heard = stream(profile, "say one two three")
    begin = [] if facts.first is None else [facts.first]
    assert heard.deltas[: len(begin) + 2] == [*begin, facts.content, facts.second]
    assert heard.deltas[-1] == facts.last
    assert heard.finish == ["stop"]
    assert heard.done is facts.done
    assert heard.said() == "one two three"
    assert {event["model"] for event in heard.events} == {facts.model}
    assert {event.get("system_fingerprint") for event in heard.events} == {facts.system_fingerprint}
    assert len({event["id"] for event in heard.events}) == 1
    assert heard.headers.get("server") == facts.server


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_a_whole_message(profile: str) -> None:
    facts = FACTS[profile]
    value = chat(profile, "say one two").value
    message = value["choices"][0]["message"]
    assert {name for name in message if name not in ("role", "content")} == facts.pads
    assert (message["content"], value["choices"][0]["finish_reason"]) == ("one two", "stop")
    assert (value["model"], value["object"]) == (facts.model, "chat.completion")
    assert value["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_where_reasoning_stands(profile: str) -> None:
    facts = FACTS[profile]
    heard = stream(profile, "think 2 words. say hi")
    message = chat(profile, "think 2 words. say hi").value["choices"][0]["message"]
    for name in ("reasoning", "reasoning_content"):
        assert bool(heard.said(name)) is (name in facts.reasoning)
        assert bool(message.get(name)) is (name in facts.reasoning)
    if not facts.reasoning:
        assert message["content"].startswith("<think>\n")
        assert message["content"].endswith("\n</think>\n\nhi")
        assert heard.said() == message["content"]


def calls_of(heard: Any) -> list[dict[str, Any]]:
    return [piece for delta in heard.deltas for piece in delta.get("tool_calls") or ()]


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_a_call_in_a_stream(profile: str) -> None:
    heard = stream(profile, CALL, tools=[TOOL])
    first, *rest = calls_of(heard)
    assert (first["index"], first["type"], first["function"]["name"]) == (0, "function", "weather")
    assert heard.finish == ["tool_calls"]
    arguments = first["function"]["arguments"]
    match FACTS[profile].calls:
        case "whole":
            assert rest == []
        case "glued":
            assert arguments == '{"city":'
        case "nulls":
            assert arguments == ""
            assert {(piece["id"], piece["type"], piece["function"]["name"]) for piece in rest} == {(None, None, None)}
        case _:
            assert arguments == ""
            assert all(
                set(piece) == {"index", "function"} and set(piece["function"]) == {"arguments"} for piece in rest
            )
    arguments += "".join(piece["function"]["arguments"] for piece in rest)
    assert json.loads(arguments) == {"city": "Oslo, Norway"}


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_several_calls_keep_apart(profile: str) -> None:
    heard = stream(profile, "call weather 2 times", tools=[TOOL])
    assert {piece["index"] for piece in calls_of(heard)} == {0, 1}
    calls = chat(profile, "call weather 2 times", tools=[TOOL]).value["choices"][0]["message"]["tool_calls"]
    assert len({call["id"] for call in calls}) == 2


@pytest.mark.parametrize("profile", OPENAI_LIKE)
@pytest.mark.parametrize("limit", [1, 2])
def test_a_call_that_a_limit_cuts(profile: str, limit: int) -> None:
    facts = FACTS[profile]
    heard = stream(profile, CALL, tools=[TOOL], max_tokens=limit)
    choice = chat(profile, CALL, tools=[TOOL], max_tokens=limit).value["choices"][0]
    assert heard.finish == [facts.cut_call]
    assert choice["finish_reason"] == facts.cut_call
    sent = "".join(piece["function"]["arguments"] for piece in calls_of(heard))
    if facts.calls == "whole":
        assert (sent, choice["message"].get("tool_calls")) == ("", None)
    else:
        assert sent == choice["message"]["tool_calls"][0]["function"]["arguments"]
        assert sent == ("" if limit == 1 else '{"city":')


@pytest.mark.parametrize(
    ("profile", "asked", "unasked"),
    [
        *((name, "own", "none") for name in OPENAI_LIKE if name not in ("transformers", "parallax-2025")),
        ("transformers", "last", "last"),
        ("parallax-2025", "each", "each"),
    ],
)
def test_where_the_counts_are(profile: str, asked: str, unasked: str) -> None:
    for options, where in (({"stream_options": {"include_usage": True}}, asked), ({}, unasked)):
        heard = stream(profile, "say one two", **options)
        counted = [event for event in heard.events if event.get("usage")]
        match where:
            case "own":
                assert counted == heard.events[-1:]
                assert counted[0]["choices"] == []
            case "last":
                assert counted == heard.events[-1:]
                assert counted[0]["choices"][0]["finish_reason"] == "stop"
            case "each":
                assert counted == heard.events
                assert [event["usage"]["completion_tokens"] for event in counted] == [1, 2, 2]
            case _:
                assert counted == []


@pytest.mark.parametrize("profile", ["vllm-0.33", "openai"])
def test_counts_on_each_event_where_asked_for(profile: str) -> None:
    heard = stream(profile, "say a b", stream_options={"include_usage": True, "continuous_usage_stats": True})
    assert [event["usage"]["completion_tokens"] for event in heard.events if event.get("usage")] == [0, 1, 2, 2]


LIMITS = dict.fromkeys(OPENAI_LIKE, (2, 2)) | {"ollama": (2, 30), "parallax-2025": (2, 30)}
DEFAULTS = {"transformers": 1024, "mlx": 512, "parallax-2025": 2048, "parallax-2026": 128}


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_which_name_of_the_limit_counts(profile: str) -> None:
    def fields(name: str) -> dict[str, Any]:
        return {name: 2}

    got = tuple(
        chat(profile, "write 30 words", **fields(name)).value["usage"]["completion_tokens"]
        for name in ("max_tokens", "max_completion_tokens")
    )
    assert got == LIMITS[profile]
    made = chat(profile, "write 3000 words", simulator=Simulator(window=20_000)).value["usage"]["completion_tokens"]
    assert made == DEFAULTS.get(profile, 3000)


BEGUN = [user("count to 9"), assistant("1, 2, 3,")]
FLAGS = {"continue_final_message": True, "add_generation_prompt": False}
ANEW = "1, 2, 3, 4, 5, 6, 7, 8, 9"
ON = " 4, 5, 6, 7, 8, 9"
CONTINUED: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("openai", "sim", {}, ON, ON),
    *((name, "sim", {}, ANEW, ANEW) for name in VLLM),
    *((name, "sim", FLAGS, ON, ON) for name in VLLM),
    *((name, "sim", {**FLAGS, "echo": True}, ANEW, ANEW) for name in VLLM),
    *((name, "openai/gpt-oss-20b", FLAGS, ANEW, ANEW) for name in VLLM),
    ("llamacpp-2026", "sim", {}, ANEW, ANEW),
    ("llamacpp-2026", "gpt-oss-20b", {"echo": False}, ANEW, ANEW),
    ("llamacpp-2026", "gpt-oss-20b", {"continue_final_message": False}, ANEW, ANEW),
    ("llamacpp-2026", "gpt-oss-20b", FLAGS, ANEW, ON),
    ("llamacpp-2026", "gpt-oss-20b", {**FLAGS, "continue_final_message": "content"}, ANEW, ON),
    ("llamacpp-2026", "gpt-oss-20b", {**FLAGS, "echo": True}, ANEW, ANEW),
    ("ollama", "gpt-oss:20b", {}, ON, ON),
    ("ollama", "qwen3:8b", {}, ANEW, ANEW),
    ("lmstudio", "sim", {}, ANEW, ANEW),
    ("sglang", "sim", {"continue_final_message": True}, ON, ON),
    ("sglang", "gpt-oss-20b", {"continue_final_message": True}, ANEW, ANEW),
    ("transformers", "sim", {}, ANEW, ANEW),
    ("mlx", "sim", {}, ANEW, ANEW),
    ("parallax-2025", "sim", {}, ANEW, ANEW),
    ("parallax-2026", "sim", FLAGS, ON, ON),
    ("gravixlayer", "sim", {}, ANEW, ANEW),
]


@pytest.mark.parametrize(("profile", "model", "fields", "whole", "streamed"), CONTINUED)
def test_a_message_of_the_assistant_at_the_end(
    profile: str, model: str, fields: dict[str, Any], whole: str, streamed: str
) -> None:
    value = chat(profile, BEGUN, model=model, **fields).value
    assert value["choices"][0]["message"]["content"] == whole
    assert stream(profile, BEGUN, model=model, **fields).said() == streamed


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_the_same_seed_gives_the_same_bytes(profile: str) -> None:
    asked: dict[str, Any] = {"tools": [TOOL], "stream": True}
    words = ("think first, write 30 words", "call weather 2 times", "hello")
    made = [
        [chat(profile, text, simulator=simulator, **asked).data for text in words]
        for simulator in (Simulator(seed=4), Simulator(seed=4), Simulator(seed=5))
    ]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_what_is_repeated_is_glued_to_the_first_new_word_and_not_counted() -> None:
    heard = stream("llamacpp-2026", BEGUN, stream_options={"include_usage": True})
    assert heard.deltas[1] == {"content": "1, 2, 3, 4,"}
    assert heard.events[-1]["usage"]["completion_tokens"] == 6
    thought = [user("think 4 words, say yes sir"), assistant("yes", reasoning_content="Silence.")]
    heard = stream("llamacpp-2026", thought)
    assert (heard.said(), heard.said("reasoning_content")) == ("yes sir", "Silence.")
    whole = stream("llamacpp-2026", "think 4 words, say yes").said("reasoning_content")
    cut = [user("think 4 words, say yes"), assistant("", reasoning_content=whole[:5])]
    heard = stream("llamacpp-2026", cut)
    assert (heard.said(), heard.said("reasoning_content")) == ("yes", whole)
    over = stream("llamacpp-2026", [user("say yes"), assistant("yes", reasoning_content="Hm.")])
    assert (over.said(), over.said("reasoning_content"), over.finish) == ("yes", "Hm.", ["stop"])


def test_another_answer_is_another_one() -> None:
    """What does not go on begins anew, and a model never says the same twice."""
    first = chat("lmstudio", "write 20 words").value["choices"][0]["message"]["content"]
    again = chat("lmstudio", [user("write 20 words"), assistant(first[:40])]).value["choices"][0]["message"]["content"]
    assert again != first
    assert not again.startswith(first[:40])


def test_sglang_takes_the_beginning_of_a_reply_for_words_of_the_user() -> None:
    heard = stream("sglang", [user("count to 9"), assistant("say parrot")])
    assert heard.said() == "parrot"


@pytest.mark.parametrize(
    ("profile", "messages", "fields", "words"),
    [
        ("llamacpp-2025", BEGUN, {}, "prefill is incompatible with enable_thinking"),
        ("llamacpp-2026", [*BEGUN, assistant("4")], {}, "2 or more assistant messages"),
        ("llamacpp-2026", BEGUN, {"continue_final_message": True}, "Cannot set both"),
        ("vllm-0.33", BEGUN, {"continue_final_message": True}, "Cannot set both"),
        ("vllm-0.11", BEGUN, {"continue_final_message": True, "add_generation_prompt": True}, "Cannot set both"),
    ],
)
def test_a_beginning_that_is_refused(profile: str, messages: Any, fields: dict[str, Any], words: str) -> None:
    simulator = Simulator()
    answer = chat(profile, messages, simulator=simulator, **fields)
    assert (answer.status, words in answer.value["error"]["message"]) == (400, True)
    assert not simulator.clean()


STRICT: Any = {
    "type": "object",
    "properties": {"a": {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "null"}]}},
    "required": ["a"],
    "additionalProperties": False,
    "$defs": {"b": {"type": "object", "properties": {}, "required": [], "additionalProperties": False}},
}
OPEN: Any = {**STRICT, "$defs": {"b": {"type": "object", "properties": {}}}}
LACKING: Any = {**STRICT, "required": []}


def strict_tool(schema: Any) -> Any:
    return {"type": "function", "function": {"name": "weather", "parameters": schema, "strict": True}}


def shape_of(schema: Any, **more: Any) -> Any:
    return {"type": "json_schema", "json_schema": {"schema": schema, **more}}


NAMED: Any = {"type": "function", "function": {"name": "weather"}}
OTHER: Any = {"type": "function", "function": {"name": "moon"}}
CHOOSING = tuple(
    name for name in OPENAI_LIKE if name not in (*LLAMACPP, "ollama", "transformers", "parallax-2025", "lmstudio")
)

REFUSED: list[tuple[str, dict[str, Any], int]] = [
    *((name, {"reasoning_effort": "minimal"}, 400) for name in VLLM[:2]),
    ("vllm-0.33", {"reasoning_effort": "none", "model": "gpt-oss-20b"}, 400),
    ("vllm-0.33", {"tools": []}, 400),
    ("vllm-0.33", {"stream_options": {"include_usage": True}}, 400),
    ("ollama", {"reasoning_effort": "very"}, 400),
    ("ollama", {"messages": [user("x"), {"role": "assistant", "content": None, "reasoning": "hm"}, user("x")]}, 400),
    ("llamacpp-2026", {"logprobs": True, "tools": [TOOL], "stream": True}, 400),
    ("llamacpp-2026", {"messages": [user("x"), {"role": "tool", "tool_call_id": "c", "content": "x"}]}, 500),
    ("transformers", {"frobnicate": 1}, 422),
    ("transformers", {"messages": 5}, 422),
    ("parallax-2026", {"tools": [TOOL], "tool_choice": "required"}, 400),
    ("parallax-2026", {"n": 2}, 400),
    ("parallax-2026", {"length_penalty": 1.5}, 400),
    ("gravixlayer", {"temperature": 9}, 400),
    *((name, {"tools": [TOOL], "tool_choice": OTHER}, 400) for name in CHOOSING),
    *((name, {"tool_choice": "required"}, 400) for name in CHOOSING),
    *((name, {"tools": [TOOL], "parallel_tool_calls": "no"}, 400) for name in CHOOSING),
    ("lmstudio", {"tools": [TOOL], "tool_choice": NAMED}, 400),
    ("lmstudio", {"response_format": {"type": "json_object"}}, 400),
    ("parallax-2026", {"tools": [TOOL], "tool_choice": NAMED}, 400),
    ("openai", {"parallel_tool_calls": True}, 400),
    *(("openai", {"tools": [strict_tool(schema)]}, 400) for schema in (OPEN, LACKING)),
    *(("openai", {"response_format": shape_of(schema, name="x", strict=True)}, 400) for schema in (OPEN, LACKING)),
    *((name, {"response_format": shape_of(STRICT)}, 400) for name in ("openai", *VLLM, "sglang", "parallax-2026")),
    *(
        (
            name,
            {"model": "gpt-oss", "messages": [user("x"), assistant("<|channel|>final<|message|>x"), user("y")]},
            code,
        )
        for name, code in (("sglang", 400), ("transformers", 422), ("llamacpp-2025", 400))
    ),
    (
        "sglang",
        {
            "model": "gpt-oss",
            "tools": [TOOL],
            "messages": [
                user("x"),
                assistant(
                    "so", reasoning_content="hm", tool_calls=[{"id": "c", "function": {"name": "w", "arguments": "{}"}}]
                ),
                {"role": "tool", "tool_call_id": "c", "content": "x"},
            ],
        },
        400,
    ),
]


@pytest.mark.parametrize(("profile", "fields", "status"), REFUSED)
def test_what_a_server_refuses(profile: str, fields: dict[str, Any], status: int) -> None:
    simulator = Simulator()
    answer = chat(profile, fields.pop("messages", "say hi"), simulator=simulator, **fields)
    assert answer.status == status
    assert len(simulator.problems) == 1


TAKEN: list[tuple[str, dict[str, Any]]] = [
    *((name, {"tools": []}) for name in (*VLLM[:2], *LLAMACPP)),
    *((name, {"stream_options": {"include_usage": True}}) for name in LLAMACPP),
    *((name, {"reasoning_effort": "extreme"}) for name in (*LLAMACPP, "transformers", "parallax-2025")),
    *((name, {"tools": [TOOL], "tool_choice": {"function": {"name": "nothing"}}}) for name in LLAMACPP),
    ("ollama", {"tool_choice": 5, "n": "many", "user": 5, "max_completion_tokens": "all"}),
    ("ollama", {"reasoning_effort": "ultra"}),
    ("parallax-2025", {"temperature": "hot", "sampling_params": {"temperature": 1}, "stop": 5}),
    ("vllm-0.33", {"reasoning_effort": "minimal"}),
    *((name, {"tools": [strict_tool(STRICT)], "parallel_tool_calls": False}) for name in OPENAI_LIKE),
    *((name, {"tools": [strict_tool(OPEN)]}) for name in OPENAI_LIKE if name != "openai"),
    *((name, {"response_format": shape_of(STRICT, name="x", strict=True)}) for name in OPENAI_LIKE),
    ("openai", {"response_format": shape_of(OPEN, name="x")}),
    *((name, {"frobnicate": 1}) for name in OPENAI_LIKE if name != "transformers"),
]


@pytest.mark.parametrize(("profile", "fields"), TAKEN)
def test_what_a_server_takes(profile: str, fields: dict[str, Any]) -> None:
    simulator = Simulator()
    assert chat(profile, "say hi", simulator=simulator, **fields).value["choices"][0]["message"]["content"] == "hi"
    assert simulator.clean()


@pytest.mark.parametrize("profile", [*LLAMACPP, *VLLM, "sglang", "transformers"])
def test_a_later_system_message_is_dropped_for_gpt_oss(profile: str) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        user("say hi"),
        {"role": "system", "content": "or not " * 9},
    ]
    counts = [
        chat(profile, messages, model=model).value["usage"]["prompt_tokens"] for model in ("gpt-oss-20b", "another")
    ]
    assert (counts[0] < counts[1]) is True


HEARS = {
    "openai": "both",
    "vllm-0.11": "both",
    "vllm-0.12": "both",
    "vllm-0.33": "both",
    "llamacpp-2025": "reasoning_content",
    "llamacpp-2026": "reasoning_content",
    "ollama": "reasoning",
    "sglang": "reasoning_content",
    "transformers": "reasoning_content",
    "parallax-2025": "none",
    "parallax-2026": "both",
    "gravixlayer": "none",
}


@pytest.mark.parametrize("profile", HEARS)
@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_under_which_name_reasoning_goes_back(profile: str, name: str) -> None:
    tokens = [
        chat(profile, [user("x"), assistant("y", **more), user("say z")]).value["usage"]["prompt_tokens"]
        for more in ({}, {name: "one two three"})
    ]
    assert tokens[1] - tokens[0] == (3 if HEARS[profile] in (name, "both") else 0)


def test_older_vllm_reads_no_reasoning_of_gpt_oss() -> None:
    messages = [user("x"), assistant("y", reasoning="one two", reasoning_content="one two"), user("say z")]
    used = [chat(name, messages, model="gpt-oss-20b").value["usage"]["prompt_tokens"] for name in VLLM]
    assert (used[1] - used[0], used[2] - used[1]) == (2, 0)


def test_counts_of_one_server_only() -> None:
    assert chat("vllm-0.33", "say x").value["usage"]["prompt_tokens_details"] is None
    assert chat("llamacpp-2026", "say x").value["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}


def test_thinking_is_turned_off_and_reasoning_hidden() -> None:
    off = chat("parallax-2026", "think first. say hi", chat_template_kwargs={"enable_thinking": False})
    assert not off.value["choices"][0]["message"].get("reasoning")
    for asked in (chat, stream):
        heard = asked("vllm-0.33", "think first. say hi", include_reasoning=False)
        assert b'"reasoning":' not in heard.data
        assert b"hi" in heard.data


def test_a_tool_that_was_named_ends_with_stop_on_vllm() -> None:
    choice = {"type": "function", "function": {"name": "weather"}}
    assert stream("vllm-0.33", "go", tools=[TOOL], tool_choice=choice).finish == ["stop"]
    assert stream("vllm-0.12", "go", tools=[TOOL], tool_choice=choice).finish == ["tool_calls"]


def test_ids() -> None:
    assert len({chat("ollama", "say hi").value["id"] for _ in range(3)}) == 1
    assert chat("parallax-2025", "say hi").value["id"].count("-") == 4
    assert isinstance(chat("parallax-2025", "say hi").value["created"], float)
    made = {name: calls_of(stream(name, CALL, tools=[TOOL]))[0]["id"] for name in OPENAI_LIKE}
    assert made["vllm-0.33"].startswith("chatcmpl-tool-")
    assert made["lmstudio"].isdecimal()
    assert len(made["llamacpp-2026"]) == 32
    assert made["parallax-2025"].count("-") == 4


HELLO = [user("say hello")]


@pytest.mark.parametrize(
    ("profile", "model"), [("mlx", "gpt-oss"), ("parallax-2025", "gpt-oss"), *((name, "sim") for name in OPENAI_LIKE)]
)
def test_harmony_in_the_text(profile: str, model: str) -> None:
    leak = "" if model == "gpt-oss" else ", leak harmony"
    heard = stream(profile, f"think 2 words{leak}. say hi there", model=model)
    thought, said = "<|channel|>analysis<|message|>Night fell.<|end|>", "<|channel|>final<|message|>hi there<|return|>"
    assert heard.said() == f"{thought}<|start|>assistant{said}"
    assert max(len(delta.get("content") or "") for delta in heard.deltas) < 20
    call = chat(profile, f'call weather with {{"city": "Oslo"}}{leak}', model=model, tools=[TOOL]).value["choices"][0]
    wanted = '<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Oslo"}<|call|>'
    assert (call["message"]["content"], call["finish_reason"]) == (wanted, "stop")


def test_harmony_without_its_control_tokens() -> None:
    assert stream("ollama", "think 2 words, leak words. say hi").said() == "analysisNight fell.assistantfinalhi"
    assert stream("ollama", "leak words. say hi").said() == "hi"
    call = stream("ollama", 'call weather with {"city": "Oslo"}, leak words', tools=[TOOL])
    assert call.said() == 'assistantcommentary to=functions.weather json{"city": "Oslo"}'


def test_a_leak_goes_on_where_it_was_cut() -> None:
    cut = stream("openai", "leak harmony. count to 5", max_tokens=4).said()
    rest = stream("openai", [user("leak harmony. count to 5"), assistant("1, 2,")]).said()
    assert cut.startswith("<|channel|>final<|message|>1, ")
    assert rest == " 3, 4, 5<|return|>"


LONG = [user("word " * 40), assistant("reply " * 40), user("say hi " + "word " * 20)]
OVERFLOWS = {
    "openai": ("maximum context length is 64 tokens", "BadRequestError"),
    "vllm-0.11": ("However, your request has 117 input tokens", "BadRequestError"),
    "vllm-0.12": ("maximum context length is 64 tokens", "BadRequestError"),
    "vllm-0.33": ("your prompt contains at least 117 input tokens", "BadRequestError"),
    "llamacpp-2025": ("the request exceeds the available context size", "invalid_request_error"),
    "llamacpp-2026": (
        "request (117 tokens) exceeds the available context size (64 tokens)",
        "exceed_context_size_error",
    ),
    "lmstudio": ("Trying to keep the first 117 tokens", None),
    "sglang": ("The input (117 tokens) is longer than the model's context length (64 tokens)", "BadRequestError"),
    "parallax-2026": ("your prompt contains at least 117 input tokens", "invalid_request_error"),
    "gravixlayer": ("maximum context length is 64 tokens", None),
}


@pytest.mark.parametrize("profile", OVERFLOWS)
def test_a_prompt_that_is_too_long_is_refused(profile: str) -> None:
    words, kind = OVERFLOWS[profile]
    simulator = Simulator(window=64)
    answer = chat(profile, LONG, simulator=simulator)
    assert answer.status == 400
    assert words in answer.data.decode()
    assert simulator.clean()
    if kind is not None:
        error = answer.value.get("error", answer.value)
        assert error["type"] == kind
    if profile == "llamacpp-2026":
        assert (answer.value["error"]["n_prompt_tokens"], answer.value["error"]["n_ctx"]) == (117, 64)
    streamed = stream(profile, LONG, simulator=simulator)
    assert words in streamed.data.decode()
    begins = {"llamacpp-2025": b"error: {", "lmstudio": b"event: error\ndata: {", "parallax-2026": b'{"error"'}
    assert streamed.status == (200 if profile in begins else 400)
    assert streamed.data.startswith(begins.get(profile, b"{"))


@pytest.mark.parametrize(
    ("profile", "left"), [("ollama", [LONG[-1]]), ("parallax-2025", None), ("transformers", LONG), ("mlx", LONG)]
)
def test_a_prompt_that_is_too_long_and_answered_all_the_same(profile: str, left: Any) -> None:
    value = chat(profile, LONG, simulator=Simulator(window=64)).value
    assert value["choices"][0]["message"]["content"].startswith("hi word")
    whole = chat(profile, left).value["usage"] if left else {"prompt_tokens": 63}
    assert value["usage"]["prompt_tokens"] == whole["prompt_tokens"]


@pytest.mark.parametrize("profile", ["ollama", "parallax-2025"])
def test_a_single_message_larger_than_the_window_is_cut_itself(profile: str) -> None:
    system = {"role": "system", "content": "Be brief."}
    value = chat(profile, [system, user("word " * 99 + ". say so")], simulator=Simulator(window=64)).value
    assert (value["choices"][0]["message"]["content"], value["usage"]["prompt_tokens"]) == ("so", 63)
    value = chat(
        profile, [{"role": "system", "content": "rule " * 99}, user("say so")], simulator=Simulator(window=64)
    ).value
    assert value["usage"]["completion_tokens"] > 0


CROWDED = {
    "vllm-0.11": "'max_tokens' or 'max_completion_tokens' is too large: 60",
    "vllm-0.12": "This model's maximum context length is 64 tokens and your request has 6 input tokens",
    "sglang": "Requested token count exceeds the model's maximum context length of 64 tokens",
}


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_a_limit_that_does_not_fit_beside_the_prompt(profile: str) -> None:
    answer = chat(profile, "say hi", simulator=Simulator(window=64), max_tokens=60)
    assert answer.status == (400 if profile in CROWDED else 200)
    assert CROWDED.get(profile, "hi") in answer.data.decode()


ERRORS: dict[str, Any] = {
    "openai": {"error": {"message": "*", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}},
    "vllm-0.11": {"error": {"message": "*", "type": "RateLimitError", "param": None, "code": 429}},
    "vllm-0.12": {"error": {"message": "*", "type": "RateLimitError", "param": None, "code": 429}},
    "vllm-0.33": {"error": {"message": "*", "type": "RateLimitError", "param": None, "code": 429}},
    "llamacpp-2025": {"error": {"code": 429, "message": "*", "type": "server_error"}},
    "llamacpp-2026": {"error": {"code": 429, "message": "*", "type": "server_error"}},
    "ollama": {"error": {"message": "*", "type": "api_error", "param": None, "code": None}},
    "lmstudio": {"error": "*"},
    "sglang": {"object": "error", "message": "*", "type": "RateLimitError", "param": None, "code": 429},
    "transformers": {"detail": "*"},
    "mlx": {"error": "*"},
    "parallax-2025": {"object": "error", "message": "*", "type": "RateLimitError", "param": None, "code": 429},
    "parallax-2026": {
        "error": {"message": "*", "type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"}
    },
    "gravixlayer": {
        "error": {"code": "rate_limit_exceeded", "message": "*", "details": {}},
        "meta": {"request_id": "req_simulated", "timestamp": "2026-01-01T00:00:00Z"},
        "retry_after": 2.0,
    },
}
MESSAGE = "the simulator was told to fail with 429"


@pytest.mark.parametrize("profile", OPENAI_LIKE)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_error_before_the_first_word(profile: str, streamed: bool) -> None:
    answer = chat(profile, "fail with 429 retry after 2", stream=streamed)
    assert (answer.status, answer.headers["retry-after"]) == (429, "2")
    assert json.dumps(answer.value).replace(MESSAGE, "*") == json.dumps(ERRORS[profile])
    if profile == "gravixlayer":
        assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("25", "0")


@pytest.mark.parametrize("profile", ["vllm-0.33", "sglang"])
def test_a_missing_key_is_one_word(profile: str) -> None:
    assert chat(profile, "fail with 401").value == {"error": "Unauthorized"}


def test_a_quota_that_is_used_up_is_another_refusal_than_too_many_requests() -> None:
    assert chat("gravixlayer", "fail with 429 quota").value["exceeded"] == ["tokens"]
    assert chat("openai", "fail with 429 for a quota").value["error"]["code"] == "insufficient_quota"


def test_gravixlayer_wants_a_key_and_has_its_own_words_for_unknown_paths() -> None:
    simulator = Simulator(profile="gravixlayer")
    refused = simulator.handle("POST", "/v1/inference/chat/completions", {}, b"{}")
    assert refused.status == 401
    assert not simulator.clean()
    assert send(simulator, "GET", "/v1/inference/nothing").value["error"]["code"] == "not_found"
    details = chat("gravixlayer", "say hi", temperature=9).value["error"]
    assert (details["code"], details["details"]["field"]) == ("validation_error", "temperature")


BREAKS: dict[str, tuple[bytes, bool]] = {
    "openai": (b'data: {"error":{"message":"*","type":"server_error"', False),
    "vllm-0.33": (b'data: {"error":{"message":"*","type":"InternalServerError","param":null,"code":500}}', True),
    "llamacpp-2026": (b'data: {"error":{"code":500,"message":"*","type":"server_error"}}', False),
    "llamacpp-2025": (b'\n\nerror: {"code"', False),
    "ollama": (b"finish_reason", False),
    "lmstudio": (b'event: error\ndata: {"error":"*","message":"*"}', False),
    "sglang": (b'data: {"error":{"object":"error","message":"*"', True),
    "transformers": (b'data: {"error": "*"}', False),
    "mlx": (b"finish_reason", False),
    "parallax-2025": (b'"error":{"message":"*","type":"InternalServerError","code":500}', True),
    "gravixlayer": (b'data: {"error":{"code":"internal_error","message":"*"', False),
}


@pytest.mark.parametrize("profile", BREAKS)
def test_an_error_in_the_middle(profile: str) -> None:
    words, done = BREAKS[profile]
    heard = stream(profile, "fail with 500 after 2 words. say a b c d")
    data = heard.data.replace(b"the simulator was told to fail with 500", b"*")
    if profile == "llamacpp-2025":
        assert b'\n\nerror: {"error":{"code":500' in data
    else:
        assert words in data
    assert heard.said() == "a b"
    assert heard.done is done
    assert heard.finish == (["error"] if profile == "parallax-2025" else [])
    assert chat(profile, "fail with 500 after 2 words. say a b c d").status == 500


@pytest.mark.parametrize("profile", ["parallax-2025", "parallax-2026"])
def test_a_refusal_of_a_stream_comes_as_bare_json_behind_a_scheduler(profile: str) -> None:
    simulator = Simulator()
    answer = stream(profile, [], simulator=simulator)
    assert (answer.status, answer.streamed, answer.data[:1], answer.data[-1:]) == (200, True, b"{", b"\n")
    assert not simulator.clean()
    assert chat(profile, [], simulator=simulator).status == 400


@pytest.mark.parametrize(("profile", "status"), [("llamacpp-2026", 500), ("vllm-0.33", 400), ("transformers", 422)])
def test_a_body_that_is_no_json(profile: str, status: int) -> None:
    assert send(Simulator(), "POST", path_of(profile), b"{").status == status


def test_comments() -> None:
    quiet = stream("llamacpp-2026", "stall 70 seconds after 2 words. say a b c")
    assert quiet.data.count(b"\n\n:\n\n") == 1
    assert [item.seconds for item in quiet.items] == [30.0, 30.0, 10.0]
    assert stream("llamacpp-2026", "wait 70 seconds. say a b c").data.count(b":\n\n") == 0
    assert stream("mlx", "say a").data.startswith(b": keepalive 0/1\n\ndata: ")


def test_a_model_that_is_not_there() -> None:
    simulator = Simulator(models=["mine", "yours"])
    assert chat("vllm-0.33", "say hi", simulator=simulator, model="mine").status == 200
    answer = chat("vllm-0.33", "say hi", simulator=simulator)
    assert (answer.status, answer.value["error"]["message"]) == (404, "The model `sim` does not exist.")
    listed = send(simulator, "GET", "/vllm-0.33/v1/models").value["data"]
    assert [entry["id"] for entry in listed] == ["mine", "yours"]
    assert send(simulator, "GET", "/vllm-0.33/v1/models/sim").status == 404


FIELDS = [
    "model", "messages", "stream", "stream_options", "tools", "tool_choice", "max_tokens", "reasoning_effort", "stop",
    "response_format", "chat_template_kwargs", "continue_final_message", "add_generation_prompt", "echo", "n",
    "logprobs", "include_reasoning", "prompt", "content", "with_pieces",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "low", "required", "sim", "gpt-oss"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, "role", "type"]), inner, max_size=3)
    ),
    max_leaves=6,
)
HISTORIES = st.lists(
    st.sampled_from(
        [user("say hi"), assistant("hi"), assistant("", reasoning="hm"), {"role": "system", "content": "x"}]
    ),
    max_size=4,
)


@pytest.mark.parametrize("profile", OPENAI_LIKE)
@settings(max_examples=40, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5), messages=HISTORIES | VALUES)
def test_whatever_json_comes_is_answered(profile: str, fields: dict[str, Any], messages: Any) -> None:
    simulator = Simulator(window=64)
    body = {"model": "gpt-oss", "messages": messages, **fields}
    base = f"/{profile}"
    for path in (path_of(profile), f"{base}/tokenize", f"{base}/apply-template", f"{base}/api/show"):
        assert send(simulator, "POST", path, body).status in (200, 400, 404, 422, 500)
