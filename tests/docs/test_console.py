"""Every command in the console blocks of a page is run, in order, and answers what the page says.

A page is one session: one folder, one user. `...` in an answer stands for any text, and a port for any port.
`$ echo $?` asks for the exit code of the command before it.
"""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest
from attrs import frozen
from fences import ROOT, fences

PAGES = ("command", "configuration", "simulator", "writing")
SERVES = re.compile(r"agentkit sim serve\b")
"""Runs until it is interrupted: its first lines are compared, then it is interrupted."""
NOT_RUN = {
    "agentkit": "talks on a terminal",
    "agentkit chat": "talks on a terminal",
}
"""Commands that a test cannot run, and why; tests/cli runs them on a terminal of its own."""


@frozen
class Step:
    """A command and what it answers."""

    command: str
    answer: str
    where: str


def steps(page: Path) -> list[Step]:
    made: list[Step] = []
    for fence in fences(page):
        if fence.language not in ("console", "bash"):
            continue
        for part in re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]:
            command, _, answer = part.partition("\n")
            made.append(Step(command, answer, f"{fence.where}: {command}"))
    return made


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_a_page_answer_as_it_says(name: str, folder: Path) -> None:
    code = 0
    for step in steps(ROOT / "docs" / f"{name}.md"):
        if step.command in NOT_RUN:
            assert not step.answer, step.where
        elif SERVES.match(step.command):
            assert matches(step.answer, first_lines(step, folder)), step.where
        else:
            code, printed = run(step.command, folder, code)
            assert matches(step.answer, printed), f"{step.where}\n{printed}"


def test_what_is_not_run_is_on_the_page() -> None:
    commands = {step.command for step in steps(ROOT / "docs" / "command.md")}
    assert set(NOT_RUN) <= commands


def run(command: str, folder: Path, code: int) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", f"(exit {code}); {command}"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode()


def first_lines(step: Step, folder: Path) -> str:
    server = subprocess.Popen(
        ["bash", "-c", f"exec {step.command}"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    with server:
        assert server.stdout is not None
        lines = [server.stdout.readline().decode() for _ in step.answer.splitlines()]
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0, step.where
    return "".join(lines)


def matches(said: str, printed: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in any_port(said).split("..."))
    return re.fullmatch(pattern, any_port(printed), re.DOTALL) is not None


def any_port(text: str) -> str:
    return re.sub(r"(?<=127\.0\.0\.1:)\d+", "PORT", text.strip("\n"))
