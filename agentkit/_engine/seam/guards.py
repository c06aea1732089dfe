"""When going on is no use: an attempt adds nothing, or the reply says the same thing again and again."""

from __future__ import annotations

_TAIL = 8000
_PROBES = (32, 160, 640)
"""Characters at the end that are looked for: a loop may hold a smaller one."""
_SHOWN = 64
_LEAST = 4
"""Characters, space not counted, that an attempt adds at least."""
_RUN = 1500
_SHORT = 24
_SHORT_RUN = 4000
"""What repeats itself in few characters is a row of zeros or a line of dashes for longer than it is a loop."""
_TIMES = 3
_MOST = 0.9
"""Of what was added."""


def no_progress(added: str) -> str | None:
    """Why there is no use in another attempt after one that added this."""
    signs = len("".join(added[: 64 + _LEAST].split()))
    if signs >= _LEAST:
        return None
    return "the attempt added nothing" if signs == 0 else "the attempt added almost nothing"


def repetition(text: str, added: int) -> str | None:
    """That the text ends in a loop, which the last `added` characters do not leave."""
    tail = text[-_TAIL:]
    for probe in _PROBES:
        before = tail.rfind(tail[-probe:], 0, len(tail) - 1) if len(tail) > probe else -1
        period = len(tail) - probe - before
        run = _run(tail, period) if before >= 0 else 0
        if run >= max(_SHORT_RUN if period < _SHORT else _RUN, _TIMES * period, _MOST * min(added, len(tail))):
            said = " ".join(tail[-period:].split())
            shown = said if len(said) <= _SHOWN else said[:_SHOWN] + "..."
            return f"it repeats itself: {shown!r}, {run // period} times or more"
    return None


def _run(text: str, period: int) -> int:
    """Length of the end of the text that has this period."""
    low, high = period, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        part = text[-middle:]
        if part[period:] == part[:-period]:
            low = middle
        else:
            high = middle - 1
    return low
