"""What leaves for a server of the chat-completions dialect where tools and the shape of a reply are wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from attrs import evolve, frozen

from agentkit.errors import InvalidInput
from agentkit.messages import Message, Reasoning, ToolCall, ToolResult, assistant, user
from agentkit.options import Options
from agentkit.provider import Capabilities, ChatRequest, HTTPRequest, ReplyShape
from agentkit.providers import get_provider
from agentkit.providers.gradient import Gradient
from agentkit.providers.openai_chat import Dialect, OpenAIChat
from agentkit.providers.pixigpt import PixiGPT
from agentkit.tools import as_text, tool

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/city"}, "note": {"enum": ["é", None]}},
    "$defs": {"city": {"type": "string", "default": None}},
}


@frozen(kw_only=True)
class Shape:
    name: str = "weather"
    description: str = "Wie wird es? \u2028 \U0001f327"
    parameters: Mapping[str, Any] = SCHEMA
    strict: bool = False


WEATHER, TIDES = Shape(), Shape(name="tides", description="", parameters={"type": "object", "properties": {}})
REPLY = ReplyShape(name="answer", schema={"type": "object"})
PROVIDER = OpenAIChat(base_url="http://host/v1")


def encode(provider: Any = PROVIDER, *, model: str = "m", **more: Any) -> HTTPRequest:
    request = ChatRequest(model=model, messages=(user("q"),), stream=False, tools=(WEATHER, TIDES))
    wire: HTTPRequest = provider.encode(evolve(request, **more))
    return wire


def sent(provider: Any = PROVIDER, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(encode(provider, **more).body)
    return made


def told(provider: Any = PROVIDER, **more: Any) -> list[str]:
    return [notice.message for notice in encode(provider, **more).notices]


def choosing(choice: str | None, *, parallel: bool | None = None, **extra: Any) -> Options:
    return Options(tool_choice=choice, parallel_tool_calls=parallel, extra=extra)


def names(wire: dict[str, Any]) -> list[str]:
    return [each["function"]["name"] for each in wire.get("tools", ())]


def test_tools_go_as_they_are_declared() -> None:
    assert sent() == {
        "model": "m",
        "messages": [{"role": "user", "content": "q"}],
        "tools": [
            {"type": "function", "function": {"name": made.name, "description": made.description,
                                              "parameters": made.parameters}}
            for made in (WEATHER, TIDES)
        ],
    }  # fmt: skip
    assert not encode().notices
    assert WEATHER.description.encode() in encode().body


def test_a_tool_of_a_function() -> None:
    @tool
    def depth(place: str, year: int = 2031) -> str:
        """How deep it is.

        Args:
            place: Where.
        """
        return f"{place} {year}"

    (wire,) = sent(tools=(depth,))["tools"]
    assert wire == {
        "type": "function",
        "function": {"name": "depth", "description": depth.description, "parameters": depth.parameters},
    }
    assert sent(tools=(depth.strictly(),))["tools"][0]["function"]["strict"] is True


def test_only_strict_tools_say_so() -> None:
    wire = sent(tools=(evolve(WEATHER, strict=True), TIDES))
    assert [each["function"].get("strict") for each in wire["tools"]] == [True, None]


def test_without_tools_nothing_is_said_of_them() -> None:
    bare = sent(tools=())
    assert sent(tools=(), options=choosing("required", parallel=True)) == bare
    assert sent(tools=(), options=choosing("weather")) == bare
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(bare)
    assert sent(options=choosing("required", parallel=True, tools=None)) == bare
    assert sent(options=choosing("required", parallel=True, tools=[])) == {**bare, "tools": []}


class Counted(dict[str, Any]):
    """A schema that tells how often it was looked through."""

    looks = 0

    def __iter__(self) -> Iterator[str]:
        self.looks += 1
        return super().__iter__()

    def keys(self) -> Any:
        self.looks += 1
        return super().keys()


def test_tools_are_written_once() -> None:
    schema = Counted(type="object")
    first = encode(tools=(Shape(parameters=schema),)).body
    looks = schema.looks
    for _ in range(5):
        assert encode(tools=(Shape(parameters=schema),)).body == first
    assert schema.looks == looks > 0


def test_what_is_remembered_is_told_apart_by_all_that_is_said() -> None:
    one, other = dict(SCHEMA), {"type": "object"}
    made = [
        sent(tools=(Shape(name=name, description=text, parameters=schema, strict=strict),))["tools"][0]["function"]
        for name in ("a", "b")
        for text in ("x", "y")
        for schema in (one, other)
        for strict in (True, False)
        for _ in range(2)
    ]
    assert len({json.dumps(each, sort_keys=True) for each in made}) == 16
    assert made[0]["parameters"] == one
    for number in range(600):  # more than are remembered, of schemas that are gone as soon as they were sent
        assert sent(tools=(Shape(parameters={"number": number}),))["tools"][0]["function"]["parameters"] == {
            "number": number
        }


def test_schemas_that_are_no_json_are_refused() -> None:
    for schema in ({"a": object()}, {"a": float("nan")}, {"a": {"b": {1, 2}}}):
        with pytest.raises(InvalidInput, match="the tool 'weather'"):
            encode(tools=(Shape(parameters=schema),))
    frozen_schema = MappingProxyType({"type": "object"})
    assert sent(tools=(Shape(parameters=frozen_schema),))["tools"][0]["function"]["parameters"] == {"type": "object"}
    assert sent(tools=(Shape(description="\ud83d"),))["tools"][0]["function"]["description"] == "\ufffd"


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        (None, None),
        ("auto", None),
        ("required", "required"),
        ("none", "none"),
        ("tides", {"type": "function", "function": {"name": "tides"}}),
    ],
)
def test_the_choice(choice: str | None, field: Any) -> None:
    wire = sent(options=choosing(choice))
    assert wire.get("tool_choice") == field
    assert names(wire) == ["weather", "tides"]
    assert not told(options=choosing(choice))


def test_a_name_that_no_tool_has_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"\(weather, tides\), not 'moon'"):
        encode(options=choosing("moon"))


@pytest.mark.parametrize("name", ["llamacpp", "lmstudio"])
def test_where_the_choice_is_a_word_the_tool_is_offered_alone(name: str) -> None:
    wire = sent(get_provider(name), options=choosing("tides"))
    assert (wire["tool_choice"], names(wire)) == ("required", ["tides"])
    assert not told(get_provider(name), options=choosing("tides"))
    own = sent(get_provider(name), options=choosing("tides", tools=[{"own": 1}]))
    assert own["tool_choice"] == {"type": "function", "function": {"name": "tides"}}


WORDLESS = ("ollama", "transformers", "mlx", "gpt-oss", "parallax")


@pytest.mark.parametrize("name", WORDLESS)
def test_where_there_is_no_choice(name: str) -> None:
    provider = get_provider(name)
    assert not provider.capabilities("m").tool_choice
    assert names(sent(provider, options=choosing("auto"))) == ["weather", "tides"]
    assert "tools" not in sent(provider, options=choosing("none", parallel=True))
    assert not told(provider, options=choosing("none", parallel=True))
    for choice in ("required", "tides"):
        wire = sent(provider, options=choosing(choice))
        assert "tool_choice" not in wire
        assert names(wire) == ["weather", "tides"]
        assert told(provider, options=choosing(choice)) == [
            f"the backend has no setting tool_choice; {choice!r} was left out"
        ]
    assert told(provider, options=choosing("none", tools=[{"own": 1}])) == [
        "the backend has no setting tool_choice; 'none' was left out"
    ]


@pytest.mark.parametrize("name", ["openai", "sim", "vllm", "llamacpp", "sglang", "gravixlayer"])
@pytest.mark.parametrize("parallel", [True, False])
def test_several_calls_at_once(name: str, parallel: bool) -> None:
    assert sent(get_provider(name), options=choosing(None, parallel=parallel))["parallel_tool_calls"] is parallel
    assert not told(get_provider(name), options=choosing(None, parallel=parallel))
    assert "parallel_tool_calls" not in sent(get_provider(name))


@pytest.mark.parametrize("name", [*WORDLESS, "lmstudio"])
def test_where_that_is_left_to_the_model(name: str) -> None:
    assert "parallel_tool_calls" not in sent(get_provider(name), options=choosing(None, parallel=False))
    assert told(get_provider(name), options=choosing(None, parallel=False)) == [
        "the backend has no setting parallel_tool_calls; False was left out"
    ]


def test_what_the_caller_puts_on_the_wire_wins() -> None:
    extra: dict[str, Any] = {"tools": [{"own": 1}], "tool_choice": "none", "parallel_tool_calls": 1}
    wire = sent(options=choosing("tides", parallel=False, **extra))
    assert {name: wire[name] for name in extra} == extra
    assert encode(options=choosing("tides", **extra)).body.count(b'"tools"') == 1
    assert sent(options=choosing("required", tools=[{"own": 1}]))["tool_choice"] == "required"
    assert sent(options=choosing("tides", tool_choice=None)) == sent()
    shape = {"response_format": {"type": "text"}}
    assert sent(shape=REPLY, options=Options(extra=shape))["response_format"] == {"type": "text"}
    assert b'"messages"' in encode(options=Options(extra={"messages": []})).body


def test_the_shape_of_a_reply() -> None:
    assert sent(shape=REPLY)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
    strict = evolve(REPLY, strict=True, schema=MappingProxyType({"enum": [None]}))
    assert sent(shape=strict, tools=())["response_format"]["json_schema"] == {
        "name": "answer",
        "schema": {"enum": [None]},
        "strict": True,
    }
    with pytest.raises(InvalidInput, match="cannot be written"):
        encode(shape=evolve(REPLY, schema={"a": object()}))


@pytest.mark.parametrize("name", ["openai", "sim", "vllm", "llamacpp", "ollama", "lmstudio", "sglang", "gravixlayer"])
def test_every_server_with_a_json_mode_takes_the_schema_in_one_form(name: str) -> None:
    for model in ("m", "gpt-oss-20b"):
        assert get_provider(name).capabilities(model).json_mode
        schema = sent(get_provider(name), model=model, shape=REPLY)["response_format"]["json_schema"]["schema"]
        assert schema == REPLY.schema


@pytest.mark.parametrize("name", ["transformers", "mlx", "gpt-oss", "parallax", "pixigpt", "gradient"])
def test_where_no_reply_is_bound(name: str) -> None:
    provider = get_provider(name)
    assert not provider.capabilities("m").json_mode
    assert "response_format" not in sent(provider, tools=(), shape=REPLY, model="GPT OSS 120B")
    assert "the backend binds no reply to a JSON schema; 'answer' was left out" in told(
        provider, tools=(), shape=REPLY, model="GPT OSS 120B"
    )


def test_a_backend_without_tools_says_so() -> None:
    bare = OpenAIChat(base_url="http://host", dialect=Dialect(capabilities=Capabilities(tools=False)))
    for provider in (bare, Gradient()):
        wire = encode(provider, model="GPT OSS 120B", options=choosing("required", parallel=True))
        assert b"weather" not in wire.body
        assert "tool" not in json.loads(wire.body)
        assert [notice.message for notice in wire.notices] == ["the backend has no tools; 2 of them were left out"]


# --- PixiGPT


def pixi(**more: Any) -> tuple[dict[str, Any], list[str]]:
    provider = more.pop("provider", PixiGPT(instructions="s"))
    wire = encode(provider, **more)
    said = [notice.message for notice in wire.notices if "wants instructions" not in notice.message]
    return json.loads(wire.body), said


def test_pixigpt_takes_tools_and_neither_a_choice_nor_a_mode() -> None:
    wire, said = pixi()
    assert (names(wire), said) == (["weather", "tides"], [])
    wire, said = pixi(options=choosing("none"))
    assert ("tools" in wire, said) == (False, [])
    wire, said = pixi(options=choosing("tides", parallel=True), tools=(evolve(TIDES, strict=True),))
    assert wire["tools"][0]["function"] == {"name": "tides", "description": "", "parameters": TIDES.parameters}
    assert not {"tool_choice", "parallel_tool_calls"} & set(wire)
    assert said == [
        "the backend has no setting tool_choice; 'tides' was left out",
        "the backend has no setting parallel_tool_calls; True was left out",
        "the backend has no strict tools; tides went as usual ones",
    ]


def test_pixigpt_without_tools_has_nothing_to_choose_from_unless_an_assistant_has() -> None:
    assert pixi(options=choosing("required"), tools=())[1] == []
    assisted = PixiGPT(assistant_id="as_1")
    assert pixi(provider=assisted, options=choosing("required"), tools=())[1] == [
        "the backend has no setting tool_choice; 'required' was left out"
    ]
    assert pixi(provider=assisted, options=choosing("none"))[1] == [
        "the tools of the assistant 'as_1' cannot be forbidden"
    ]
    wire, said = pixi(options=choosing("required", tool_choice="none", tools=[{"own": 1}]))
    assert ("tools" in wire, said) == (False, [])


# --- tools in words


CALLED = assistant(Reasoning("Hm."), ToolCall("c1", "weather", {"city": "Ys"}))
ANSWERED = Message("tool", (ToolResult("c1", "wet"),))


def test_results_in_words_are_no_question() -> None:
    rounds = as_text([user("one"), assistant("1"), user("two"), CALLED, ANSWERED, CALLED, ANSWERED])
    request = ChatRequest(model="GPT OSS 120B", messages=rounds, stream=True)
    wire = json.loads(Gradient(context_pairs=0).encode(request).body)
    assert wire["messages"][0] == {"role": "user", "content": "two"}
    assert [each["role"] for each in wire["messages"]] == ["user", "assistant", "user", "assistant", "user"]
    assert wire["messages"][2]["content"].startswith('<tool_response name="weather">')
    both = as_text([user("one"), CALLED, user(ToolResult("c1", "wet"), "and now?")])
    wire = json.loads(Gradient(context_pairs=0).encode(evolve(request, messages=both)).body)
    assert len(wire["messages"]) == 1
    assert "and now?" in wire["messages"][0]["content"]


def test_thinking_goes_back_while_tools_in_words_are_at_work() -> None:
    bare = OpenAIChat(base_url="http://host", dialect=Dialect(capabilities=Capabilities(tools=False)))
    messages = as_text([user("q"), CALLED, ANSWERED])
    wire = json.loads(bare.encode(ChatRequest(model="m", messages=messages)).body)
    assert wire["messages"][1]["reasoning"] == "Hm."
