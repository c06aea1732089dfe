"""The tool loop with each backend that the simulator plays, whatever goes wrong with the calls."""

from __future__ import annotations

import pytest
from loop_bench import check

from agentkit import Conversation, Outcome, ToolUse
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES

ORDERS = (
    "call weather 3 times",
    "call weather twice, duplicate ids",
    "call weather twice, without ids",
    "call weather, cut the arguments",
    "call weather, garble the arguments",
    "call weather, empty arguments",
    "call weather, misname the tool",
    "call weather, arguments as objects",
    "call weather twice, calls in one piece",
    "call weather, finish with stop",
    "call weather, think 20 words",
    "call weather, split the bytes",
)


@pytest.mark.parametrize("profile", PROFILES)
def test_calls_that_go_wrong_are_mended_and_no_request_is_invalid(profile: str) -> None:
    ran: list[str] = []

    def weather(city: str) -> str:
        """The weather in a city."""
        ran.append(city)
        return f"sun in \ud800 {city}"

    simulator = Simulator(seed=2, profile=profile)
    use = ToolUse(max_rounds=6)
    with Conversation(simulator, tools=[weather], tool_use=use) as chat:
        for order in ORDERS:
            before = len(ran)
            reply = chat.send(order)
            assert reply.outcome is Outcome.COMPLETE, order
            check(reply.messages)
            assert reply.text, order
            good = sum(not result.is_error for result in reply.tool_results)
            assert good == len(ran) - before, order
            assert all(isinstance(city, str) and city for city in ran[before:]), order
    assert simulator.clean(), simulator.problems
