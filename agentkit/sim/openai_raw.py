"""A reply as a server shows it that does not take it apart, or that repeats what it goes on from. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from agentkit.sim.accent import Raw
from agentkit.sim.talk import Call, End, Reason, Reply, Said, Speak, Step


def raw(reply: Reply, how: Raw, *, begun: bool) -> Reply:
    """The reply with its reasoning, and what marks it, in the text; `begun` where it goes on from a text."""
    match how:
        case "":
            return reply
        case "think":
            thought = f"<think>\n{reply.reasoning}\n</think>\n\n" if reply.reasoning else ""
            return Reply(text=thought + reply.text, calls=reply.calls)
        case "harmony":
            return Reply(text=_harmony(reply, begun=begun))
        case "words":
            return Reply(text=_words(reply, begun=begun))


def _harmony(reply: Reply, *, begun: bool) -> str:
    channels = [f"<|channel|>analysis<|message|>{reply.reasoning}<|end|>"] if reply.reasoning else []
    channels += [_call(call) for call in reply.calls]
    if reply.text or not reply.calls:
        channels.append(f"{'' if begun else '<|channel|>final<|message|>'}{reply.text}<|return|>")
    return "<|start|>assistant".join(channels)


def _call(call: Call) -> str:
    return f"<|channel|>commentary to=functions.{call.name} <|constrain|>json<|message|>{call.arguments}<|call|>"


def _words(reply: Reply, *, begun: bool) -> str:
    """The same without its control tokens."""
    thought = f"analysis{reply.reasoning}" if reply.reasoning else ""
    calls = "".join(f"assistantcommentary to=functions.{call.name} json{call.arguments}" for call in reply.calls)
    final = "" if begun or reply.calls or not thought else "assistantfinal"
    return thought + calls + final + reply.text


def echoed(steps: Iterator[Step], echo: Said) -> Iterator[Step]:
    """The steps, with what is repeated glued to the first word of its kind."""
    thought, said = echo.reasoning, echo.text
    for step in steps:
        match step:
            case Reason(text):
                yield Reason(thought + text)
                thought = ""
                continue
            case Speak() | End() if thought:
                yield Reason(thought)
                thought = ""
            case _:
                pass
        match step:
            case Speak(text):
                yield Speak(said + text)
                said = ""
                continue
            case End() if said:
                yield Speak(said)
            case _:
                pass
        yield step
