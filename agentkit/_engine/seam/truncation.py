"""Whether a reply was cut, by what it looks like: backends say "stop" of replies that are not at their end.

A complete reply must not be continued, so only what a complete one hardly ever shows counts.
"""

from __future__ import annotations

from agentkit._engine.seam.shape import Shape
from agentkit.usage import FinishReason

_CELLS = 2


def truncation(
    shape: Shape, finish: FinishReason, *, output_tokens: int | None = None, max_tokens: int | None = None
) -> str | None:
    """Why the reply counts as cut, in words; None where it is to be taken as it is.

    `output_tokens` are those of the last attempt alone, `max_tokens` the cap that was in force for it. A reply that
    called tools, was filtered, failed or lost its end is never cut in this sense.
    """
    match finish:
        case FinishReason.LENGTH:
            return "the backend's limit of tokens"
        case FinishReason.STOP:
            at_cap = max_tokens is not None and output_tokens is not None and output_tokens >= max_tokens > 0
            return "it ends at the limit of tokens" if at_cap else open_end(shape)
        case _:
            return None


def open_end(shape: Shape) -> str | None:
    """What the text ends in the middle of."""
    trail = shape.json
    if trail is not None:
        return "it ends inside a JSON document"
    fence = shape.fence
    if fence is not None and shape.in_fence and (fence.has_content or shape.line.strip()):
        return "it ends inside a block of code"
    return "it ends inside a row of a table" if _is_row_open(shape) else None


def _is_row_open(shape: Shape) -> bool:
    table, line = shape.table, shape.line.strip()
    if table is None or not table.rule or shape.fence is not None or not line.startswith("|"):
        return False
    closed = table.header.rstrip().endswith("|") and table.header.count("|") > _CELLS
    return closed and not line.endswith("|") and line.count("|") < table.header.count("|")
