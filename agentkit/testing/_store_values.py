"""Names and records that a store must carry, and what it must refuse as a name."""

from __future__ import annotations

from typing import Any

from agentkit.messages import Media, Message, Reasoning, Text, ToolCall, ToolResult, Unknown, assistant, user
from agentkit.store import (
    Configured,
    Decided,
    Discarded,
    Failure,
    Imported,
    PartialReply,
    Record,
    Replied,
    Rewound,
    Summarized,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnResumed,
    TurnStarted,
    UnknownRecord,
)
from agentkit.usage import FinishReason, Outcome, Usage

NAMES = (
    "trip", "Trip", "TRIP", " trip", "trip ", "a/b", "../../etc/passwd", "C:\\x", "con", ".", "..", "~", "a\0b", "a\0",
    "\0",
    "\n", "\t", "'; DROP TABLE conversations; --", '"', "%", "_", "*", "?", "null", "None", "0", "1e3", "\u00e9",
    "e\u0301", "\u202ertl", "\ufeffbom", "\U0001f600", "\U0010ffff", "\ufffe", "\u2028", "x" * 300, "\u00e9" * 300,
)  # fmt: skip
BAD_NAMES: tuple[Any, ...] = ("", "\ud800", "a\udfffb", None, 5, b"bytes")
RECORDS: tuple[Record, ...] = (
    Configured("Be brief."),
    Configured(None),
    Imported(
        (user("h\u00e9\0", Media("image/png", data=b"\0\xff")), assistant(ToolCall("1", "f", {"a": [1.5, None]})))
    ),
    TurnStarted("t", user("hi"), "model"),
    TurnResumed("t"),
    PartialReply("t", "half a \ud83d pair", "\u2028"),
    Replied("t", Message("assistant", (Reasoning("hm"), Text("")), {"p": {"id": "x"}}), Usage(1, 2, requests=1)),
    ToolStarted("t", "1"),
    ToolFinished("t", ToolResult("1", "no", is_error=True)),
    Decided("t", "1", {"a": [1.5, None]}),
    Decided("t", "1", answer=ToolResult("1", "")),
    Discarded("t", assistant("{"), "it ends too early", Usage(3, 4)),
    TurnEnded("t", Outcome.FAILED, FinishReason.ERROR, failure=Failure("ServerError", "503", {"status": 503})),
    Rewound(3),
    Summarized(2, "They talked about the sea."),
    UnknownRecord({"type": "hologram", "parts": [1, {"\u00e9": True}]}),
    Imported((Message("user", (Unknown({"type": "hologram"}),)),)),
    PartialReply("t", "long " * 50_000),
)
