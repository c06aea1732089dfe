"""Checks of what goes wrong: every refusal is a typed error with words, and the server answers the next request."""

from __future__ import annotations

import sys
from typing import Any

from agentkit import Conversation
from agentkit.errors import AgentKitError, AuthError, BadRequest, ContextOverflow, ProviderError, ServerError
from tests.servers.peer import WRONG_KEY, Answer, Check, Differs, NotOffered, Peer, want

STREAMS = 50


def overflow(peer: Peer) -> str:
    found: list[str] = []
    for stream in (False, True):
        answer = peer.ask("river " * peer.overflow_words, stream=stream)
        if answer.error is None:
            raise NotOffered(f"{peer.overflow_words} words were taken (stream={stream}): {answer.text[:60]!r}")
        want(isinstance(answer.error, ContextOverflow), f"stream={stream}: {_told(answer.error)}")
        assert isinstance(answer.error, ContextOverflow)
        found.append(f"limit {answer.error.limit}, used {answer.error.used}")
    want(found[0] == found[1], f"whole {found[0]}, streamed {found[1]}")
    return f"{found[0]}: {str(answer.error)[:160]}"


def too_much_asked(peer: Peer) -> str:
    """A limit that prompt and window leave no room for."""
    answer = peer.ask("Hello", max_tokens=10_000_000)
    if answer.error is None:
        raise NotOffered("taken; the window ends the reply")
    want(isinstance(answer.error, BadRequest), _told(answer.error))
    return _told(answer.error)


def wrong_model(peer: Peer) -> str:
    answer = peer.ask("Hello", model="no-such-model")
    if answer.error is None:
        raise NotOffered("any name is served")
    want(isinstance(answer.error, BadRequest), _told(answer.error))
    return _told(answer.error)


def wrong_key(peer: Peer) -> str:
    answer = peer.ask_with_a_wrong_key()
    if answer.error is None:
        raise NotOffered("the server asks for no key")
    want(isinstance(answer.error, AuthError), _told(answer.error))
    want(WRONG_KEY not in f"{answer.error}{answer.error.body}", "the key is shown")
    return _told(answer.error)


def malformed(peer: Peer) -> str:
    """Each is refused as a bad request, or answered; what a server calls its own failure is told."""
    bodies: dict[str, bytes | dict[str, Any]] = {
        "no JSON": b"{not json",
        "no body": b"",
        "no messages": _body(peer, messages=[]),
        "messages that are none": _body(peer, messages="Hello"),
        "an unknown role": _body(peer, messages=[{"role": "wizard", "content": "x"}]),
        "a content that is none": _body(peer, messages=[{"role": "user", "content": 5}]),
        "a wrong temperature": _body(peer, temperature="hot"),
        "an unknown field": _body(peer, no_such_field=1),
    }
    seen: dict[str, str] = {}
    for name, body in bodies.items():
        try:
            answer = peer.ask_raw(body)
        except AgentKitError as error:
            seen[name] = type(error).__name__
            continue
        seen[name] = "answered" if answer.error is None else _short(answer)
        if answer.error is not None and not isinstance(answer.error, BadRequest | ServerError):
            raise Differs(f"{name}: {_told(answer.error)}")
    peer.ask("Hello").whole()
    return "; ".join(f"{name}: {what}" for name, what in seen.items())


def back_to_back(peer: Peer) -> str:
    """Streams one after the other without a pause, over kept connections."""
    connects = _Connects()
    texts = [peer.ask("Count to 5.", stream=True).whole().text for _ in range(STREAMS)]
    want(len(set(texts)) == 1, f"different replies: {sorted(set(texts))}")
    return f"{STREAMS} streams, {connects.count} new connections"


def left_early(peer: Peer) -> str:
    """A client that leaves in the middle of a stream, ten times; the next request is answered."""
    with Conversation(**peer.named) as chat:
        for _ in range(10):
            with chat.stream("Tell me a story.") as turn:
                next(turn)
            chat.undo()
        text = chat.send("Hello").text
    want(text, "no text")
    return repr(text[:60])


class _Connects:
    """How many connections this process has made since."""

    def __init__(self) -> None:
        self.count = 0
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: object) -> None:
        self.count += event == "socket.connect"


def _body(peer: Peer, **fields: Any) -> dict[str, Any]:
    return {"model": peer.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5, **fields}


def _told(error: ProviderError) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _short(answer: Answer) -> str:
    return f"{type(answer.error).__name__} {answer.head.status}"


CHECKS: dict[str, Check] = {
    "a prompt that is too long": overflow,
    "a max_tokens that is too large": too_much_asked,
    "an unknown model": wrong_model,
    "a wrong key": wrong_key,
    "malformed requests": malformed,
    "streams back to back": back_to_back,
    "a client that leaves": left_early,
}
