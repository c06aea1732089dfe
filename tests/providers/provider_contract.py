"""The recorded answers, and the checks that any provider can be put through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from agentkit.provider import ResponseHead
from agentkit.testing._provider_checks import (
    check_any_cut,
    check_early_end,
    check_interleaved,
    check_shape,
    cuts,
    decode,
    summary,
)
from agentkit.usage import Usage

__all__ = [
    "EVENT_STREAM",
    "JSON",
    "cases",
    "check_any_cut",
    "check_early_end",
    "check_interleaved",
    "check_shape",
    "cuts",
    "decode",
    "expected",
    "stream_of",
    "summary",
    "whole_of",
]

DATA = Path(__file__).parent / "data"
EVENT_STREAM = ResponseHead(200, {"content-type": "text/event-stream; charset=utf-8"})
JSON = ResponseHead(200, {"content-type": "application/json"})


def cases() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(DATA.glob("*.json"))}


def stream_of(case: dict[str, Any], newline: str = "\n") -> bytes:
    return newline.join([*case["stream"], ""]).encode()


def whole_of(case: dict[str, Any]) -> bytes:
    return json.dumps(case["whole"]).encode()


def expected(case: dict[str, Any]) -> dict[str, Any]:
    usage = case["expect"]["usage"]
    return {**case["expect"], "usage": None if usage is None else Usage(**usage)}
