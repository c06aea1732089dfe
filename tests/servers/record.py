"""What a server says of itself, and one exchange in the form of `tests/providers/data`: bodies for tests to replay."""

from __future__ import annotations

import json
from typing import Any

from attrs import asdict

from agentkit.discovery import probe
from agentkit.errors import AgentKitError
from tests.servers.peer import Answer, Check, Peer, want
from tests.servers.tools import ADD, QUESTION

PATHS = (
    "/",
    "/v1",
    "/health",
    "/ping",
    "/version",
    "/props",
    "/slots",
    "/v1/models",
    "/models",
    "/api/version",
    "/api/tags",
    "/api/v0/models",
    "/get_model_info",
    "/server_info",
    "/info",
    "/cluster/status_json",
    "/api/ps",
    "/api/v1/models",
    "/load",
    "/metrics",
    "/health/liveliness",
    "/v1/model/info",
    "/openapi.json",
)
_MOST = 12_000
"""Characters of a body that are kept."""


def discovery(peer: Peer) -> dict[str, Any]:
    """Path to status, headers and body, of everything that tells servers apart or counts tokens."""
    words = {"content": "Tell me a story.", "prompt": "Tell me a story.", "model": peer.model}
    chat = {"model": peer.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    asked: list[tuple[str, str, dict[str, Any] | None]] = [("GET", path, None) for path in PATHS]
    asked += [
        ("POST", "/tokenize", words),
        ("POST", "/tokenize", chat),
        ("POST", "/extras/tokenize", {"input": "Tell me a story.", "model": peer.model}),
        ("POST", "/apply-template", chat),
        ("POST", "/api/show", {"model": peer.model}),
        ("POST", "/v1/messages/count_tokens", chat),
        ("POST", "/v1/chat/completions/input_tokens", chat),
        ("POST", "/utils/token_counter", chat),
    ]
    made: dict[str, Any] = {}
    for method, path, body in asked:
        name = path if method == "GET" else f"{method} {path}"
        while name in made:
            name += " (chat)"
        made[name] = _asked(peer, method, path, body)
    return made


def _asked(peer: Peer, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    try:
        head, data = peer.get(method, path, body)
    except AgentKitError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    text = data.decode("utf-8", "replace")
    made = {"status": head.status, "headers": dict(head.headers), "body": text[:_MOST]}
    return made if len(text) <= _MOST else {**made, "cut_at": _MOST}


def known(peer: Peer) -> str:
    """agentkit's own discovery takes the server for what it is."""
    verdict = probe(peer.url, api_key=peer.key, patience=10)
    told = f"{verdict.backend}: {verdict.evidence}; version {verdict.version}, window {verdict.window(peer.model)}"
    want(verdict.backend == peer.backend, told)
    want(any(name.endswith(peer.model) for name in verdict.models), f"the model is not among {verdict.models}")
    return told


def told(found: dict[str, Any]) -> list[str]:
    """One line for each path that is there."""
    return [
        f"{name}: HTTP {each['status']} {each['headers'].get('content-type', '')} {each['body'][:100]!r}"
        for name, each in found.items()
        if each.get("status", 404) < 400
    ]


def exchanges(peer: Peer, server: str) -> dict[str, Any]:
    """Streamed and whole answers and the refusals, as the provider tests replay them."""
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Say river.", {}),
        ("Count to 12.", {"max_tokens": 5}),
        (QUESTION, {"extra": {"tools": [ADD]}}),
    )
    return {
        "server": server,
        "backend": peer.backend,
        "model": peer.model,
        "exchanges": [_exchange(peer, *each) for each in asked if peer.ask(each[0], **each[1]).error is None],
        "errors": [_refusal(answer) for answer in _refused(peer)],
    }


def _exchange(peer: Peer, question: str, settings: dict[str, Any]) -> dict[str, Any]:
    """One that was asked before: its prompt is cached, and counted alike by both."""
    whole, stream = (peer.ask(question, stream=stream, **settings).whole() for stream in (False, True))
    return {
        "stream": _steady(stream).splitlines(),
        "whole": json.loads(_steady(whole)),
        "expect": {
            "text": whole.text,
            "reasoning": whole.reasoning,
            "calls": [[f"call_{number}", call.name, call.raw] for number, call in enumerate(whole.calls)],
            "finish": str(whole.finish),
            "usage": None if whole.usage is None else asdict(whole.usage, filter=lambda _, value: bool(value)),
        },
    }


def _steady(answer: Answer) -> str:
    """The body with the ids of its calls by their number: they are random."""
    text = answer.body.decode()
    for number, call in enumerate(answer.calls):
        text = text.replace(f'"{call.id}"', f'"call_{number}"')
    return text


def _refused(peer: Peer) -> list[Answer]:
    answers = [
        peer.ask(QUESTION, extra={"tools": [ADD]}),
        peer.ask("river " * peer.overflow_words),
        peer.ask("Hello", model="no-such-model"),
        peer.ask("Hello", max_tokens=10_000_000),
        peer.ask_with_a_wrong_key(),
        peer.ask_raw(b"{not json"),
        peer.ask_raw({"model": peer.model, "messages": "Hello"}),
        peer.ask_raw({"model": peer.model, "messages": [{"role": "wizard", "content": "x"}]}),
    ]
    return [answer for answer in answers if answer.error is not None]


def _refusal(answer: Answer) -> dict[str, Any]:
    error = answer.error
    made: dict[str, Any] = {
        "status": answer.head.status,
        "class": type(error).__name__,
        "body": answer.body.decode("utf-8", "replace"),
    }
    for name in ("limit", "used"):
        if getattr(error, name, None) is not None:
            made[name] = getattr(error, name)
    return made


CHECKS: dict[str, Check] = {"what it is": known}
