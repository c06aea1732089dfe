"""A process to be killed: one turn with tools after the other on a stored conversation.

    python tool_writer.py STORE NAME LOG

Each run of a tool writes "begin POLICY KEY" and "end POLICY KEY" to LOG, as a service would see it. A turn that was
left open is finished first; what then waits for the user is approved.
"""

from __future__ import annotations

import os
import sys
import time
from uuid import uuid4

from agentkit import Conversation, Outcome, ToolContext, tool
from agentkit.sim import Simulator

ORDER = "call rerun 2 times, call ask 2 times, call fail 2 times, say all done"


def tools_of(log: str) -> list[object]:
    def act(policy: str, context: ToolContext, seconds: float) -> str:
        write(f"begin {policy} {context.key}")
        time.sleep(seconds)
        write(f"end {policy} {context.key}")
        return f"{policy} {context.key}"

    def write(line: str) -> None:
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{line}\n".encode())
        os.close(file)

    @tool(rerun="rerun")
    def rerun(context: ToolContext) -> str:
        return act("rerun", context, 0.01)

    @tool(rerun="ask")
    def ask(context: ToolContext) -> str:
        return act("ask", context, 0.004)

    @tool(rerun="fail")
    def fail(context: ToolContext) -> str:
        return act("fail", context, 0.007)

    return [rerun, ask, fail]


def settle(chat: Conversation) -> list[str]:
    """Finish the turn that was left open; the ids of the calls that had to be approved."""
    approved: list[str] = []
    reply = chat.resume()
    while reply.outcome is Outcome.AWAITING_APPROVAL:
        for pending in chat.pending:
            approved.append(pending.call.id)
            pending.approve()
        reply = chat.resume()
    assert reply.outcome is Outcome.COMPLETE, reply
    return approved


def main(store: str, name: str, log: str) -> None:
    with Conversation(Simulator(seed=5, pace=0.001), store=store, name=name, tools=tools_of(log)) as chat:
        if chat.messages:
            settle(chat)
        print("ready", flush=True)
        for _ in range(1000):
            chat.send(ORDER, turn_id=uuid4().hex)
            print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
