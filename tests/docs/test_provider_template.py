"""The template of a provider: it is short, keeps the rules at its first run, and holds a conversation."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from fences import PAGES, ROOT, text_of
from test_truth import imports, is_private

from agentkit import BadRequest, Conversation, Notice, Options, Outcome

FOLDER = ROOT / "examples" / "provider"
TEMPLATE = FOLDER / "harbour.py"
LONGEST = 150
CASES = 60


def test_it_is_short_and_uses_public_names_only() -> None:
    assert len(text_of(TEMPLATE).splitlines()) <= LONGEST
    for file in FOLDER.glob("*.py"):
        assert [name for name in imports(ast.parse(text_of(file))) if is_private(name)] == []


def test_pages_lead_to_it() -> None:
    for name in ("harbour", "test_harbour"):
        assert any(f"examples/provider/{name}.py" in text_of(page) for page in PAGES)


def test_it_keeps_the_contract(folder: Path) -> None:
    """Copied to where a user would have it."""
    for file in FOLDER.glob("*.py"):
        (folder / file.name).write_text(text_of(file), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_harbour.py"],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(done.stdout.strip().splitlines()[-1].split()[0])
    assert passed >= CASES


class Service(BaseHTTPRequestHandler):
    """Harbour, as its template describes it."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = asked["messages"][-1]["text"]
        if self.headers["authorization"] != "Bearer berth-7":
            self.answer(400, [{"error": {"message": "no such berth"}}])
        else:
            counted = {"in": len(asked["messages"]), "out": 2}
            self.answer(
                200, [{"thought": "Hm."}, {"text": "You said: "}, {"text": said}, {"end": "stop", "tokens": counted}]
            )

    def answer(self, status: int, lines: list[Any]) -> None:
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        running = threading.Thread(target=server.serve_forever, daemon=True)
        running.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        running.join(10)


def test_it_holds_a_conversation(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    harbour = import_module("harbour").harbour
    with Conversation(harbour(address, "berth-7"), system="Be brief.") as chat:
        chat.send("Ahoy")
        with chat.stream("Zoë?", options=Options(seed=1)) as turn:
            notices = [event.message for event in turn if isinstance(event, Notice)]
    assert notices == ["the backend has no setting seed"]
    assert (turn.reply.text, turn.reply.message.reasoning) == ("You said: Zoë?", "Hm.")
    assert (turn.reply.outcome, turn.reply.usage.input_tokens) == (Outcome.COMPLETE, 4)
    with Conversation(harbour(address, None)) as chat, pytest.raises(BadRequest, match="no such berth"):
        chat.send("Ahoy")
