"""Tools: what the model can call, and the texts that pass between it and them. Pure; nothing here runs by itself.

`_hints` and `_classes` read hints into the shapes of `_shapes`, with `_docs`, `_leaves` and `_foreign`; `_schema` and
`_convert` are made from those. `_tool` and `_define` hold the tool and its decorator, `_given` makes tools of schemas
from elsewhere, `_answers` and `_results` hold what the model is told of a call. Replies that are values are in
`_structured`, with `_json_text` and `_partial_json`. The protocol for backends without tools is in `_prompted`,
`_call_reader`, `_written_calls` and `_prompted_chunks`.
"""

from __future__ import annotations

from agentkit.tools._answers import AnyTool, NamedSource, ToolSource, gather, prepare, raised, returned
from agentkit.tools._define import tool
from agentkit.tools._errors import InvalidArguments, InvalidReply, Problem
from agentkit.tools._given import Given, fit_name, tool_of_schema
from agentkit.tools._partial_json import PartialJson
from agentkit.tools._prompted import as_text, instructions
from agentkit.tools._prompted_chunks import PromptedCalls
from agentkit.tools._results import cleaned, explain, limited, text_of
from agentkit.tools._structured import Wanted, wanted
from agentkit.tools._tool import Approval, Approve, BoundCall, Rerun, Tool, ToolContext

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
