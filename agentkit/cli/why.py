"""`agentkit why`, and `/tokens` in a chat: what goes into a request, drawn as a bar and told in words."""

from __future__ import annotations

import sys
from argparse import Namespace

from agentkit.cli import _codes
from agentkit.cli._open import choice_of
from agentkit.cli._screen import Screen
from agentkit.cli._shelf import opened
from agentkit.cli._talk import Talk
from agentkit.cli._tools import bench_of
from agentkit.manifest import Manifest, bar, legend

WIDTH = 60


def why(arguments: Namespace) -> int:
    """Print what a request of a stored conversation would hold now, what would be left out of it and why."""
    screen = Screen()
    with bench_of(arguments, at_once=True) as bench, opened(arguments) as shelf:
        name = shelf.find(arguments.name) if arguments.name else shelf.last()
        choice = choice_of(arguments, watched=True)
        with Talk(choice, shelf, name, arguments, screen, bench) as talk:
            screen.say(account(talk.chat.manifest))
    return _codes.OK


def account(manifest: Manifest | None) -> str:
    """A manifest for a terminal."""
    if manifest is None:
        return "nothing was said yet"
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    drawn = bar(manifest, WIDTH, ascii_only=plain)
    return "\n".join((f"[{drawn}]", legend(manifest, ascii_only=plain), str(manifest)))
