"""Several threads write to one conversation, and a message that is delivered twice is answered once.

    python examples/many_writers.py

AGENTKIT_MODEL names the model; without it, the simulator answers.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from agentkit import Conversation, ConversationBusy

MODEL = os.environ.get("AGENTKIT_MODEL", "sim")


def in_line() -> None:
    """By default, turns wait for each other: each question is followed by its own reply."""
    with Conversation(MODEL) as chat, ThreadPoolExecutor(4) as pool:
        replies = pool.map(chat.send, ["Say red", "Say green", "Say blue", "Say grey"])
        print("replies:", sorted(str(reply) for reply in replies))
        print("in line:", [message.role[0] for message in chat.messages])


def delivered_twice() -> None:
    """A queue may deliver a message again. The same turn_id gives the same reply, without a second request."""
    with Conversation(MODEL) as chat:
        first = chat.send("Say your order is on its way", turn_id="message-17")
        again = chat.send("Say your order is on its way", turn_id="message-17")
        print("twice:", first == again, chat.usage.requests, "request")


def not_now() -> None:
    """A conversation may refuse a turn while another one runs. Nothing is sent for it."""
    with Conversation(MODEL, on_busy="reject") as chat, chat.stream("Write 30 words") as turn:
        next(turn)
        try:
            chat.send("And another thing")
        except ConversationBusy as busy:
            print("busy:", type(busy).__name__)
        print("finished:", len(turn.finish().text.split()), "words")


if __name__ == "__main__":
    in_line()
    delivered_twice()
    not_now()
