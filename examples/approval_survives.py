"""An agent whose calls wait for somebody to decide: asked, decided and finished by three processes.

Run it: python examples/approval_survives.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from agentkit import Conversation, tool

STEPS = ("ask", "decide", "finish")


@tool(approve="ask", rerun="ask")
def send_mail(to: str, subject: str) -> str:
    """Send a mail."""
    with Path("sent.txt").open("a", encoding="utf-8") as sent:
        sent.write(f"{to}: {subject}\n")
    return f"sent to {to}"


def step(name: str) -> None:
    """One process; all it knows of the others is in the store."""
    with Conversation("sim", tools=[send_mail], store="sqlite:///agent.db", name="mails") as chat:
        match name:
            case "ask":
                reply = chat.send('Call send_mail with {"to": "everybody", "subject": "Noon"}')
                print(f"  {reply.outcome}")
            case "decide":
                for pending in chat.pending:
                    print(f"  {pending.call.name} {pending.call.arguments}: only to Ada")
                    pending.approve(arguments={**pending.call.arguments, "to": "ada@example.org"})
            case _:
                print(f"  {chat.resume().outcome}")
                chat.resume()  # it is over, so nothing is sent again
                print(f"  sent: {Path('sent.txt').read_text(encoding='utf-8').splitlines()}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in STEPS:
            print(f"a process to {name}:", flush=True)
            subprocess.run([sys.executable, str(Path(__file__).resolve()), name], cwd=folder, check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        step(sys.argv[1])
    else:
        main()
