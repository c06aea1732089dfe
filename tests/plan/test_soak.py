"""Long conversations with simulated backends that count otherwise than the client, and say so after each turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, takewhile
from statistics import mean

import pytest

from agentkit._engine.plan.terms import Terms
from agentkit.context import ContextPolicy
from agentkit.counters import PlainCounter
from agentkit.messages import Message, system
from agentkit.tokens import CountKind
from tests.plan.served import Backend, Client, Qwen, Talk, prose

WINDOW, REPLY = 8192, 1024


def talk(seed: int, kind: CountKind, *, tools: float = 0.0, thinks: bool = False, **policy: object) -> Talk:
    client = Client(kind, 0.0 if kind == "exact" else 0.2)
    terms = Terms(
        counter=client,
        policy=ContextPolicy(**policy),  # type: ignore[arg-type]
        window=WINDOW,
        max_tokens=REPLY,
        system=system("Answer briefly and to the point."),
    )
    return Talk(terms, Backend(seed, client), seed, tools=tools, thinks=thinks)


def shared_share(backend: Backend, before: Sequence[Message], now: Sequence[Message]) -> float:
    """Which share of the prompt the backend has at hand, by its own count."""
    same = takewhile(lambda pair: pair[0] is pair[1], zip(before, now, strict=False))
    return backend.prompt([first for first, _ in same]) / backend.prompt(now)


@pytest.mark.parametrize("kind", ["proxy", "exact"])
@pytest.mark.parametrize(("tools", "thinks"), [(0.0, False), (0.4, True)])
def test_predictions(kind: CountKind, tools: float, *, thinks: bool) -> None:
    errors: list[float] = []
    violations = requests = 0
    for seed in range(8):
        held = talk(seed, kind, tools=tools, thinks=thinks)
        for _ in range(40):
            held.turn()
        errors += held.errors(after=5)
        violations += held.violations()
        requests += len(held.plans)
    assert mean(errors) <= 0.002
    assert violations < requests / 1000


@pytest.mark.parametrize("tools", [0.0, 0.4])
def test_predictions_with_the_vocabulary_of_another_model(tools: float) -> None:
    """The client takes o200k and generous frames for a model of Qwen, of which it knows nothing."""
    errors: list[float] = []
    violations = requests = 0
    for seed in range(6):
        client = PlainCounter()
        terms = Terms(counter=client, window=WINDOW, max_tokens=REPLY, system=system("Answer briefly."))
        held = Talk(terms, Qwen(seed, client), seed, tools=tools)
        held.say = prose
        for _ in range(40):
            held.turn()
        errors += held.errors(after=5)
        violations += held.violations()
        requests += len(held.plans)
        assert all(prompt + REPLY <= WINDOW for prompt in held.true)
    assert mean(errors) <= 0.002
    assert violations < requests / 1000


@pytest.mark.slow
@pytest.mark.parametrize("tools", [0.0, 0.4])
def test_five_hundred_turns_at_a_small_window(tools: float) -> None:
    held = talk(7, "proxy", tools=tools)
    for _ in range(500):
        held.turn()
    assert all(prompt + REPLY <= WINDOW for prompt in held.true)
    sent = [made.messages for made in held.plans]
    shares = [shared_share(held.backend, before, now) for before, now in pairwise(sent)]
    assert mean(shares) >= 0.75
    claimed = [made.manifest.shared_share for made in held.plans[1:]]
    assert abs(mean(claimed) - mean(shares)) < 0.03
