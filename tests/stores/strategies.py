"""Hypothesis strategies for values of the journal."""

from __future__ import annotations

from hypothesis import strategies as st

from agentkit import messages as m
from agentkit import store as s
from agentkit.events import Segment
from agentkit.usage import FinishReason, Outcome, Usage

# Low halves of surrogate pairs only: a high half before a low one is one character in JSON.
text = st.text(st.one_of(st.characters(), st.characters(min_codepoint=0xDC00, max_codepoint=0xDFFF, categories=["Cs"])))
clean = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(text, json_values, max_size=3)
raws = st.sampled_from(['{"a": 1}', ' {"a":1.0}', '{"a": NaN}', "", "no json", "[1]", '{"a": [1,', '{"a":1e999}'])
calls = st.one_of(
    st.builds(m.ToolCall, text, text, objects, raw=st.none() | text | raws, broken=st.booleans(), meta=objects),
    st.builds(m.ToolCall.parse, text, text, raws),
)
results = st.builds(m.ToolResult, text, text, st.booleans())
media = st.builds(m.Media, text, data=st.none() | st.binary(max_size=20), url=st.none() | text)
odd_objects = objects | st.builds(
    lambda tag, rest: {"type": tag, **rest}, st.sampled_from(["text", "hologram", "unknown", "replied", ""]), objects
)
parts = st.one_of(
    st.builds(m.Text, text), st.builds(m.Reasoning, text, meta=objects), calls, results, media,
    st.builds(m.Unknown, odd_objects),
)  # fmt: skip
roles = st.sampled_from(m.ROLES)
messages = st.builds(m.Message, roles, st.lists(parts, max_size=4).map(tuple), objects)
counts = st.integers(0, 2**40)
usages = st.builds(Usage, counts, counts, counts, counts, counts, st.booleans())
finishes = st.sampled_from(FinishReason)
segments = st.builds(Segment, counts, counts, text, finishes, usages, st.none() | text)
failures = st.builds(s.Failure, text, text, objects)
message_tuples = st.lists(messages, max_size=3).map(tuple)
records = st.one_of(
    st.builds(s.Configured, st.none() | text),
    st.builds(s.Imported, message_tuples),
    st.builds(s.TurnStarted, text, messages, text),
    st.builds(s.TurnResumed, text),
    st.builds(s.PartialReply, text, text, text),
    st.builds(s.Replied, text, messages, usages),
    st.builds(s.ToolStarted, text, text),
    st.builds(s.ToolFinished, text, results),
    st.builds(
        s.TurnEnded,
        text,
        st.sampled_from(Outcome),
        finishes,
        usages,
        st.lists(segments, max_size=2).map(tuple),
        st.none() | failures,
        objects,
    ),
    st.builds(s.Rewound, counts),
    st.builds(s.UnknownRecord, odd_objects),
)
