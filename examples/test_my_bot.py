"""How to test a program that talks to a model: the simulator stands in, and does what the test tells it.

    python -m pytest examples/test_my_bot.py

No network, no key, no AI, and the same result each time.
"""

from __future__ import annotations

import pytest

from agentkit import Conversation, RetryPolicy, ServerError
from agentkit.sim import Simulator


class Bot:
    """The program under test: it answers, and says sorry where the backend fails."""

    def __init__(self, model: str | Simulator) -> None:
        self.chat = Conversation(model, system="You sell tea.", retry=RetryPolicy(base_delay=0.01))

    def answer(self, question: str) -> str:
        try:
            return self.chat.send(question).text
        except ServerError as error:
            kept = error.reply.text if error.reply else ""
            return f"{kept} ... sorry, please ask again."


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(seed=1)


def test_the_bot_sends_its_instructions(simulator: Simulator) -> None:
    simulator.script(["say Oolong, since 1862."])
    assert Bot(simulator).answer("Which tea do you like?") == "Oolong, since 1862."
    sent = simulator.requests[-1].json["messages"]
    assert [message["role"] for message in sent] == ["system", "user"]
    assert simulator.clean()


def test_the_bot_waits_where_the_backend_is_busy(simulator: Simulator) -> None:
    simulator.script(["fail 429 x2", "say Here I am."])
    assert Bot(simulator).answer("Hello?") == "Here I am."
    assert simulator.received == 3  # noqa: PLR2004


def test_the_bot_says_sorry_in_the_middle_of_a_reply(simulator: Simulator) -> None:
    simulator.script(["write 40 words and fail with 500 after 3 words"])
    bot = Bot(simulator)
    assert bot.answer("Tell me about tea.").endswith("sorry, please ask again.")
    assert len(bot.chat.messages[-1].text.split()) == 3  # noqa: PLR2004
