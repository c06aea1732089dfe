"""From options to a conversation."""

from __future__ import annotations

import shlex
from argparse import Namespace
from typing import TYPE_CHECKING

from agentkit.cli._settings import Choice, choose, continuation
from agentkit.cli._shelf import Shelf
from agentkit.cli._tools import Bench
from agentkit.options import Options

if TYPE_CHECKING:
    from agentkit.conversation import Conversation


def choice_of(arguments: Namespace, *, watched: bool) -> Choice:
    """The model that the options or the settings name."""
    return choose(arguments.model or (), watched=watched, pace=arguments.pace, base_url=arguments.base_url)


def command(choice: Choice | None, arguments: Namespace, *words: str) -> str:
    """A command line that finds the same store and the same model again."""
    options: list[str] = []
    if choice is not None and choice.origin in ("-m", "/model"):
        options += ["-m", choice.name]
        options += ["--base-url", arguments.base_url] if arguments.base_url else []
    options += ["--store", arguments.store] if arguments.store else []
    options += [word for spec in getattr(arguments, "tool", None) or () for word in ("--tool", spec)]
    approve = getattr(arguments, "approve", None)
    options += ["--approve", approve] if approve else []
    return shlex.join(["agentkit", *words, *options])


def how_to_decide(choice: Choice | None, shelf: Shelf, arguments: Namespace, name: str) -> str:
    """What to type about calls that wait for a decision, where nobody could be asked."""
    if not shelf.kept:
        return "Nobody can be asked here, and nothing is stored: --approve auto runs what does not insist on a decision"
    tools = "" if getattr(arguments, "tool", None) else " with the same --tool as before"
    return f"Decide: {command(choice, arguments, 'chat', name)}{tools}"


def conversation(
    choice: Choice,
    shelf: Shelf,
    name: str,
    arguments: Namespace,
    *,
    system: str | None = None,
    bench: Bench | None = None,
) -> Conversation:
    """Open a conversation of the shelf with a model."""
    from agentkit.conversation import Conversation

    return Conversation(
        choice.model,
        system=system if system is not None else arguments.system,
        tools=bench.given() if bench is not None else (),
        store=shelf.store,
        name=name,
        options=Options(max_tokens=arguments.max_tokens, temperature=arguments.temperature),
        continuation=continuation(arguments.continuations),
        base_url=arguments.base_url if isinstance(choice.model, str) else None,
    )
