"""A server on loopback that answers as recorded."""

from __future__ import annotations

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agentkit.providers._identify import Answer


class Played(ThreadingHTTPServer):
    """A server that answers as recorded, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answers: Mapping[str, Answer], missing: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.missing = missing
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asks may go away in the middle of an answer."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Played)
        server.asked.append(self.path)
        server.keys.append(self.headers.get("authorization"))
        status, headers, body = server.answers.get(self.path, server.missing)
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that is overridden
        pass
