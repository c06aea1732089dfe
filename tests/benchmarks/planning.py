"""What deciding takes that goes into a request: CPU of counting what is new, of the plan and of its manifest."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from agentkit._engine.history import History
from agentkit._engine.plan.planner import plan
from agentkit._engine.plan.state import answered
from agentkit._engine.plan.terms import Terms
from agentkit.counters import counter_for, warm
from agentkit.messages import assistant, system, user
from agentkit.usage import Usage
from tests.benchmarks.clients import QUESTION, SYSTEM
from tests.benchmarks.harness import Row
from tests.benchmarks.server import TEXT, Server
from tests.benchmarks.turns import past

TURNS = 100
WINDOWS = ((8_192, "a window of 8,192"), (4_000_000, "all of it sent"))


def planning(server: Server, rounds: int) -> Iterator[Row]:
    """A turn of a conversation that is long already; nothing of it touches the server."""
    warm(counter_for("gpt-oss", "gpt-oss-120b"))
    for count in (10, 5_000):
        for window, label in WINDOWS:
            runs = [_turns(count, window) for _ in range(rounds)]
            row = Row(f"planning a turn after {count:,} messages, {label}", unit="turn", goal="<= 200 us")
            row.ours = statistics.median(micros for micros, _ in runs)
            row.notes.append(f"the first plan, which counts all of it: {statistics.median(f for _, f in runs):.1f} ms")
            yield row


def _turns(count: int, window: int) -> tuple[float, float]:
    """Microseconds of CPU for a turn, and milliseconds for the first plan."""
    terms = Terms(counter=counter_for("gpt-oss", "gpt-oss-120b"), window=window, max_tokens=512, system=system(SYSTEM))
    history = History().add(*past(count), user(QUESTION))
    begin = time.process_time()
    made = plan(terms, history)
    first, spent = time.process_time() - begin, 0.0
    for number in range(TURNS):
        said, question = assistant(f"{number}: {TEXT}"), user(f"{number}: {QUESTION}")
        usage = Usage(input_tokens=made.manifest.tokens.value, output_tokens=len(TEXT) // 4)
        begin = time.process_time()
        state = answered(made.state, usage, said)
        history = history.add(said, question)
        made = plan(terms, history, state)
        spent += time.process_time() - begin
    return spent / TURNS * 1e6, first * 1e3
