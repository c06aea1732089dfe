"""Faults met through a client of the caller's own, which is slower to give up than our transport."""

from __future__ import annotations

import httpx
import pytest
from fault_run import HASTY
from fault_server import FaultServer
from fault_wire import HEALTHY_STREAM
from faults_connection import CLOCK, FRAMING

from agentkit import Conversation
from agentkit import TimeoutError as LimitReached
from agentkit.providers.openai_chat import OpenAIChat

ENDLESS = {
    fault.name: fault
    for fault in (*FRAMING, *CLOCK)
    if fault.timeouts == HASTY and fault.expect.errors == (LimitReached,)
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_limit_holds_through_a_client_of_the_caller(name: str) -> None:
    fault = ENDLESS[name]
    with FaultServer(fault.streamed, HEALTHY_STREAM) as server, httpx.Client(verify=False) as client:
        provider = OpenAIChat(base_url=f"http://127.0.0.1:{server.port}/v1")
        with Conversation(provider, timeout=HASTY, http_client=client) as chat:
            with pytest.raises(LimitReached) as caught:
                chat.send("What does the fox do?")
            assert caught.value.reply is not None
            assert caught.value.reply.text == fault.expect.partial
            server.recover()
            assert chat.send("And now?").text
