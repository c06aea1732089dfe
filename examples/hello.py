"""A conversation of two turns: the second one remembers the first.

    python examples/hello.py

AGENTKIT_MODEL names the model, as in openai/MODEL; without it, the simulator answers. It has no AI behind it.
"""

from __future__ import annotations

import os

from agentkit import Conversation

with Conversation(os.environ.get("AGENTKIT_MODEL", "sim"), system="Be brief.") as chat:
    print(chat.send("My name is Ada."))
    reply = chat.send("What is my name?")
    print(reply.text)
    print(f"{reply.outcome.value}, {reply.usage.output_tokens} tokens")
    print(f"{len(chat.messages)} messages, {chat.usage.requests} requests")
