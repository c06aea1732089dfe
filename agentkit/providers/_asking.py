"""Asking a server what it is and what it serves: which questions, in which order, is `_identify`'s to say."""

from __future__ import annotations

from agentkit.provider import HTTPRequest, Rounds, ask
from agentkit.providers._identify import Answer, Verdict, identify, next_probe, root_of


def asked(base_url: str, headers: tuple[tuple[str, str], ...]) -> Rounds[Verdict]:
    """Ask until it is known, with as few requests as that takes."""
    answers: dict[str, Answer] = {}
    while (path := next_probe(answers)) is not None:
        wire = HTTPRequest(method="GET", url=root_of(base_url) + path, headers=headers, repeatable=True)
        answered = yield from ask(wire, refusals=True)
        answers[path] = answered.head.status, answered.head.headers, answered.body
    return identify(answers)
