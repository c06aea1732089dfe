"""Orders that only some backends can follow, since only their formats have room for it. Pure parsing.

    refuse seed             chat completions: a request with this field is refused, as one that the server does not know
    leak words              the same without its control words, where a server strips them
    leak harmony            the text holds the raw format of the model: control words on Gradient, <think> on PixiGPT
    think aloud             Gradient: the answer, too, comes as reasoning
    add noise               Gradient: blank lines and events that mean nothing
    never complete          Gradient: the job ends without `completed`; PixiGPT: the run stays in progress
    run ends as cancelled   PixiGPT: its last status, known or not
    after 5 polls           PixiGPT: a run takes so long
    attach sources and code PixiGPT: sources, media and code come with the reply of a run

Unlike faults, these happen every time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_KIND = r"(?:sources?|media|code)"
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "leak": r"\bleak\s+(?:harmony|thinking|tags|control\s+(?:words|tokens))\b",
        "refuse": r"\brefuse\s+(?P<value>[a-z]+_[a-z_]{1,40}|tools|seed|stop|temperature)\b",
        "words": r"\bleak\s+words\b",
        "aloud": r"\bthink\s+aloud\b",
        "noise": r"\badd\s+noise\b",
        "open": r"\bnever\s+completes?\b",
        "status": r"\brun\s+ends?\s+as\s+(?P<value>[a-z_]{1,40})\b",
        "polls": r"\bafter\s+(?P<value>\d{1,4})\s+polls?\b",
        "attach": rf"\battach\s+(?P<value>{_KIND}(?:(?:\s*,\s*|\s+and\s+){_KIND}){{0,2}})\b",
    }.items()
}


def read(text: str) -> dict[str, str]:
    """The quirks that a text orders; for each what it says besides."""
    found = {name: pattern.search(text) for name, pattern in _PATTERNS.items()}
    return {name: match.groupdict().get("value", "").lower() for name, match in found.items() if match}
