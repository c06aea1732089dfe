"""Ask for a value of a class, watch it come, and see what becomes of a reply that does not fit.

    python examples/structured.py

AGENTKIT_MODEL names the model; without it, the simulator answers.
"""

from __future__ import annotations

import os

from attrs import field, frozen, validators

from agentkit import Conversation, Correcting, InvalidReply, PartialValue


@frozen
class Step:
    what: str
    minutes: int = field(default=5, validator=validators.ge(0))


@frozen
class Plan:
    """A plan for one day."""

    title: str
    steps: list[Step]


with Conversation(os.environ.get("AGENTKIT_MODEL", "sim")) as chat:
    plan = chat.ask("Plan my Monday.", into=Plan)
    print(f"{plan.title}: {', '.join(step.what for step in plan.steps)}")
    print(f"it takes {sum(step.minutes for step in plan.steps)} minutes")

    # The simulator obeys "answer with wrong types"; it is told what is wrong, and answers well.
    with chat.stream_ask("And my Friday. Answer with wrong types at first.", into=Plan) as turn:
        for event in turn:
            match event:
                case PartialValue(value):
                    print(f"  so far: {value}")
                case Correcting(attempt, problem):
                    print(f"  attempt {attempt} does not fit: {problem.splitlines()[1]}")
    print(turn.value)

    try:
        stars = chat.ask("How many stars from 1 to 5? Answer without JSON.", into=int, attempts=1)
        print(f"{stars} stars")
    except InvalidReply as error:
        print(f"no number: {error.problems[0].message}")
    print(f"{len(chat.messages)} messages, {chat.usage.requests} requests")
