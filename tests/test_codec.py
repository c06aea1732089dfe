"""The codec: every value comes back equal, and every bad document is an InvalidDocument that names the place."""

from __future__ import annotations

import json
import math
from typing import get_args

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stores import strategies as some

from agentkit import codec, messages, store
from agentkit.codec import (
    _convert,
    _document,
    decode_record,
    encode_record,
    from_openai,
    messages_from_json,
    messages_to_json,
    to_openai,
)
from agentkit.errors import InvalidDocument, InvalidInput, Unsupported
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
from agentkit.store import Configured, Imported, PartialReply, Replied, TurnEnded, UnknownRecord
from agentkit.usage import Outcome, Usage


def same(one, other):
    """Equal, and by repr too: 1 is not 1.0 nor True, and a NaN is a NaN."""
    return repr(one) == repr(other) and type(one) is type(other)


# --- round trips


@given(some.message_tuples)
def test_messages_come_back_equal(said):
    text = messages_to_json(said)
    text.encode()
    assert same(messages_from_json(text), said)
    assert messages_to_json(messages_from_json(text)) == text
    assert messages_from_json(text.encode()) == messages_from_json(text)


@given(some.records)
def test_records_come_back_equal(record):
    text = encode_record(record)
    text.encode()
    assert "\n" not in text
    assert same(decode_record(text), record)
    assert encode_record(decode_record(text)) == text


def test_every_class_of_the_unions_has_one_tag():
    assert {*_convert.PARTS, Unknown} == set(get_args(messages.Part))
    assert {*_convert.RECORDS, UnknownRecord} == set(get_args(store.Record))
    for tags in (_convert.PARTS, _convert.RECORDS):
        assert len(set(tags.values())) == len(tags)


def test_documents_are_small_and_readable():
    assert messages_to_json([user("hé")]) == (
        '{"format":"agentkit.messages","version":1,"messages":[{"role":"user","parts":[{"type":"text","text":"hé"}]}]}'
    )
    assert encode_record(PartialReply("t", "x")) == '{"type":"partial_reply","turn_id":"t","text":"x"}'
    assert encode_record(TurnEnded("t", Outcome.COMPLETE)) == '{"type":"turn_ended","turn_id":"t","outcome":"complete"}'
    assert encode_record(Configured(None)) == '{"type":"configured","system":null}'


def test_the_memo_of_a_message_is_no_data():
    said = user("hi")
    said.memo("wire", lambda _: b"{}")
    assert "wire" not in messages_to_json([said])
    assert messages_from_json(messages_to_json([said]))[0]._memo == {}


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"hologram","z":1,"a":{"é":"\\u0000"},"n":null,"f":1.5e+300,"list":[1,2.0,true]}',
        '{"z":"first","type":"hologram"}',
        '{"type":"unknown","data":{"type":"unknown","turn_id":5}}',
        '{"type":"unknown","data":{}}',
    ],
)
def test_unknown_records_and_parts_are_written_back_byte_for_byte(text):
    assert isinstance(decode_record(text), UnknownRecord)
    assert encode_record(decode_record(text)) == text
    document = f'{{"format":"agentkit.messages","version":1,"messages":[{{"role":"user","parts":[{text}]}}]}}'
    assert isinstance(messages_from_json(document)[0].parts[0], Unknown)
    assert messages_to_json(messages_from_json(document)) == document


def test_a_part_of_another_program_is_not_taken_for_one_of_ours():
    said = Message("user", (Unknown({"type": "text", "text": 5}), Unknown({}), Unknown({"type": "unknown"})))
    assert messages_from_json(messages_to_json([said])) == (said,)


def test_half_surrogates_survive_and_split_pairs_are_joined():
    text = encode_record(PartialReply("t", "a\ud800b\udc00\U0001f600"))
    assert text.encode().decode() == text
    assert decode_record(text) == PartialReply("t", "a\ud800b\udc00\U0001f600")
    assert decode_record(encode_record(PartialReply("t", "\ud83d\ude00"))) == PartialReply("t", "\U0001f600")


def test_what_a_model_wrote_is_kept_even_where_json_has_no_word_for_it():
    for raw in ('{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a":' + "[" * 5000 + "}", '{"a": 1', "[1]"):
        call = ToolCall.parse("1", "f", raw)
        assert same(
            *(m.tool_calls[0] for m in (assistant(call), *messages_from_json(messages_to_json([assistant(call)]))))
        )
    assert '"arguments"' not in encode_record(Imported((assistant(ToolCall.parse("1", "f", '{"a":1}')),)))


def test_arguments_that_were_changed_after_the_model_wrote_them_are_kept():
    call = attrs.evolve(ToolCall.parse("1", "f", '{"a":1}'), arguments={"a": True})
    for changed in (call, attrs.evolve(call, arguments={}), attrs.evolve(call, arguments={"b": 2})):
        (back,) = messages_from_json(messages_to_json([assistant(changed)]))
        assert same(back.tool_calls[0], changed)


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def test_arguments_nested_too_deeply_are_kept_as_text():
    raw = '{"a":' + "[" * 4000 + "]" * 4000 + "}"
    call = ToolCall("1", "f", {"a": deep(4000)}, raw=raw)
    text = messages_to_json([assistant(call)])
    assert messages_from_json(text)[0].tool_calls[0].raw == raw
    with pytest.raises(InvalidInput, match="nested too deeply"):
        messages_to_json([assistant(ToolCall("1", "f", {"a": deep(4000)}))])


def test_tuples_in_meta_become_arrays():
    said = Message("user", (Text("x"),), {"p": {"t": (1, ("a",))}})
    assert messages_from_json(messages_to_json([said]))[0].meta == {"p": {"t": [1, ["a"]]}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (PartialReply("t", 5), "expected a text, not 5"),
        (PartialReply(None, "x"), "expected a text, not None"),
        (store.Rewound(True), "expected a whole number, not True"),
        (store.Rewound(10**5000), "cannot be"),
        (TurnEnded("t", "complete"), "expected Outcome"),
        (Configured(b"x"), "expected a text"),
        (Imported((Message("boss", (Text("x"),)),)), "expected one of system, user, assistant, tool, not 'boss'"),
        (Imported((Message("user", ("x",)),)), "expected Unknown, not 'x'"),
        (Imported((Message("user", 5),)), "cannot be stored"),
        (Imported((Message("user", (), {"a": {1: 2}}),)), "the key 1 is not a text"),
        (Imported((Message("user", (), {"a": {1, 2}}),)), "is a set, which has no JSON form"),
        (Imported((Message("user", (), {"a": math.nan}),)), "JSON has no nan"),
        (Imported((Message("user", (), {"a": deep(100_000)}),)), "nested too deeply"),
        (Imported((user(Media("a/b", data="text")),)), "expected bytes, not 'text'"),
        (Imported((user(Unknown([])),)), "expected Mapping"),
        ("a text", "expected UnknownRecord, not 'a text'"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(value, said):
    with pytest.raises(InvalidInput) as caught:
        encode_record(value)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


# --- bad documents


def document(*listed):
    return json.dumps({"format": "agentkit.messages", "version": 1, "messages": list(listed)})


def parts(*listed):
    return document(
        {"role": "user", "parts": [{"type": "text", "text": "ok"}]}, {"role": "user", "parts": list(listed)}
    )


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("", "$", "no JSON"),
        ("{", "$", "no JSON"),
        (b"\xff\xfe", "$", "no JSON"),
        ("[" * 100_000, "$", "nested too deeply"),
        ("9" * 5000, "$", "no JSON"),
        ("[]", "$", "from_openai"),
        ("5", "$", "no document of messages"),
        ('{"format":"other","version":1}', "$", "'agentkit.messages'"),
        ('{"format":"agentkit.messages"}', "$.version", "not None"),
        ('{"format":"agentkit.messages","version":true}', "$.version", "not True"),
        ('{"format":"agentkit.messages","version":"1"}', "$.version", "not '1'"),
        ('{"format":"agentkit.messages","version":2}', "$.version", "upgrade agentkit"),
        ('{"format":"agentkit.messages","version":0}', "$.version", "no version 0"),
        ('{"format":"agentkit.messages","version":1}', "$.messages", "missing"),
        ('{"format":"agentkit.messages","version":1,"messages":[],"more":1}', "$", "unknown key 'more'"),
        ('{"format":"agentkit.messages","version":1,"messages":[NaN]}', "$", "NaN"),
        ('{"format":"agentkit.messages","version":1,"messages":[1e999]}', "$", "1e999"),
        ('{"format":"agentkit.messages","version":1,"messages":"abc"}', "$.messages", "expected an array, not 'abc'"),
        ('{"format":"agentkit.messages","version":1,"messages":{"a":1}}', "$.messages", "expected an array"),
        (document(5), "$.messages[0]", "expected an object, not 5"),
        (document({"role": "user"}), "$.messages[0].parts", "missing"),
        (document({"role": "boss", "parts": []}), "$.messages[0].role", "not 'boss'"),
        (document({"role": ["user"], "parts": []}), "$.messages[0].role", "not ['user']"),
        (document({"role": "user", "parts": [], "id": 1}), "$.messages[0]", "unknown key 'id'"),
        (document({"role": "user", "parts": [], "_memo": {}}), "$.messages[0]", "unknown key '_memo'"),
        (document({"role": "user", "parts": [], "meta": []}), "$.messages[0].meta", "expected an object, not []"),
        (parts(None), "$.messages[1].parts[0]", "expected an object, not None"),
        (parts({"text": "x"}), "$.messages[1].parts[0]", "'type'"),
        (parts({"type": 5}), "$.messages[1].parts[0]", "'type'"),
        (parts({"type": "unknown"}), "$.messages[1].parts[0]", "'data'"),
        (parts({"type": "unknown", "data": 5}), "$.messages[1].parts[0]", "expected an object, not 5"),
        (parts({"type": "text"}), "$.messages[1].parts[0].text", "missing"),
        (parts({"type": "text", "text": 5}), "$.messages[1].parts[0].text", "expected a text, not 5"),
        (parts({"type": "text", "text": "x" * 9999, "a": 1}), "$.messages[1].parts[0]", "unknown key 'a'"),
        (parts({"type": "reasoning", "text": ["x" * 9999]}), "$.messages[1].parts[0].text", "expected a text"),
        (parts({"type": "media", "mime": "a/b", "data": "é"}), "$.messages[1].parts[0].data", "'é' is not base64"),
        (parts({"type": "media", "mime": "a/b", "data": "abc"}), "$.messages[1].parts[0].data", "base64"),
        (parts({"type": "media", "mime": "a/b", "data": 5}), "$.messages[1].parts[0].data", "expected a text, not 5"),
        (parts({"type": "tool_call", "id": "1"}), "$.messages[1].parts[0].name", "missing"),
        (parts({"type": "tool_call", "id": "1", "name": "f", "raw": 5}), "$.messages[1].parts[0].raw", "not 5"),
        (parts({"type": "tool_call", "id": "1", "name": "f", "broken": 1}), "$.messages[1].parts[0].broken", "true or"),
        (parts({"type": "tool_result", "call_id": "1", "content": None}), "$.messages[1].parts[0].content", "not None"),
    ],
)  # fmt: skip
def test_bad_documents_are_named(text, path, said):
    with pytest.raises(InvalidDocument) as caught:
        messages_from_json(text)
    assert caught.value.path == path
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("5", "$"),
        ("{}", "$"),
        ('{"type":"replied","turn_id":"t"}', "$.message"),
        ('{"type":"replied","turn_id":"t","message":{"role":"user","parts":[5]}}', "$.message.parts[0]"),
        ('{"type":"turn_ended","turn_id":"t","outcome":"great"}', "$.outcome"),
        ('{"type":"turn_ended","turn_id":"t","outcome":5}', "$.outcome"),
        ('{"type":"turn_ended","turn_id":"t","outcome":"failed","failure":{"kind":"x"}}', "$.failure.message"),
        (
            '{"type":"turn_ended","turn_id":"t","outcome":"failed","segments":[{"start":0,"end":1.5}]}',
            "$.segments[0].end",
        ),
        ('{"type":"rewound","keep":true}', "$.keep"),
        ('{"type":"rewound","keep":"1"}', "$.keep"),
    ],
)
def test_bad_records_are_named(text, path):
    with pytest.raises(InvalidDocument) as caught:
        decode_record(text)
    assert caught.value.path == path


def test_nesting_that_json_can_read_is_no_recursion_error_either():
    for depth in (200, 900, 990, 5000):
        text = parts({"type": "hologram"}).replace('"hologram"', '"hologram","x":' + "[" * depth + "]" * depth)
        try:
            messages_to_json(messages_from_json(text))
        except InvalidInput as error:
            assert "nested too deeply" in str(error)  # noqa: PT017
    with pytest.raises(InvalidDocument):
        decode_record('{"type":"rewound","keep":' + "[" * 900 + "]" * 900 + "}")


def test_what_is_no_document_at_all():
    with pytest.raises(InvalidDocument, match="expected JSON"):
        messages_from_json({"format": "agentkit.messages"})
    with pytest.raises(InvalidDocument, match="expected a list"):
        from_openai(5)
    with pytest.raises(InvalidInput, match="in a list"):
        messages_to_json(user("hi"))


@pytest.mark.parametrize("more", [{}, {"content": None}])
def test_a_chat_dict_without_content_is_no_message(more):
    for role in ("user", "system", "developer"):
        with pytest.raises(InvalidDocument, match="needs content") as caught:
            from_openai([{"role": "user", "content": "hi"}, {"role": role, **more}])
        assert caught.value.path == "$[1].content"
    assert from_openai([{"role": "assistant", "refusal": "no", **more}])[0].parts == ()


def test_a_recursion_while_reading_is_an_invalid_document(monkeypatch):
    def endless(value, type_):
        raise RecursionError

    monkeypatch.setattr(_convert, "_reader", lambda **_: attrs.make_class("R", {"structure": attrs.field()})(endless))
    with pytest.raises(InvalidDocument, match="nested too deeply"):
        decode_record("{}")


@given(st.text() | st.binary())
@example('{"format":"agentkit.messages","version":1,"messages":[{}]}')
def test_any_bytes_are_a_document_or_an_invalid_document(text):
    for read in (messages_from_json, decode_record):
        try:
            read(text)
        except InvalidDocument as error:
            assert error.path.startswith("$")  # noqa: PT017


@given(some.messages, st.data())
def test_any_damage_to_a_document_is_an_invalid_document(said, data):
    text = messages_to_json([said])
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.sampled_from(["", "5", '"', "[", "}", ":", ",", "null,"])) + text[at + 1 :]
    try:
        messages_from_json(damaged)
    except InvalidDocument as error:
        assert error.path.startswith("$")  # noqa: PT017


def test_an_older_document_is_migrated_step_by_step(monkeypatch):
    monkeypatch.setattr(_document, "VERSION", 3)
    monkeypatch.setattr(
        _document,
        "MIGRATIONS",
        {1: lambda old: {"format": old["format"], "said": old["messages"]}, 2: lambda old: {**_v3(old)}},
    )
    assert messages_from_json(document({"role": "user", "parts": []})) == (Message("user", ()),)


def _v3(old):
    return {"format": old["format"], "version": 3, "messages": old["said"]}


# --- OpenAI's chat dicts

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}
CANONICAL = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "hi"},
    {"role": "user", "content": "hi", "name": "bob"},
    {"role": "user", "content": ""},
    {"role": "user", "content": []},
    {"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE, {"type": "text", "text": "b"}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAE"}}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAF="}}]},
    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
    {"role": "assistant", "content": None},
    {"role": "assistant", "content": ""},
    {"role": "assistant", "content": "hi", "refusal": None, "annotations": []},
    {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "content": "hi", "reasoning_content": "hm"},
    {"role": "assistant", "content": "hi", "reasoning_content": ""},
    {"role": "assistant", "content": "hi", "reasoning_content": None},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{ "a": 1}'}},
            {"id": "2", "type": "function", "function": {"name": "f", "arguments": '{"a": '}},
            {"id": "3", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": "rain"},
]


@pytest.mark.parametrize("item", CANONICAL, ids=lambda item: item["role"])
def test_canonical_dicts_come_back_equal(item):
    assert to_openai(from_openai([item])) == [item]
    stored = messages_from_json(messages_to_json(from_openai([item])))
    assert to_openai(stored) == [item]


def test_a_whole_conversation_of_dicts():
    said = from_openai(CANONICAL)
    assert to_openai(said) == CANONICAL
    assert [message.role for message in said[:3]] == ["system", "system", "user"]
    assert said[6].parts == (Text("a"), Media("image/png", data=b"\x00\x01\x02"), Text("b"))
    assert [call.broken for call in said[18].tool_calls] == [False, True, False]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"role": "assistant", "content": "x", "reasoning": "hm"}, Message("assistant", (Reasoning("hm"), Text("x")))),
        (
            {"role": "assistant", "content": "x", "reasoning": "hm", "reasoning_content": "hm"},
            Message("assistant", (Reasoning("hm"), Text("x"))),
        ),
        ({"role": "assistant", "tool_calls": None}, Message("assistant", ())),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
            Message("assistant", (ToolCall("1", "f"),)),
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}]},
            Message("assistant", (ToolCall("1", "f", {"a": 1}),)),
        ),
        (
            {
                "role": "tool",
                "tool_call_id": "1",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            Message("tool", (ToolResult("1", "ab"),)),
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x", "detail": "low"}}]},
            Message("user", (Media("image/*", url="x"),)),
        ),
    ],
)
def test_other_spellings_are_read_too(item, message):
    assert from_openai([item]) == (message,)


carried_calls = st.builds(ToolCall.parse, some.text, some.text, some.objects.map(json.dumps))
carried_users = st.builds(
    Message,
    st.sampled_from(["system", "user"]),
    st.lists(
        st.builds(Text, some.text)
        | st.builds(Media, st.sampled_from(["image/png", "image/jpeg"]), data=st.binary())
        | st.builds(lambda path: Media("image/*", url=f"https://x.example/{path}"), some.text)
    ).map(tuple),
)
carried_assistants = st.builds(
    lambda thought, said, calls: Message("assistant", (*thought, *said, *calls)),
    st.lists(st.builds(Reasoning, some.text), max_size=1),
    st.lists(st.builds(Text, some.text), max_size=2),
    st.lists(carried_calls, max_size=3),
)
carried_tools = st.builds(lambda *it: Message("tool", (ToolResult(*it),)), some.text, some.text)
carried = st.lists(carried_users | carried_assistants | carried_tools).map(tuple)


@given(carried)
def test_what_chat_dicts_can_carry_comes_back_equal(said):
    dicts = to_openai(said)
    assert same(from_openai(dicts), said)
    assert to_openai(from_openai(json.loads(json.dumps(dicts)))) == dicts


@given(some.message_tuples)
def test_everything_else_is_unsupported_or_settles_after_one_trip(said):
    try:
        dicts = to_openai(said)
    except Unsupported:
        return
    try:
        back = from_openai(dicts)
    except InvalidDocument:
        assert any(isinstance(part, Unknown) for message in said for part in message.parts)
        return
    assert to_openai(back) == dicts or any(isinstance(p, Unknown | ToolCall) for m in said for p in m.parts)


def test_a_tool_message_becomes_one_dict_for_each_result():
    said = Message("tool", (ToolResult("1", "a"), ToolResult("2", "b", is_error=True)))
    assert to_openai([said]) == [
        {"role": "tool", "tool_call_id": "1", "content": "a"},
        {"role": "tool", "tool_call_id": "2", "content": "b"},
    ]


@pytest.mark.parametrize(
    "said",
    [
        assistant(Text("a"), Reasoning("late")),
        assistant(ToolCall("1", "f"), Text("late")),
        assistant(Media("image/png", data=b"")),
        user(Media("audio/wav", data=b"")),
        user(ToolCall("1", "f")),
        user(ToolResult("1", "x")),
        system(Reasoning("x")),
        Message("tool", (Text("x"),)),
    ],
)
def test_what_chat_dicts_cannot_carry_is_unsupported(said):
    with pytest.raises(Unsupported, match=said.role):
        to_openai([said])


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (5, "$[0]"),
        ({}, "$[0].role"),
        ({"role": "function"}, "$[0].role"),
        ({"role": ["user"]}, "$[0].role"),
        ({"role": "user", "content": 5}, "$[0].content"),
        ({"role": "user", "content": [5]}, "$[0].content[0]"),
        ({"role": "user", "content": [{}]}, "$[0].content[0]"),
        ({"role": "user", "content": [{"type": "text"}]}, "$[0].content[0]"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, "$[0].content[0]"),
        ({"role": "tool", "content": "x"}, "$[0].tool_call_id"),
        ({"role": "tool", "tool_call_id": "1", "content": [IMAGE]}, "$[0].content"),
        ({"role": "assistant", "reasoning": 5}, "$[0].reasoning"),
        ({"role": "assistant", "tool_calls": 5}, "$[0].tool_calls"),
        ({"role": "assistant", "tool_calls": [5]}, "$[0].tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"type": "custom"}]}, "$[0].tool_calls[0].type"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, "$[0].tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}, "$[0].tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, "$[0].tool_calls[0].id"),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": 5}}]},
            "$[0].tool_calls[0].function.arguments",
        ),
    ],
)
def test_bad_chat_dicts_are_named(item, path):
    with pytest.raises(InvalidDocument) as caught:
        from_openai([item])
    assert caught.value.path == path


def test_the_public_names():
    assert sorted(codec.__all__) == codec.__all__
    assert all(hasattr(codec, name) for name in codec.__all__)


def test_a_reply_is_stored_with_its_usage():
    record = Replied("t", assistant("hi"), Usage(1, 2, requests=1))
    assert decode_record(encode_record(record)) == record
