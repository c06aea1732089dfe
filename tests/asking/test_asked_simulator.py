"""What the simulator makes of a JSON schema: in a field, in words, and with orders to answer badly."""

from __future__ import annotations

import json
from typing import Any, TypedDict

import pytest

from agentkit.sim import Simulator
from agentkit.sim.script import parse
from agentkit.sim.shaped import rest_of
from agentkit.structured import InvalidReply, wanted


class Count(TypedDict):
    names: list[str]
    total: int


COUNT = wanted(Count)
TALLY = wanted(list[int])


def said(*messages: dict[str, Any], simulator: Simulator | None = None, **fields: Any) -> str:
    body = json.dumps({"model": "m", "messages": list(messages), **fields}).encode()
    chosen = simulator or Simulator()
    answer = chosen.handle("POST", "/v1/chat/completions", {}, body)
    assert chosen.clean(), chosen.problems
    text = b"".join(item for item in answer.body if isinstance(item, bytes))
    return str(json.loads(text)["choices"][0]["message"]["content"])


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def test_a_schema_in_words_is_followed() -> None:
    text = TALLY.instructions
    plain = said(system(text), user("Which numbers?"))
    assert isinstance(TALLY.read(plain), list)
    assert set(json.loads(plain)) == {"value"}
    for messages in (
        [system(f"Be brief.\n\n{text}\n\nAlways."), user("Which numbers?")],
        [user(f"Be brief.\n\n{text}\n\nWhich numbers?")],
        [user(f"{text}\n\nHi"), {"role": "assistant", "content": "hi"}, user("Which numbers?")],
    ):
        assert isinstance(TALLY.read(said(*messages)), list)


def test_the_last_of_several_schemas_holds() -> None:
    told = [f"{wanted(into).instructions}\n\nWell?" for into in (bool, list[int])]
    text = said(user(told[0]), {"role": "assistant", "content": "true"}, user(told[1]))
    assert isinstance(TALLY.read(text), list)


def test_what_only_resembles_a_schema_in_words_is_talk() -> None:
    head = TALLY.instructions.partition("{")[0]
    for text in (head, head + "{", head + "{]", f"{head} [1]"):
        with pytest.raises(InvalidReply):
            TALLY.read(said(system(text), user("Hello")))
    with pytest.raises(InvalidReply):
        TALLY.read(said(user("Hi"), {"role": "assistant", "content": TALLY.instructions}, user("Hello")))


def test_a_field_goes_before_words() -> None:
    bound = {"type": "json_schema", "json_schema": {"name": "count", "schema": TALLY.schema}}
    text = wanted(bool).instructions
    assert isinstance(TALLY.read(said(system(text), user("Hello"), response_format=bound)), list)


@pytest.mark.parametrize(
    ("order", "begins", "problem"),
    [
        ("answer in prose", "Sure, here it is: {", ""),
        ("answer in a fence", '```json\n{"', ""),
        ("answer without json", "", "there is no JSON"),
        ("Answer  with broken JSON, please", '{"', "Expecting|expected"),
        ("answer with wrong types", '{"', "expected a"),
        ("answer with half the json", '{"', "."),
        ("answer with two documents", '{"', "more than one|two"),
    ],
)
def test_orders_to_answer_badly(order: str, begins: str, problem: str) -> None:
    bound = {"type": "json_schema", "json_schema": {"name": "count", "schema": COUNT.schema}}
    for text in (
        said(user(order), response_format=bound),
        said(system(COUNT.instructions), user(order)),
    ):
        assert text.startswith(begins)
        if order in ("answer in prose", "answer in a fence"):
            assert COUNT.read(text)
        else:
            with pytest.raises(InvalidReply, match=problem):
                COUNT.read(text)


def test_a_script_answers_badly_once() -> None:
    simulator = Simulator()
    simulator.script(["answer with wrong types", "say no", "think 3 words"])
    told = [system(COUNT.instructions), user("How many?")]
    texts = [said(*told, simulator=simulator) for _ in range(3)]
    with pytest.raises(InvalidReply):
        COUNT.read(texts[0])
    assert texts[1] == "no"
    assert COUNT.read(texts[2])
    assert parse("Answer with two\ndocuments").shaping == "with two documents"


def test_where_a_call_is_demanded_the_answer_is_given_last() -> None:
    def tool(name: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "parameters": TALLY.schema}}

    def called(*messages: dict[str, Any], names: list[str]) -> str:
        body = {"model": "m", "messages": list(messages), "tools": [*map(tool, names)], "tool_choice": "required"}
        answer = Simulator().handle("POST", "/v1/chat/completions", {}, json.dumps(body).encode())
        text = b"".join(item for item in answer.body if isinstance(item, bytes))
        return str(json.loads(text)["choices"][0]["message"]["tool_calls"][0]["function"]["name"])

    call = {"id": "c1", "type": "function", "function": {"name": "tides", "arguments": "{}"}}
    done = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    done.append({"role": "tool", "tool_call_id": "c1", "content": "noon"})
    assert called(user("Hello"), names=["tides", "answer"]) == "answer"
    assert called(user("Hello"), names=["answer", "tides", "answer_2"]) == "answer_2"
    assert called(user("call tides"), names=["tides", "answer"]) == "tides"
    assert called(user("call tides"), *done, names=["tides", "answer"]) == "answer"
    assert called(user("Hello"), *done, names=["tides", "height"]) == "tides"


@pytest.mark.parametrize(
    ("begun", "whole"),
    [
        ('{"a": 1', {"a": 1}),
        ('{"a": [1, {"b": "x', {"a": [1, {"b": "x"}]}),
        ('[[1], {"a"', [[1], {"a": None}]),
        ('{"a": 1, ', {"a": 1, "more": None}),
        ('["}", [', ["}", []]),
        ('{"a":', {"a": None}),
    ],
)
def test_a_document_of_somebody_else_is_brought_to_its_end(begun: str, whole: object) -> None:
    rest = rest_of(begun)
    assert rest is not None
    assert json.loads(begun + rest) == whole
    text = said(user("Hello"), {"role": "assistant", "content": begun})
    assert json.loads(begun + text) == whole


@pytest.mark.parametrize("begun", ["", "Once upon", '"a', '{"a" "b', "{]"])
def test_what_is_no_document_is_gone_on_with_in_words(begun: str) -> None:
    assert rest_of(begun) is None
