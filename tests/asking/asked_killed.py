"""A process to be killed in the middle of an ask: each event is told on stdout, and the value in the end.

    python asked_killed.py STORE WAY PACE

The first reply is no JSON; so there is a correction before the value comes.
"""

from __future__ import annotations

import sys

from asked_bench import Plan

from agentkit import Conversation
from agentkit.sim import Simulator

QUESTION = "Plan my Monday"


def tide(place: str) -> str:
    """When it is high."""
    return f"noon at {place}"


def opened(store: str, way: str, pace: float) -> tuple[Conversation, Simulator]:
    """The conversation of the process that is killed, and of the one after it."""
    simulator = Simulator(seed=5, pace=pace, profile="openai" if way == "native" else "gradient")
    tools = [tide] if way == "tools" else []
    return Conversation(simulator, store=store, name="c", tools=tools), simulator


def main(store: str, way: str, pace: str) -> None:
    chat, simulator = opened(store, way, float(pace))
    simulator.script(["answer without json"])
    with chat, chat.stream_ask(QUESTION, into=Plan, turn_id="t") as turn:
        print("ready", flush=True)
        for event in turn:
            print(type(event).__name__, flush=True)
        print("value", turn.value, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
