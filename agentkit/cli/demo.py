"""`agentkit demo`: a stream, a cut reply continued, a killed process resumed; offline, and each claim is verified."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Generator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from attrs import frozen

from agentkit.cli import _codes
from agentkit.cli._play import play
from agentkit.cli._screen import Screen, last_line, one_line
from agentkit.conversation import Conversation
from agentkit.options import Options
from agentkit.sim import Simulator

STORY = "write 90 words"
LONG = "write 160 words"
LIMIT = 40
"""Tokens after which the second reply is cut."""
SEAM = 30
"""Characters that are shown on each side of a cut."""
ENOUGH = 240
"""Characters that the child process shows before it is killed."""
PATIENCE = 30.0


@frozen
class Stage:
    """Where the demo plays: how fast, and on which screen."""

    screen: Screen
    pace: float

    def step(self, text: str) -> None:
        self.screen.say(f"\n{text}\n")

    def check(self, what: str, *, holds: bool) -> bool:
        self.screen.say(f"   [{'ok' if holds else 'FAILED'}] {what}")
        return holds


def demo(arguments: Namespace) -> int:
    """Run all steps; 0 only where each was verified."""
    stage = Stage(Screen(), 0.004 if arguments.fast else 0.03)
    stage.screen.say("agentkit demo: the simulator answers, there is no AI behind it, and nothing leaves this machine.")
    verified = [_streams(stage), _cut_and_continued(stage), _killed_and_resumed(stage)]
    if all(verified):
        stage.step('All verified. Next:  agentkit chat -m sim  or  agentkit -m BACKEND/MODEL "Hello"')
        return _codes.OK
    stage.step("Not everything could be verified; the lines marked FAILED say what.")
    return _codes.FAILED


def _uncut(prompt: str) -> str:
    """The reply that nothing has disturbed: the same seed and the same words give the same text."""
    with Conversation(Simulator()) as chat:
        return chat.send(prompt).text


def _streams(stage: Stage) -> bool:
    stage.step(f'1. A reply is shown as it comes:  chat.stream("{STORY}")')
    with Conversation(Simulator(pace=stage.pace)) as chat:
        played = play(chat.stream(STORY), stage.screen)
    text = played.reply.text if played.reply is not None else ""
    return stage.check(f"complete, {played.words} words", holds=played.complete and text == _uncut(STORY))


def _cut_and_continued(stage: Stage) -> bool:
    stage.step(f"2. The same, cut at {LIMIT} tokens and continued by itself:  Options(max_tokens={LIMIT})")
    with Conversation(Simulator(pace=stage.pace), options=Options(max_tokens=LIMIT)) as chat:
        played = play(chat.stream(STORY), stage.screen)
        reply = played.reply
        parts = [reply.text[part.start : part.end] for part in reply.segments] if reply is not None else []
        for before, after in pairwise(parts):
            stage.screen.say(f"   cut and joined:  {last_line(before, SEAM)} | {one_line(after, SEAM)}")
        kept = reply is not None and reply.text == chat.messages[-1].text
        cut = stage.check(f"{len(parts)} requests, one reply: {played.words} words", holds=len(parts) > 1 and kept)
    same = played.complete and reply is not None and reply.text == _uncut(STORY)
    return stage.check("it is the uncut reply, character by character", holds=same) and cut


def _killed_and_resumed(stage: Stage) -> bool:
    stage.step("3. Another process streams a reply, and is killed in the middle of it (SIGKILL):")
    with tempfile.TemporaryDirectory(prefix="agentkit-demo-", ignore_cleanup_errors=True) as folder:
        store = f"sqlite:///{Path(folder) / 'demo.db'}"
        with _child(store, folder, max(stage.pace, 0.01)) as child:
            seen = _watch_and_kill(child, stage.screen)
        stage.screen.say(
            f"\n   killed process {child.pid} after {len(seen.split())} words. Its conversation, reopened:"
        )
        return _resumed(stage, store, seen)


@contextmanager
def _child(store: str, folder: str, pace: float) -> Generator[subprocess.Popen[bytes], None, None]:
    """`agentkit` itself, in a process of its own; never left behind."""
    command = [sys.executable, "-m", "agentkit", "-m", "sim", "--pace", str(pace), "--store", store, "-n", "demo", LONG]
    child = subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AGENTKIT_HOME": folder},
    )
    try:
        with child:
            yield child
            child.kill()
    finally:
        child.kill()


def _watch_and_kill(child: subprocess.Popen[bytes], screen: Screen) -> str:
    """What the user saw of the child's reply until the kill."""
    pipe, seen, deadline = child.stdout, b"", time.monotonic() + PATIENCE
    while pipe is not None and len(seen) < ENOUGH and time.monotonic() < deadline:
        data = os.read(pipe.fileno(), 4096)
        if not data:
            break
        screen.reply(data.decode("utf-8", "replace"))
        seen += data
    child.kill()
    child.wait(PATIENCE)
    screen.end_reply()
    return seen.decode("utf-8", "replace")


def _resumed(stage: Stage, store: str, seen: str) -> bool:
    with Conversation(Simulator(pace=stage.pace), store=store, name="demo") as chat:
        kept = chat.messages[-1].text if chat.messages and chat.messages[-1].role == "assistant" else ""
        stage.screen.say(f"   {last_line(kept, 50)}")
        found = stage.check(
            f"{len(kept.split())} of {len(seen.split())} words are in the store; it is written every 0.25 s",
            holds=bool(kept) and _uncut(LONG).startswith(kept) and chat.messages[-1].interrupted,
        )
        stage.screen.reply(f"\n   It is finished:  chat.resume()\n\n{last_line(kept, 50)}")
        rest = play(chat.stream_resume(), stage.screen, seen=kept)
        text = rest.reply.text if rest.reply is not None else ""
        whole = rest.complete and text == _uncut(LONG) == chat.messages[-1].text
        same = stage.check("both parts joined are the uncut reply, character by character", holds=whole)
        return stage.check("the question was asked once", holds=len(chat.messages) == 2) and same and found  # noqa: PLR2004 - a question and its reply
