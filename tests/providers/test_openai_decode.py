"""How answers of the chat-completions dialect are read: the odd ones, one by one."""
# ruff: noqa: E501 - tables read best with one case in one line

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_contract import EVENT_STREAM, JSON, check_any_cut, check_shape, decode, summary

from agentkit import errors
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Chunk, Details, Fault, Finish, ResponseHead, UsageReport
from agentkit.providers import _openai_decode, get_provider
from agentkit.usage import FinishReason, Usage

KEY = "sk-secret-0123456789"
PROVIDER = get_provider("openai", api_key=KEY)
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def call(*calls: dict[str, Any]) -> dict[str, Any]:
    return delta(tool_calls=list(calls))


def body(*frames: Any, done: bool = True) -> bytes:
    texts = [frame if isinstance(frame, str) else json.dumps(frame) for frame in frames]
    return "".join(f"data: {text}\n\n" for text in [*texts, *["[DONE]"] * done]).encode()


def read(*frames: Any, done: bool = True) -> list[Chunk]:
    return check_any_cut(PROVIDER, EVENT_STREAM, body(*frames, done=done))


def document(value: Any) -> list[Chunk]:
    return check_any_cut(PROVIDER, JSON, json.dumps(value).encode())


def fault(chunks: Sequence[Chunk]) -> errors.ProviderError:
    assert isinstance(chunks[-1], Fault), chunks
    return chunks[-1].error


# text and reasoning


def test_the_order_of_what_comes() -> None:
    first = {**delta(reasoning="r", content="t"), "id": "1", "model": "m", "system_fingerprint": "f"}
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert read(first, delta("stop"), usage) == [
        ReasoningDelta("r"),
        TextDelta("t"),
        Details({"id": "1", "model": "m", "system_fingerprint": "f", "finish_reason": "stop"}),
        UsageReport(Usage(1, 2)),
        Finish(FinishReason.STOP, "stop"),
    ]


@pytest.mark.parametrize(
    ("fields", "text", "reasoning"),
    [
        ({"content": None}, "", ""),
        ({"content": ""}, "", ""),
        ({"content": []}, "", ""),
        ({"content": ["a", {"type": "text", "text": "b"}, {"text": "c"}]}, "abc", ""),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}, {"text": "t"}]}, "t", "r"),
        ({"content": [{"type": "reasoning", "text": "r"}]}, "", "r"),
        ({"content": None, "refusal": "I cannot."}, "I cannot.", ""),
        ({"content": "x", "refusal": ""}, "x", ""),
        ({"reasoning": "r", "reasoning_content": "r", "thinking": "r"}, "", "r"),
        ({"reasoning": None, "reasoning_content": "r"}, "", "r"),
        ({"reasoning": "a", "reasoning_content": "b"}, "", "ab"),
        ({"thinking": "r"}, "", "r"),
        ({"reasoning": [{"type": "text", "text": "r"}]}, "", "r"),
        ({"reasoning": {"effort": "low"}, "thinking": True}, "", ""),
    ],
)
def test_content_and_reasoning_in_every_form(fields: dict[str, Any], text: str, reasoning: str) -> None:
    got = summary(read(delta(**fields), STOP))
    assert (got["text"], got["reasoning"]) == (text, reasoning)
    message = {"choices": [{"message": fields, "finish_reason": "stop"}]}
    got = summary(document(message))
    assert (got["text"], got["reasoning"]) == (text, reasoning)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (delta(content=5), "content is of type int"),
        (delta(content={"a": 1}), "content is of type dict"),
        (delta(content=[{"type": "image"}]), "a part of type 'image' is no text"),
        (delta(tool_calls={"a": 1}), "tool_calls is no list"),
        ([1], "holds no JSON object"),
        ("5", "holds no JSON object"),
        ('{"choices":', "malformed JSON"),
        ('{"choices":[{"delta":{"content":NaN}}]}', "NaN or Infinity"),
        ("[NaN", "NaN or Infinity"),
        ("[NaN]", "NaN or Infinity"),
        ("[" * 100_000, "nested too deeply"),
        ('{"usage":NaN,"a":' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_frame_that_breaks_the_format_is_a_fault_that_keeps_what_came(frame: Any, words: str) -> None:
    chunks = decode(PROVIDER, EVENT_STREAM, [body(delta(content="kept"), frame, STOP)])
    assert chunks[0] == TextDelta("kept")
    error = fault(chunks)
    assert type(error) is errors.ProtocolError
    assert words in str(error)
    check_shape(chunks)


def test_arguments_that_cannot_be_written_again_break_the_frame() -> None:
    frame = '{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{"a":1e999}}}]}}]}'
    assert "arguments of a tool call" in str(fault(read(frame)))


def test_reasoning_beside_the_message() -> None:
    got = summary(
        document({"choices": [{"message": {"content": "t"}, "reasoning_content": "r", "finish_reason": "stop"}]})
    )
    assert (got["text"], got["reasoning"]) == ("t", "r")


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ([{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "yes"}}], "yes"),
        ([{"delta": {"content": "yes"}}, {"delta": {"content": "no"}}], "yes"),
        ([{"index": None, "delta": {"content": "yes"}}], "yes"),
        ([None, {"index": 0, "delta": {"content": "yes"}}], ""),
        ([{"index": 1, "delta": {"content": "no"}}], ""),
        (None, ""),
        ([], ""),
        ("x", ""),
        ([{"index": 0, "delta": None}], ""),
        ([{"index": 0}], ""),
    ],
)
def test_only_the_first_choice_counts(choices: Any, text: str) -> None:
    got = summary(read({"choices": choices}, STOP))
    assert got["text"] in {text, "yes" if choices and choices[0] is None else text}
    assert got["finish"] == "stop"


# characters cut in halves


HIGH, LOW = "\ud83d", "\ude00"


def test_halves_of_a_character_are_joined_over_frames() -> None:
    chunks = read(delta(content="a" + HIGH), delta(reasoning="r"), delta(content=LOW + "b"), delta(content="c"), STOP)
    assert chunks[:4] == [TextDelta("a"), ReasoningDelta("r"), TextDelta("\U0001f600b"), TextDelta("c")]
    assert not any(isinstance(chunk, Notice) for chunk in chunks)


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([delta(content=LOW + "a"), STOP], "\ufffda"),
        ([delta(content=HIGH), delta(content="a"), STOP], "\ufffda"),
        ([delta(content="a" + HIGH), STOP], "a\ufffd"),
        ([delta(content=HIGH), delta(content=HIGH), delta(content=LOW), STOP], "\ufffd\U0001f600"),
    ],
)
def test_a_half_alone_is_replaced_and_reported(frames: list[Any], text: str) -> None:
    chunks = read(*frames)
    assert summary(chunks)["text"] == text
    assert sum(isinstance(chunk, Notice) for chunk in chunks) == 1


def test_a_replacement_character_of_the_model_is_no_news() -> None:
    for frames in ([delta(content="a\ufffd")], [delta(content="a"), *(delta(content="\ufffd") for _ in range(5))]):
        chunks = read(*frames, delta(content="b\ufffd"), STOP)
        assert summary(chunks)["text"] == "a" + "\ufffd" * (1 if len(frames) == 1 else 5) + "b\ufffd"
        assert not any(isinstance(chunk, Notice) for chunk in chunks)


@pytest.mark.parametrize("end", ["\ufffd", "\ufffd\ufffd\ufffd", HIGH])
@pytest.mark.parametrize("size", [1, 40])
def test_a_character_that_a_limit_has_cut_is_left_to_what_follows(end: str, size: int) -> None:
    said = f"The drink is called caf{end}"
    frames = [delta(content=said[at : at + size]) for at in range(0, len(said), size)]
    assert summary(read(*frames, delta("length")))["text"] == "The drink is called caf"
    thought = [delta(reasoning=said[at : at + size]) for at in range(0, len(said), size)]
    assert summary(read(*thought, delta("length")))["reasoning"] == "The drink is called caf"


def test_halves_in_reasoning_and_arguments() -> None:
    piece = {"index": 0, "id": "i", "function": {"name": "f", "arguments": '{"a":"' + HIGH}}
    rest = {"index": 0, "function": {"arguments": LOW + '"}'}}
    got = summary(read(delta(reasoning=HIGH), delta(reasoning=LOW), call(piece), call(rest), delta("tool_calls")))
    assert got["reasoning"] == "\U0001f600"
    assert got["calls"] == [["i", "f", '{"a":"\U0001f600"}']]
    got = summary(read(delta(reasoning="r" + HIGH), call(piece), delta("tool_calls")))
    assert got["reasoning"] == "r\ufffd"
    assert got["calls"] == [["i", "f", '{"a":"\ufffd']]


def test_bytes_that_are_no_utf8_are_replaced_and_reported_once() -> None:
    frames = body(delta(content="AB"), STOP).replace(b"A", b"\xff") + b""
    chunks = check_any_cut(PROVIDER, EVENT_STREAM, frames)
    assert summary(chunks)["text"] == "\ufffdB"
    assert sum(isinstance(chunk, Notice) for chunk in chunks) == 1
    one = (
        json.dumps({"choices": [{"message": {"content": "AB"}, "finish_reason": "stop"}]})
        .encode()
        .replace(b"A", b"\xff")
    )
    chunks = check_any_cut(PROVIDER, JSON, one)
    assert summary(chunks)["text"] == "\ufffdB"
    assert isinstance(chunks[0], Notice)


# tool calls


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        # whole, and in pieces that carry less and less
        ([[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]], [["a", "f", "{}"]]),
        ([[{"index": 0, "id": "a", "function": {"name": "f"}}], [{"index": 0, "function": {"arguments": "{"}}], [{"index": 0, "function": {"arguments": "}"}}]], [["a", "f", "{}"]]),
        # index, id and name with every piece
        ([[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}], [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "}"}}]], [["a", "f", "{}"]]),
        # name with every piece and no id at all
        ([[{"index": 0, "function": {"name": "f", "arguments": "{"}}], [{"index": 0, "function": {"name": "f", "arguments": "}"}}]], [["call_0", "f", "{}"]]),
        # two with their own index, interleaved
        ([[{"index": 0, "id": "a", "function": {"name": "f"}}, {"index": 1, "id": "b", "function": {"name": "g"}}], [{"index": 1, "function": {"arguments": "2"}}, {"index": 0, "function": {"arguments": "1"}}]], [["a", "f", "1"], ["b", "g", "2"]]),
        # one index, two ids, pieces told apart by id
        ([[{"index": 0, "id": "a", "function": {"name": "f"}}], [{"index": 0, "id": "b", "function": {"name": "f"}}], [{"index": 0, "id": "a", "function": {"arguments": "1"}}], [{"index": 0, "id": "b", "function": {"arguments": "2"}}]], [["a", "f", "1"], ["b", "f", "2"]]),
        # one index, no ids, two names
        ([[{"index": 0, "function": {"name": "f", "arguments": "1"}}], [{"index": 0, "function": {"name": "g", "arguments": "2"}}]], [["call_0", "f", "1"], ["call_1", "g", "2"]]),
        # no index: a new id or a name begins a call, anything else goes on with the last
        ([[{"id": "a", "function": {"name": "f"}}], [{"function": {"arguments": "1"}}], [{"id": "b", "function": {"name": "g"}}], [{"function": {"arguments": "2"}}], [{"id": "a", "function": {"arguments": "3"}}]], [["a", "f", "13"], ["b", "g", "2"]]),
        ([[{"function": {"name": "f", "arguments": "1"}}], [{"function": {"name": "f", "arguments": "2"}}]], [["call_0", "f", "1"], ["call_1", "f", "2"]]),
        # the index only with the first piece
        ([[{"index": 0, "id": "a", "function": {"name": "f"}}], [{"function": {"arguments": "1"}}], [{"id": "a", "function": {"arguments": "2"}}]], [["a", "f", "12"]]),
        # an id that comes late, or changes from piece to piece
        ([[{"index": 0, "function": {"name": "f"}}], [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "1"}}]], [["a", "f", "1"]]),
        ([[{"index": 0, "id": "a", "function": {"name": "f"}}], [{"index": 0, "id": "b", "function": {"arguments": "1"}}]], [["a", "f", "1"]]),
        # arguments as an object, as nothing, and a polluted name
        ([[{"index": 0, "id": "a", "function": {"name": "functions.f<|channel|>commentary", "arguments": {"a": "é"}}}]], [["a", "f", '{"a":"é"}']]),
        ([[{"index": 0, "id": None, "type": None, "function": {"name": "f", "arguments": None}}]], [["call_0", "f", ""]]),
        # the same id twice, and a made-up id that is taken
        ([[{"index": 0, "id": "x", "function": {"name": "f"}}, {"index": 1, "id": "x", "function": {"name": "g"}}]], [["x", "f", ""], ["call_1", "g", ""]]),
        ([[{"index": 0, "id": "call_1", "function": {"name": "f"}}, {"index": 1, "function": {"name": "g"}}]], [["call_1", "f", ""], ["call_2", "g", ""]]),
        # flat, without the inner object; and nothing at all
        ([[{"index": 0, "id": "a", "name": "f", "arguments": "1"}]], [["a", "f", "1"]]),
        ([[{"index": 0, "id": "a", "function": {"name": "f"}}], [{"index": 0}], [None]], [["a", "f", ""]]),
    ],
)  # fmt: skip
def test_tool_calls_in_every_form(pieces: list[list[dict[str, Any]]], calls: list[list[str]]) -> None:
    got = summary(read(*(call(*piece) for piece in pieces), delta("stop")))
    assert got["calls"] == calls
    assert got["finish"] == "tool_calls"


def test_calls_of_a_document_are_told_apart_by_their_place() -> None:
    calls = [
        {"function": {"name": "f", "arguments": "1"}},
        {"id": "x", "function": {"name": "f"}},
        {"id": "x", "function": {"name": "f"}},
    ]
    got = summary(document({"choices": [{"message": {"tool_calls": calls}}]}))
    assert got["calls"] == [["call_0", "f", "1"], ["x", "f", ""], ["call_2", "f", ""]]
    assert got["finish"] == "tool_calls"


def test_the_older_function_call() -> None:
    got = summary(
        read(
            delta(function_call={"name": "f", "arguments": "{"}),
            delta(function_call={"arguments": "}"}),
            delta("function_call"),
        )
    )
    assert got["calls"] == [["call_0", "f", "{}"]]
    assert got["finish"] == "tool_calls"


def test_calls_that_are_none_are_no_calls() -> None:
    for fields in ({"tool_calls": [None, {}]}, {"function_call": "auto"}, {"tool_calls": []}, {"function_call": None}):
        got = summary(read(delta(**fields), STOP))
        assert (got["calls"], got["finish"]) == ([], "stop")


def test_a_call_cut_by_the_limit_keeps_that_reason() -> None:
    assert (
        summary(read(call({"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"a'}}), delta("length")))[
            "finish"
        ]
        == "length"
    )


# the end


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        *((word, "stop") for word in ("stop", "eos", "eosFound", "end_turn")),
        *((word, "length") for word in ("length", "max_tokens", "maxPredictedTokensReached")),
        *((word, "tool_calls") for word in ("tool_calls", "function_call")),
        ("content_filter", "filtered"),
        ("error", "error"),
        ("abort", "error"),
        ("load", "unknown"),
        ("\ud83d", "unknown"),
    ],
)
def test_finish_reasons(raw: str, reason: str) -> None:
    last = read(delta(content="x"), delta(raw))[-1]
    assert last == Finish(FinishReason(reason), raw.encode("utf-8", "replace").decode().replace("?", "\ufffd"))


def test_a_finish_reason_of_another_type_is_unknown() -> None:
    assert read({"choices": [{"delta": {}, "finish_reason": {"type": "stop"}}]})[-1] == Finish(
        FinishReason.UNKNOWN, "unknown"
    )


def test_done_may_be_missing_but_the_finish_reason_may_not() -> None:
    assert isinstance(read(delta("stop", content="x"), done=False)[-1], Finish)
    assert "no finish reason" in str(fault(read(delta(content="x"), done=False)))
    assert "[DONE] without a finish reason" in str(fault(read(delta(content="x"))))


def test_text_after_done_is_not_read() -> None:
    assert summary(read(delta("stop", content="x"), "[DONE]", delta(content="y"), {"error": "late"}))["text"] == "x"


@pytest.mark.parametrize("tail", ["data: [DON", 'data: {"choices":[],"usa', "dat", ":", '{"cho'])
def test_a_cut_after_the_finish_reason_harms_nothing(tail: str) -> None:
    chunks = check_any_cut(PROVIDER, EVENT_STREAM, body(delta("stop", content="x"), done=False) + tail.encode())
    assert chunks[0] == TextDelta("x")
    assert isinstance(chunks[-1], Finish)


def test_a_document_without_finish_reason_is_whole_by_its_syntax() -> None:
    assert document({"choices": [{"message": {"content": "x"}}]}) == [TextDelta("x"), Finish(FinishReason.UNKNOWN)]


# usage


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, Usage(1, 2)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 3}, "prompt_tokens_details": {"cached_tokens": 4}}, Usage(1, 2, 3, 4)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": None, "prompt_tokens_details": {"cached_tokens": None}}, Usage(1, 2)),
        ({"input_tokens": 1, "output_tokens": 2}, Usage(1, 2)),
        ({"prompt_tokens": 1}, Usage(1, 0)),
        ({"prompt_tokens": 1.0, "completion_tokens": 2}, Usage(1, 2)),
    ],
)  # fmt: skip
def test_usage_wherever_it_comes(usage: Any, wanted: Usage) -> None:
    alone = {"choices": [], "usage": usage}
    for frames in (
        [STOP, alone],
        [{**STOP, "usage": usage}],
        [{**delta(content="x"), "usage": {"prompt_tokens": 9, "completion_tokens": 9}}, {**STOP, "usage": usage}],
        [{"usage": usage}, {**STOP, "usage": None}],
    ):
        assert summary(read(*frames))["usage"] == wanted


@pytest.mark.parametrize(
    "usage",
    ["x", {}, [], 5, {"prompt_tokens": -1}, {"prompt_tokens": 1.5}, {"prompt_tokens": "1"}, {"prompt_tokens": True}, {"prompt_tokens": float("nan")}, {"prompt_tokens": 10**30}, {"prompt_tokens": 1, "completion_tokens": float("inf")}, {"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": []}}, float("nan")],
)  # fmt: skip
def test_counts_that_are_none_are_dropped_with_one_notice(usage: Any) -> None:
    chunks = read({**delta(content="x"), "usage": usage}, {**STOP, "usage": usage})
    assert summary(chunks)["usage"] is None
    assert sum(isinstance(chunk, Notice) for chunk in chunks) == 1
    assert summary(chunks)["text"] == "x"


def test_a_number_beyond_all_is_no_count() -> None:
    assert summary(read('{"choices":[],"usage":{"prompt_tokens":1e999}}', STOP))["usage"] is None


# errors in place of an answer


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (body({"error": {"message": "m", "code": 429}}), errors.RateLimited, "m"),
        (body({"error": {"message": "m", "type": "invalid_request_error"}}), errors.BadRequest, "m"),
        (body({"error": {"message": "m", "code": "insufficient_quota"}}), errors.QuotaExceeded, "m"),
        (body({"error": "text"}), errors.ServerError, "text"),
        (body({"error": {"x": 1}}), errors.ServerError, '{"error": {"x": 1}}'),
        (body({"object": "error", "message": "m", "code": 400}), errors.BadRequest, "m"),
        (body({"type": "error", "message": "m"}), errors.ServerError, "m"),
        (b'event: error\ndata: {"error":"e","message":"m"}\n\n', errors.ServerError, "m"),
        (b"event: error\ndata: words\n\n", errors.ServerError, "words"),
        (b'event: error\ndata: "words"\n\n', errors.ServerError, "words"),
        (b"event: error\ndata:\n\n", errors.ServerError, "no reason given"),
        (b'error: {"code":401,"message":"m"}\n\n', errors.AuthError, "m"),
        (b'error: {"error":{"code":401,"message":"m"}}\n\n', errors.AuthError, "m"),
        (b"error: words\n\n", errors.ServerError, "words"),
        (b': ping\n{"error":{"message":"m"}}\n', errors.ServerError, "m"),
        (b'data: {"error": "it said "no""}\n\n', errors.ServerError, 'it said "no"'),
        (body('{"choices":[', done=False), errors.ProtocolError, "malformed JSON"),
        (body(delta(), done=False), errors.ProtocolError, "ended before its end"),
        (b": ping\n\n", errors.ProtocolError, "ended before its end"),
        (b'data: {"choices":[{"delta":{"con', errors.ProtocolError, "malformed JSON"),
        (b"", errors.ProtocolError, "empty"),
        (b" \r\n ", errors.ProtocolError, "empty"),
        (b"<html><head><title>502 Bad\n Gateway</title></head></html>", errors.ProtocolError, "502 Bad Gateway"),
    ],
)
def test_every_form_of_failure_in_a_stream(answer: bytes, kind: type[Exception], words: str) -> None:
    chunks = check_any_cut(PROVIDER, EVENT_STREAM, answer)
    error = fault(chunks)
    assert type(error) is kind, error
    assert words in str(error)
    assert len(chunks) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b'{"error":{"message":"m","code":401}}', errors.AuthError, "m"),
        (b'{"detail":"m"}', errors.ServerError, "m"),
        (b'{"message":"m","code":400}', errors.BadRequest, "m"),
        (b'{"choices":[]}', errors.ProtocolError, "holds no choices"),
        (b'{"usage":{"prompt_tokens":NaN}}', errors.ProtocolError, "holds no choices"),
        (b"{}", errors.ProtocolError, "holds no choices (HTTP 200, application/json)"),
        (b"[]", errors.ProtocolError, "holds no JSON object"),
        (b'{"a":', errors.ProtocolError, "malformed JSON"),
        (b"{\n}\nx", errors.ProtocolError, "malformed JSON"),
        (b"[" * 100_000, errors.ProtocolError, "nested too deeply"),
        (b'"words"', errors.ProtocolError, 'no chat completion (HTTP 200, application/json): "words"'),
        (b"null", errors.ProtocolError, "null"),
        (b"<html><title>Log in</title><body>x</body>", errors.ProtocolError, "application/json): Log in"),
        (b"<html><body>a<br>b &amp; c</body>" + b" " * 30_000, errors.ProtocolError, "a b & c"),
        (b"x" * 100_000, errors.ProtocolError, "xxx..."),
        (b"data", errors.ProtocolError, "data"),
        (b"[DONE]", errors.ProtocolError, "[DONE]"),
    ],
)
def test_every_form_of_failure_in_place_of_a_document(answer: bytes, kind: type[Exception], words: str) -> None:
    for pieces in (
        [answer],
        [answer[i : i + 999] for i in range(0, len(answer), 999)],
        [answer[:1], answer[1:3], answer[3:]],
    ):
        chunks = decode(PROVIDER, JSON, pieces)
        error = fault(chunks)
        assert type(error) is kind, error
        assert words in str(error)
        assert len(error.body) <= 2000
        check_shape(chunks)


def test_what_came_before_a_failure_counts() -> None:
    usage = {"usage": {"prompt_tokens": 1, "completion_tokens": 2}, "id": "i"}
    chunks = read({**delta(content="a" + HIGH), **usage}, call({"index": 0, "function": {"name": "f"}}), {"error": "e"})
    assert chunks[0] == TextDelta("a")
    assert TextDelta("\ufffd") in chunks
    assert CallDelta(0, "call_0") in chunks
    assert Details({"id": "i"}) in chunks
    assert UsageReport(Usage(1, 2)) in chunks
    assert isinstance(chunks[-1], Fault)


def test_an_error_that_is_null_is_none() -> None:
    assert summary(read({**delta(content="x"), "error": None}, STOP))["text"] == "x"


def test_lines_of_json_in_every_disguise() -> None:
    lines = "\n".join(json.dumps(frame) for frame in (delta(content="a"), delta(content="b"), STOP)).encode()
    for kind in ("application/x-ndjson", "application/jsonl", "application/json", "text/event-stream", ""):
        for tail in (b"", b"\n", b"\n[DONE]\n"):
            chunks = check_any_cut(PROVIDER, ResponseHead(200, {"content-type": kind}), lines + tail)
            assert summary(chunks)["text"] == "ab"
            assert summary(chunks)["finish"] == "stop"


def test_lines_that_mean_nothing_are_shown_in_part() -> None:
    chunks = decode(PROVIDER, EVENT_STREAM, [b": ping\n" + b"not a field\n" * 5000])
    assert "no finish reason came" in str(fault(chunks))
    assert fault(chunks).body.startswith("not a field\nnot a field\n")
    assert len(fault(chunks).body) <= 2000


def test_blank_data_is_a_sign_of_life() -> None:
    assert summary(read("", " ", delta(content="x"), STOP))["text"] == "x"


def test_a_line_without_end_is_a_fault() -> None:
    for answer in (b"data: " + b"x" * 2000, b"data: " + b"x" * 2000 + b"\n\n"):
        chunks = check_any_cut(PROVIDER, EVENT_STREAM, body(delta(content="x"), done=False) + answer, 1024)
        assert chunks[0] == TextDelta("x")
        assert "longer than 1024 bytes" in str(fault(chunks))


def test_no_key_in_any_error() -> None:
    for answer in (
        body({"error": {"message": f"bad key {KEY}", "code": KEY, "type": KEY}}),
        f"<html><title>{KEY}</title>".encode(),
        body(f'{{"a": "{KEY}"', done=False),
        f'{{"detail":"{KEY}"}}'.encode(),
        f"error: {KEY}".encode(),
        json.dumps({"error": KEY}).replace("-", "\\u002d").encode(),
    ):
        for head in (EVENT_STREAM, ResponseHead(200, {"content-type": KEY, "x-request-id": KEY})):
            error = fault(decode(PROVIDER, head, [answer]))
            assert KEY not in f"{error} {vars(error)}".replace("\\u002d", "-" if "***" not in str(error) else "")


# the template


def parsed_in_full(frames: bytes, monkeypatch: pytest.MonkeyPatch) -> list[Chunk]:
    with monkeypatch.context() as patch:
        patch.setattr(_openai_decode._Template, "read", lambda self, data: None)
        return decode(PROVIDER, EVENT_STREAM, [frames])


TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        ["a", " b", "\n", '"', "\\", "content", ",", "stop", "}", HIGH, LOW, "\u2028", "\x7f", _openai_decode._PROBE]
    ),
)
FRAMES = st.builds(
    lambda field, text, extra, escaped, cut: json.dumps(
        {**delta(**{field: text}), **extra}, ensure_ascii=escaped or not text.isprintable()
    )[: None if cut else -1],
    st.sampled_from(["content", "content", "reasoning", "reasoning_content"]),
    TEXTS,
    st.sampled_from([{}, {}, {}, {"id": "i"}, {"model": "a"}, {"usage": {"prompt_tokens": 1}}, {"note": "a"}]),
    st.booleans(),
    st.sampled_from([True] * 19 + [False]),
)


@given(st.lists(FRAMES, max_size=30))
@settings(max_examples=500, deadline=None)
def test_the_template_and_the_parser_agree(frames: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        answer = body(*frames, STOP)
        assert list(map(repr, decode(PROVIDER, EVENT_STREAM, [answer]))) == list(
            map(repr, parsed_in_full(answer, patch))
        )


RAW = st.text(st.sampled_from('ab"\\\n\x00u0é,:{}\u2028'), max_size=6)


@given(st.lists(RAW, max_size=12))
@settings(max_examples=500, deadline=None)
def test_the_template_and_the_parser_agree_on_what_is_no_json(texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        frames = ['{"choices":[{"delta":{"content":"' + text.replace("\n", "\t") + '"}}]}' for text in ["a", *texts]]
        answer = body(*frames, STOP)
        assert list(map(repr, decode(PROVIDER, EVENT_STREAM, [answer]))) == list(
            map(repr, parsed_in_full(answer, patch))
        )


def test_the_template_is_used_and_given_up_where_it_never_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    loads = _openai_decode.loads
    monkeypatch.setattr(_openai_decode, "loads", lambda text: parsed.append(text) or loads(text))
    words = [f"w{number}" for number in range(100)]
    assert summary(read_once(*(delta(content=word) for word in words), STOP))["text"] == "".join(words)
    assert len(parsed) < 10
    parsed.clear()
    frames = [{**delta(content=word), "obfuscation": word * 3} for word in words]
    assert summary(read_once(*frames, STOP))["text"] == "".join(words)
    assert len(parsed) < 120


def read_once(*frames: Any) -> list[Chunk]:
    return decode(PROVIDER, EVENT_STREAM, [body(*frames)])
