"""Checks of tool calls and of reasoning: how they come, and how they go back."""

from __future__ import annotations

from typing import Any

from agentkit import Conversation
from agentkit.messages import Message, Reasoning, Text, ToolCall, ToolResult, assistant
from agentkit.usage import FinishReason
from tests.servers.peer import Answer, Check, NotOffered, Peer, want

NUMBER = {"type": "integer"}
SCHEMA = {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]}
ADD = {"type": "function", "function": {"name": "add", "description": "Add two numbers.", "parameters": SCHEMA}}
QUESTION = "What is 4 plus 7?"
ASKED = ToolCall("call_1", "add", {"a": 4, "b": 7})


def called(peer: Peer) -> str:
    """A call, whole and streamed."""
    answers = [_offered(peer, QUESTION, stream=stream) for stream in (False, True)]
    if not peer.can.tools:
        raise NotOffered(f"the server answers {answers[0].text[:80]!r}")
    for answer in answers:
        want(len(answer.whole().calls) == 1, f"{len(answer.calls)} calls, text {answer.text[:120]!r}")
        call = answer.calls[0]
        want((call.name, call.arguments) == ("add", {"a": 4, "b": 7}) and not call.broken, repr(call))
        want(answer.finish is FinishReason.TOOL_CALLS, f"finish {answer.finish}")
        want(not answer.text.strip(), f"text beside the call: {answer.text[:120]!r}")
    ids = "with" if all(answer.calls[0].id for answer in answers) else "without"
    return f"{answers[0].calls[0].arguments_json}, {ids} an id"


def answered(peer: Peer) -> str:
    """The result goes back, and the model uses it; the same with words or thinking before the call."""
    if not peer.can.tools:
        raise NotOffered("no tools")
    texts: list[str] = []
    for said in ((), (Text("Let me add."),), (Reasoning("I have to add."),)):
        history = (Message("assistant", (*said, ASKED)), Message("tool", (ToolResult("call_1", "11"),)))
        texts.append(_offered(peer, QUESTION, *history).whole().text)
    want(all("11" in text for text in texts), repr(texts))
    return repr(texts[0])


def two_calls(peer: Peer) -> str:
    """A history with two calls in one message is taken, as the capabilities have it encoded."""
    if not peer.can.tools:
        raise NotOffered("no tools")
    calls = (ASKED, ToolCall("call_2", "add", {"a": 1, "b": 2}))
    results = (ToolResult("call_1", "11"), ToolResult("call_2", "3"))
    answer = _offered(peer, QUESTION, assistant(*calls), Message("tool", results)).whole()
    return f"taken: {answer.text[:60]!r}"


def cut(peer: Peer) -> str:
    """A call that max_tokens cuts is never a whole one."""
    if not peer.can.tools:
        raise NotOffered("no tools")
    found: list[str] = []
    for stream in (False, True):
        answer = _offered(peer, QUESTION, stream=stream, max_tokens=8).whole()
        whole = [call for call in answer.calls if not call.broken]
        want(answer.finish is FinishReason.LENGTH, f"stream={stream}: finish {answer.finish}")
        want(not whole, f"stream={stream}: {whole} out of 8 tokens")
        found.append(f"{len(answer.calls)} calls, text {answer.text[:30]!r}")
    return f"whole: {found[0]}; streamed: {found[1]}"


def asked_again(peer: Peer) -> str:
    """A turn whose call is cut asks for it again, with more room."""
    options = peer.settings(max_tokens=8, extra={"tools": [ADD]})
    with Conversation(**{**peer.named, "options": options}) as chat:
        reply = chat.send(QUESTION)
    calls = reply.message.tool_calls
    told = f"{len(reply.segments)} requests: {calls or reply.text[:80]!r}"
    if not calls and not peer.can.tools:
        raise NotOffered(told)
    want([(call.name, call.arguments) for call in calls] == [("add", {"a": 4, "b": 7})], told)
    want(not reply.text, f"text beside the call: {reply.text[:120]!r}")
    return f"{len(reply.segments)} requests"


def chosen(peer: Peer) -> str:
    """A tool can be demanded and forbidden."""
    demanded = peer.ask("Hello", extra={"tools": [ADD], "tool_choice": "required"}, max_tokens=120)
    forbidden = peer.ask(QUESTION, extra={"tools": [ADD], "tool_choice": "none"}, max_tokens=60)
    seen = f"required: {_calls(demanded)}; none: {_calls(forbidden)}"
    if not peer.can.tool_choice:
        raise NotOffered(seen)
    obeyed = demanded.error is forbidden.error is None and demanded.calls and not forbidden.calls
    want(obeyed, seen)
    return seen


def reasoned(peer: Peer) -> str:
    """Where the model thinks aloud, its thinking comes apart from its text."""
    answers = [peer.ask("Hello", stream=stream).whole() for stream in (False, True)]
    for answer in answers:
        want("<|" not in answer.text and "<think" not in answer.text, f"control words: {answer.text[:120]!r}")
    one, other = (answer.reasoning for answer in answers)
    want(one == other, f"whole {one!r}, streamed {other!r}")
    if not one:
        raise NotOffered("this model does not think aloud")
    return repr(one[:80])


def _offered(peer: Peer, *messages: Any, stream: bool = False, **settings: Any) -> Answer:
    return peer.ask(*messages, stream=stream, extra={"tools": [ADD]}, **settings)


def _calls(answer: Answer) -> str:
    if answer.error is not None:
        return f"HTTP {answer.head.status}"
    made = ", ".join(f"{call.name} {call.raw or call.arguments_json}" for call in answer.calls)
    return made or f"no call ({answer.finish}, {answer.text[:30]!r})"


CHECKS: dict[str, Check] = {
    "a tool call": called,
    "a tool's result": answered,
    "two calls in one message": two_calls,
    "a cut tool call": cut,
    "a cut tool call, asked for again": asked_again,
    "tool_choice": chosen,
    "reasoning apart": reasoned,
}
