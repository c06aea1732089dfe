"""Checks of continuation: a reply cut after N tokens and continued must be the reply that was not cut."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agentkit import Conversation
from agentkit.context import ContextPolicy
from agentkit.continuation import Continuation, Way
from agentkit.events import TextDelta
from agentkit.messages import Message, Reasoning, Text, assistant, user
from agentkit.usage import FinishReason, Outcome
from tests.servers.peer import Answer, Check, NotOffered, Peer, want

FLAGS = {"continue_final_message": True, "add_generation_prompt": False}


def native(peer: Peer) -> str:
    """What the server does with a trailing assistant message, against what is said of it."""
    uncut = _uncut(peer)
    if not peer.can.prefix:
        raise NotOffered(f"the server by itself: {_by_itself(peer, uncut)}")
    wrong: list[str] = []
    places = _places(peer, uncut)
    for stream in (False, True):
        for place in places:
            head = peer.ask(peer.story, max_tokens=place).whole()
            if head.finish is not FinishReason.LENGTH or not (head.text or head.reasoning):
                continue
            joined = _joined(peer, head, stream=stream)
            if joined != (uncut.reasoning, uncut.text):
                wrong.append(f"after {place} tokens, stream={stream}: {head.text[-20:]!r}, then {joined}"[:300])
    want(not wrong, f"{len(wrong)} of {2 * len(places)} differ: {wrong[0] if wrong else ''}")
    return f"{len(places)} cuts of {len(uncut.text)} characters, whole and streamed"


def repeats(peer: Peer) -> str:
    """Whether a continuation begins with the text that it continues."""
    if not peer.can.prefix:
        raise NotOffered("no continuation")
    head = peer.ask(peer.story, max_tokens=40).whole()
    want(head.text, "no text within 40 tokens")
    seen = {stream: _go_on(peer, head, stream=stream).text.startswith(head.text) for stream in (False, True)}
    said = peer.can.repeats_prefix
    want(said is None or set(seen.values()) == {said}, f"repeats_prefix={said}; whole, streamed: {seen}")
    return f"repeats_prefix={said}; whole {seen[False]}, streamed {seen[True]}"


def resumed(peer: Peer) -> str:
    """A conversation that was stopped in the middle of a reply goes on to the same end."""
    uncut = _uncut(peer)
    with Conversation(**peer.named) as chat:
        with chat.stream(peer.story) as turn:
            shown = ""
            for event in turn:
                shown += event.text if isinstance(event, TextDelta) else ""
                if len(shown) > len(uncut.text) // 3:
                    break
        reply = chat.resume()
        kept = chat.messages[-1].text
    if not peer.can.prefix:
        raise NotOffered(f"begun anew or asked to go on: {reply.outcome}, {len(kept)} characters")
    want(kept == uncut.text, f"{kept[:40]!r}...{kept[-80:]!r}")
    return f"stopped after {len(shown)} of {len(kept)} characters"


def by_itself(peer: Peer) -> str:
    """A reply that the limit of tokens cuts is continued within the turn, to the text that was not cut."""
    uncut = _uncut(peer)
    with Conversation(**{**peer.named, "options": peer.settings(max_tokens=60)}) as chat:
        reply = chat.send(peer.story)
    ways = sorted({segment.strategy for segment in reply.segments} - {"first"})
    told = f"{len(reply.segments)} requests, by {', '.join(ways)}"
    if ways != ["native"]:
        raise NotOffered(f"{told}; {reply.outcome}, {'the same text' if reply.text == uncut.text else 'another text'}")
    want(reply.text == uncut.text, f"{told}: {reply.text[:200]!r}")
    return told


def one_way(way: Way) -> Check:
    """A conversation whose reply is cut after so many tokens, and resumed in one way only.

    By native it must be the uncut one, everywhere. By the others it depends on the model, and is only told.
    """

    def check(peer: Peer) -> str:
        if way == "native" and not peer.can.prefix:
            raise NotOffered("no continuation")
        uncut, places = _uncut(peer), _places(peer, _uncut(peer))
        found: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for stream in (False, True):
            for place in places:
                came = _cut_and_resumed(peer, way, place, uncut.text, stream=stream)
                found[came[0]] += 1
                examples.setdefault(*came)
        told = ", ".join(f"{count} {kind}" for kind, count in found.most_common())
        told = f"of {2 * len(places)} cuts of {len(uncut.text)} characters, whole and streamed: {told}"
        shown = "; ".join(f"{kind}: {examples[kind]}" for kind in found if kind != "equal")
        want(not found["shown otherwise"], f"{told}; {shown}")
        want(way != "native" or set(found) == {"equal"}, f"{told}; {shown}")
        if found["wrong"]:  # how well it does as it is told is the model's, not the server's
            raise NotOffered(f"{told}; {shown}")
        return f"{told}; {shown}".removesuffix("; ")

    return check


def _cut_and_resumed(peer: Peer, way: Way, place: int, uncut: str, *, stream: bool) -> tuple[str, str]:
    """What came of one cut, and an example of it."""
    once = Continuation(strategy=way, max_attempts=0)
    room = ContextPolicy(window=4096)  # what fits is the server's to say: a small model is counted with much reserve
    with Conversation(**peer.named, continuation=once, context=room) as chat:
        head = chat.send(peer.story, options=peer.settings(max_tokens=place))
        if not stream:
            reply, shown = chat.resume(), None
        else:
            with chat.stream_resume() as turn:
                shown = "".join(event.text for event in turn if isinstance(event, TextDelta))
            reply = turn.reply
    added = f"{head.text[-20:]!r}, then {reply.text[len(head.text) :][:60]!r}, {reply.outcome}, {reply.reason}"
    if shown not in (None, reply.text):
        return "shown otherwise", f"shown {shown!r:.120}, committed {reply.text!r:.120}"
    if reply.text == uncut:
        return "equal", added
    if reply.text == head.text and reply.outcome is Outcome.TRUNCATED:
        return "still cut, nothing added, and said so", added
    return "wrong", added


def _uncut(peer: Peer) -> Answer:
    uncut = peer.ask(peer.story).whole()
    want(uncut.finish is FinishReason.STOP, f"the story has no end of its own: {uncut.finish}")
    return uncut


def _places(peer: Peer, uncut: Answer) -> list[int]:
    tokens = uncut.usage.output_tokens if uncut.usage is not None else len(uncut.text) // 5
    step = max(1, tokens // peer.cuts) if peer.cuts else 1
    return list(range(1, tokens, step))


def _go_on(peer: Peer, head: Answer, *, stream: bool) -> Answer:
    thought = (Reasoning(head.reasoning),) if head.reasoning else ()
    said = (Text(head.text),) if head.text else ()
    return peer.ask(peer.story, Message("assistant", (*thought, *said)), prefix=True, stream=stream).whole()


def _joined(peer: Peer, head: Answer, *, stream: bool) -> tuple[str, str]:
    """Reasoning and text, with what is repeated left out where the backend is said to repeat."""
    more = _go_on(peer, head, stream=stream)
    if peer.can.repeats_prefix is False:
        return head.reasoning + more.reasoning, head.text + more.text
    return head.reasoning + more.reasoning.removeprefix(head.reasoning), head.text + more.text.removeprefix(head.text)


def _by_itself(peer: Peer, uncut: Answer) -> str:
    head = peer.ask(peer.story, max_tokens=20).whole().text
    wire: list[dict[str, Any]] = [{"role": "user", "content": peer.story}, {"role": "assistant", "content": head}]
    found: list[str] = []
    for name, flags in (("a trailing message", {}), ("the flags of vLLM", FLAGS)):
        body = {"model": peer.model, "messages": wire, "temperature": 0, "max_tokens": 400, **flags}
        found.append(f"{name}: {_verdict(peer.ask_raw(body), head, uncut.text)}")
    return "; ".join(found)


def _verdict(answer: Answer, head: str, uncut: str) -> str:
    if answer.error is not None:
        return f"refused (HTTP {answer.head.status})"
    if answer.text == uncut:
        return "continued, the beginning repeated"
    return "continued" if head + answer.text == uncut else "a new reply"


def parts_survive(peer: Peer) -> str:
    """An assistant message in the middle of a history is not taken for a prefix."""
    messages = [user("My name is Ada."), assistant(Text("Nice to meet you, Ada.")), user("What is my name?")]
    text = peer.ask(*messages).whole().text
    want("Ada" in text, repr(text[:120]))
    return repr(text[:60])


CHECKS: dict[str, Check] = {
    "a history with an answer in it": parts_survive,
    "native continuation": native,
    "resumed by native": one_way("native"),
    "resumed by echo": one_way("echo"),
    "repeated prefix": repeats,
    "a stopped conversation resumes": resumed,
    "a cut reply goes on by itself": by_itself,
}
