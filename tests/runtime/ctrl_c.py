"""Interrupt one turn after the other at a later and later moment; ends with 1 where something shown was lost."""

from __future__ import annotations

import signal
import time

from agentkit import Conversation, Limits, TextDelta
from agentkit.sim import Simulator
from agentkit.stores import open_store

TURNS = 80


def main() -> None:
    store = open_store("memory")
    for number in range(TURNS):
        chat = Conversation(Simulator(), store=store, name=f"k{number}", limits=Limits(max_wait=2))
        shown: list[str] = []
        try:
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, 0.0001 + number * 0.00003)
            with chat.stream("write 8 words") as turn:
                for event in turn:
                    shown += [event.text] if isinstance(event, TextDelta) else []
            time.sleep(5)
        except KeyboardInterrupt:
            pass
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        said = "".join(shown)
        busy = [info.name for info in store.list() if info.busy]
        assert not busy, busy
        assert not said or any(message.text.startswith(said) for message in chat.messages), (said, chat.messages)
        assert chat.send("say next").text == "next"
    print(f"{TURNS} turns interrupted, none lost")


if __name__ == "__main__":
    main()
