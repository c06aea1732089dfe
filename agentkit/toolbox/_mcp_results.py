"""What a server answers to a call, as what a tool returns. Text stays text; what is none is described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcp.types import BlobResourceContents, CallToolResult, ContentBlock, TextResourceContents


def value_of(result: CallToolResult) -> Any:
    """The texts of a result with descriptions of what is none; or its structured content, where there is neither."""
    if not result.content:
        return result.structured_content
    return "\n".join(map(_text, result.content))


def _text(part: ContentBlock) -> str:
    match part.type:
        case "text":
            return part.text
        case "image" | "audio":
            return f"[{part.type}, {part.mime_type}, {_size(part.data)}; it cannot be shown here]"
        case "resource_link":
            about = f": {part.description}" if part.description else ""
            return f"[{part.name} is at {part.uri}{about}]"
        case "resource":
            return _resource(part.resource)


def _resource(found: TextResourceContents | BlobResourceContents) -> str:
    text = getattr(found, "text", None)
    if isinstance(text, str):
        return f"[{found.uri}]\n{text}"
    return (
        f"[{found.uri}, {found.mime_type or 'no text'}, {_size(getattr(found, 'blob', ''))}; it cannot be shown here]"
    )


def _size(base64: str) -> str:
    return f"{len(base64.rstrip('=')) * 3 // 4:,} bytes"


def progress_of(done: float, total: float | None, message: str | None) -> str:
    """How far the work has come, in words."""
    share = f"{done:g}" if total is None else f"{done:g} of {total:g}"
    return f"{message} ({share})" if message else share
