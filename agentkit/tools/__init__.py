"""Tools: what the model can call, and the texts that pass between it and them. Pure; nothing here runs by itself.

`_hints` and `_classes` read hints into the shapes of `_shapes`, with `_beside`, `_docs`, `_leaves` and `_foreign`;
`_schema` and `_convert` are made from those. `_tool` and `_define` hold the tool and its decorator, `_given` makes
tools of schemas from elsewhere, `_answers` and `_results` hold what the model is told of a call. Replies that are
values are in `_structured`, with `_json_text` and `_partial_json`. The protocol for backends without tools is in
`_prompted`, `_call_reader`, `_written_calls` and `_prompted_chunks`. Each is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentkit._lazy import lazy

__getattr__ = lazy(
    __name__,
    {
        "agentkit.tools._approval": ("Approval", "Approve"),
        "agentkit.tools._answers": (
            "AnyTool",
            "NamedSource",
            "ToolSource",
            "gather",
            "prepare",
            "raised",
            "returned",
        ),
        "agentkit.tools._define": ("tool",),
        "agentkit.tools._errors": (
            "InvalidArguments",
            "InvalidReply",
            "Problem",
        ),
        "agentkit.tools._given": (
            "Given",
            "fit_name",
            "tool_of_schema",
        ),
        "agentkit.tools._partial_json": ("PartialJson",),
        "agentkit.tools._prompted": (
            "as_text",
            "instructions",
        ),
        "agentkit.tools._prompted_chunks": ("PromptedCalls",),
        "agentkit.tools._results": (
            "cleaned",
            "explain",
            "limited",
            "text_of",
        ),
        "agentkit.tools._structured": (
            "Wanted",
            "wanted",
        ),
        "agentkit.tools._tool": (
            "BoundCall",
            "Rerun",
            "Tool",
            "ToolContext",
        ),
    },
)

__all__ = [
    "AnyTool",
    "Approval",
    "Approve",
    "BoundCall",
    "Given",
    "InvalidArguments",
    "InvalidReply",
    "NamedSource",
    "PartialJson",
    "Problem",
    "PromptedCalls",
    "Rerun",
    "Tool",
    "ToolContext",
    "ToolSource",
    "Wanted",
    "as_text",
    "cleaned",
    "explain",
    "fit_name",
    "gather",
    "instructions",
    "limited",
    "prepare",
    "raised",
    "returned",
    "text_of",
    "tool",
    "tool_of_schema",
    "wanted",
]

if TYPE_CHECKING:
    from agentkit.tools._answers import AnyTool as AnyTool
    from agentkit.tools._answers import NamedSource as NamedSource
    from agentkit.tools._answers import ToolSource as ToolSource
    from agentkit.tools._answers import gather as gather
    from agentkit.tools._answers import prepare as prepare
    from agentkit.tools._answers import raised as raised
    from agentkit.tools._answers import returned as returned
    from agentkit.tools._approval import Approval as Approval
    from agentkit.tools._approval import Approve as Approve
    from agentkit.tools._define import tool as tool
    from agentkit.tools._errors import InvalidArguments as InvalidArguments
    from agentkit.tools._errors import InvalidReply as InvalidReply
    from agentkit.tools._errors import Problem as Problem
    from agentkit.tools._given import Given as Given
    from agentkit.tools._given import fit_name as fit_name
    from agentkit.tools._given import tool_of_schema as tool_of_schema
    from agentkit.tools._partial_json import PartialJson as PartialJson
    from agentkit.tools._prompted import as_text as as_text
    from agentkit.tools._prompted import instructions as instructions
    from agentkit.tools._prompted_chunks import PromptedCalls as PromptedCalls
    from agentkit.tools._results import cleaned as cleaned
    from agentkit.tools._results import explain as explain
    from agentkit.tools._results import limited as limited
    from agentkit.tools._results import text_of as text_of
    from agentkit.tools._structured import Wanted as Wanted
    from agentkit.tools._structured import wanted as wanted
    from agentkit.tools._tool import BoundCall as BoundCall
    from agentkit.tools._tool import Rerun as Rerun
    from agentkit.tools._tool import Tool as Tool
    from agentkit.tools._tool import ToolContext as ToolContext
