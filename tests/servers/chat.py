"""Checks of plain chatting: whole, streamed, limited, with all settings, and through a conversation."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from agentkit import AsyncConversation, Conversation
from agentkit.events import TextDelta
from agentkit.messages import Reasoning, assistant, system
from agentkit.options import RetryPolicy
from agentkit.usage import FinishReason
from tests.servers.peer import Answer, Check, Differs, NotOffered, Peer, want

LONG = "Count to 12."


def whole(peer: Peer) -> str:
    answer = peer.ask("Hello").whole()
    want(answer.text, f"no text: {answer.body[:200]!r}")
    want(answer.finish is FinishReason.STOP, f"finish {answer.finish}")
    return repr(answer.text[:80])


def streamed(peer: Peer) -> str:
    one, other = peer.ask(LONG).whole(), peer.ask(LONG, stream=True).whole()
    want(one.text == other.text, f"whole {one.text[:200]!r}, streamed {other.text[:200]!r}")
    want(one.finish == other.finish, f"whole ends with {one.finish}, streamed with {other.finish}")
    want(len(other.deltas) > 1, "the text came in one piece")
    want(not one.notices and not other.notices, f"notices: {one.notices + other.notices}")
    done = "with" if b"[DONE]" in other.body else "without"
    return f"{len(other.deltas)} pieces, {done} [DONE]"


def counts(peer: Peer) -> str:
    one, other = peer.ask(LONG).whole().usage, peer.ask(LONG, stream=True).whole().usage
    if one is None and not peer.can.usage:
        raise NotOffered("no counts, and none promised")
    want(one is not None and one.input_tokens and one.output_tokens, f"whole: {one}")
    want(other is not None, f"no counts in a stream; {one} in a whole answer")
    assert one is not None
    assert other is not None
    same = (one.input_tokens, one.output_tokens) == (other.input_tokens, other.output_tokens)
    want(same, f"whole {one}, streamed {other}")
    return f"{one.input_tokens} in, {one.output_tokens} out"


def repeatable(peer: Peer) -> str:
    texts = {peer.ask(LONG).whole().text for _ in range(3)}
    want(len(texts) == 1, f"temperature 0 gives several replies: {sorted(texts)}")
    return "three times the same"


def limited(peer: Peer) -> str:
    found: list[str] = []
    for stream in (False, True):
        answer = peer.ask(LONG, stream=stream, max_tokens=5).whole()
        want(answer.finish is FinishReason.LENGTH, f"stream={stream}: {answer.finish}, {answer.text[:80]!r}")
        if answer.usage is not None:
            want(answer.usage.output_tokens == 5, f"stream={stream}: {answer.usage.output_tokens} tokens counted for 5")
        found.append(answer.text)
    want(found[0] == found[1], f"whole {found[0]!r}, streamed {found[1]!r}")
    return repr(found[0])


def stop_word(peer: Peer) -> str:
    texts = [peer.ask(LONG, stream=stream, stop=("5",)).whole().text for stream in (False, True)]
    want(texts[0] == texts[1], f"whole {texts[0]!r}, streamed {texts[1]!r}")
    want("5" not in texts[0], f"the stop word is in the text: {texts[0][:80]!r}")
    return repr(texts[0])


def settings(peer: Peer) -> str:
    given: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ("never", "ever"),
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
        "reasoning_effort": "low",
    }
    for stream in (False, True):
        peer.ask("Hello", stream=stream, **given).whole()
    return f"{len(given) + 1} settings taken"


def shapes(peer: Peer) -> str:
    """Histories that agentkit sends: with instructions, in their middle, beginning with the assistant, and so on."""
    histories: dict[str, list[Any]] = {
        "system first": [system("Be brief."), "Hello"],
        "system later": ["Hello", assistant("Hi."), system("Be brief."), "Hello"],
        "two users": ["Hello", "Hello"],
        "assistant first": [assistant("Hi."), "Hello"],
        "an answer without words": ["Hello", assistant(Reasoning("Well.")), "Hello"],
    }
    refused = {name: answer.error for name, each in histories.items() if (answer := peer.ask(*each)).error}
    want(not refused, "; ".join(f"{name}: {error}" for name, error in refused.items()))
    return ", ".join(histories)


def json_mode(peer: Peer) -> str:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    bound = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    answer = peer.ask("Hello", extra={"response_format": bound}, max_tokens=60)
    obeyed = answer.error is None and _is_bound(answer)
    if not peer.can.json_mode:
        raise NotOffered(f"the server {'obeys' if obeyed else 'does not obey'}: {answer.error or answer.text[:60]!r}")
    want(obeyed, str(answer.error or repr(answer.text[:200])))
    return f"{answer.text.strip()!r}, {answer.finish}"


def _is_bound(answer: Answer) -> bool:
    """A small model may fill the rest of its tokens with blanks, which JSON allows."""
    if answer.finish is FinishReason.LENGTH:
        return re.match(r'\s*\{\s*"ok"\s*:', answer.text) is not None
    try:
        value = json.loads(answer.text)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get("ok"), bool)


def conversation(peer: Peer) -> str:
    """A conversation remembers, and what it showed piece by piece is what it keeps."""
    with Conversation(**peer.named, retry=RetryPolicy(max_attempts=1)) as chat:
        chat.send("My name is Ada.")
        with chat.stream("What is my name?") as turn:
            shown = "".join(event.text for event in turn if isinstance(event, TextDelta))
        want(shown == turn.reply.text == chat.messages[-1].text, f"shown {shown!r}, kept {turn.reply.text!r}")
        want("Ada" in shown, f"does not remember: {shown!r}")
        return f"{shown!r}, {chat.usage.total_tokens} tokens"


def asynchronous(peer: Peer) -> str:
    """Twelve conversations at the same time give the same replies as one."""
    alone = peer.ask(LONG).whole().text

    async def one() -> str:
        async with AsyncConversation(**peer.named) as chat:
            return (await chat.send(LONG)).text

    async def many() -> list[str]:
        return await asyncio.gather(*(one() for _ in range(12)))

    different = [text for text in asyncio.run(many()) if text != alone]
    if different:
        raise Differs(f"{len(different)} of 12 replies differ, such as {different[0][:120]!r} for {alone[:120]!r}")
    return "12 at once"


CHECKS: dict[str, Check] = {
    "a whole reply": whole,
    "a streamed reply": streamed,
    "counts of tokens": counts,
    "temperature 0 repeats itself": repeatable,
    "max_tokens": limited,
    "a stop word": stop_word,
    "every setting": settings,
    "shapes of history": shapes,
    "a JSON schema": json_mode,
    "a conversation remembers": conversation,
    "many at once": asynchronous,
}
