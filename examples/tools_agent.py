"""An agent with tools of its own: what it is told, what it calls, what comes of it.

Run it: python examples/tools_agent.py
The simulator stands in for a model, and calls what it is told to call.
"""

from typing import Annotated

from agentkit import Conversation, TextDelta, ToolCallFinished, ToolCallStarted, ToolUse, tool
from agentkit.toolbox import Calculator


class Harbour:
    """Tools may share what they work on."""

    def __init__(self) -> None:
        self.berths = {"Grebe": 3, "Tern": 7}

    def find(self, boat: Annotated[str, "its name"]) -> str:
        """Say where a boat lies."""
        if boat not in self.berths:
            raise LookupError(f"no boat {boat!r} is here; there are {', '.join(self.berths)}")
        return f"berth {self.berths[boat]}"

    @tool(rerun="fail")
    def move(self, boat: str, berth: int) -> dict[str, int]:
        """Move a boat to another berth."""
        self.berths[boat] = berth
        return self.berths


def main() -> None:
    harbour = Harbour()
    tools = [harbour.find, harbour.move, Calculator()]
    with Conversation("sim", tools=tools, tool_use=ToolUse(timeout=10, max_rounds=10)) as chat:
        for prompt in (
            'Call find with {"boat": "Grebe"} and call find with {"boat": "Auk"}',
            'Call move with {"boat": "Grebe", "berth": 4}',
            'Call calculate with {"expression": "2 * 4 + 1"}',
        ):
            print(f"> {prompt}")
            for event in chat.stream(prompt):
                match event:
                    case ToolCallStarted():
                        print(f"  {event.call.name} {event.call.arguments}")
                    case ToolCallFinished():
                        print(f"  {event.call.name} -> {event.result.content}")
                    case TextDelta():
                        print(event.text, end="")
                    case _:
                        pass
            print()


if __name__ == "__main__":
    main()
