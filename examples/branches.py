"""Ask again, ask something else, take back, and try another way without losing the first one.

    python examples/branches.py

AGENTKIT_MODEL names the model; without it, the simulator answers.
"""

from __future__ import annotations

import os

from agentkit import Conversation


def show(title: str, chat: Conversation) -> None:
    print(f"{title:<6}", [message.text for message in chat.messages])


with Conversation(os.environ.get("AGENTKIT_MODEL", "sim"), name="trip") as chat:
    chat.send("Say north")
    chat.send("Say east")
    show("sent", chat)

    with chat.fork(at=2, name="other trip") as other:
        other.send("Say west")
        show("fork", other)
    show("trunk", chat)

    chat.retry()
    show("retry", chat)

    chat.edit(2, "Say south")
    show("edit", chat)

    taken_back = chat.undo()
    show("undo", chat)
    print("taken back:", [message.text for message in taken_back])
