"""The words of the command line. May hold options, their help, and which module runs each command."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help lists the options\n")


EPILOG = """commands:
  agentkit ["PROMPT"]            ask once; without a prompt, chat
  agentkit chat [NAME]           talk; NAME reopens a conversation or begins one
  agentkit resume [NAME]         finish a reply that was cut, and print the whole of it
  agentkit write "TASK" --words N -o FILE    a long text, chapter by chapter; --resume FILE goes on
  agentkit ls | show | rm        stored conversations
  agentkit why [NAME]            what goes into a request, and what is left out
  agentkit models [BACKEND]      the backends; what a server has
  agentkit config show | path    every setting, and where it came from
  agentkit doctor                what is there, what is wrong, and what to do about it
  agentkit sim serve             the simulator as a server: OpenAI's wire, no AI
  agentkit demo                  what agentkit does that others do not, in 20 seconds, offline

examples:
  agentkit -m sim "write 100 words"          without any setup: a simulator, no AI
  agentkit "Explain this error" < build.log  input and prompt together
  agentkit -c "shorter"                      go on with the last conversation
  git diff | agentkit -s "Write a commit message" --quiet | git commit -F -

exit codes: 0 done, 1 backend or network failed, 2 usage, 3 nothing configured,
            4 reply incomplete, 5 a tool waits for a decision, 130 interrupted (what came is printed and stored)
"""


def read(words: Sequence[str]) -> argparse.Namespace:
    """The arguments; `.run` is the function of the command."""
    command, rest = _command(list(words))
    return _COMMANDS[command]().parse_args(rest)


def _command(words: list[str]) -> tuple[str, list[str]]:
    """The command, wherever it stands among the options, and the other words."""
    place = _first_word(words)
    if place is None or words[place] not in _COMMANDS:
        _refuse_typo(words, place)
        return "", words
    return words[place], words[:place] + words[place + 1 :]


def _first_word(words: list[str]) -> int | None:
    """Where the first word stands that belongs to no option."""
    place = 0
    while place < len(words) and words[place] != "--":
        if not words[place].startswith("-") or words[place] == "-":
            return place
        place += 2 if words[place] in _WITH_VALUE else 1
    return None


def _refuse_typo(words: list[str], place: int | None) -> None:
    """A single word that looks like a command was hardly meant for a model."""
    if place is None or len(words) > 1:
        return
    close = difflib.get_close_matches(words[place], [name for name in _COMMANDS if len(name) > 3], n=1, cutoff=0.8)  # noqa: PLR2004 - short names look like anything
    if close:
        word, meant = words[place], close[0]
        _ask().exit(2, f"agentkit: {word!r} is no command; did you mean {meant}? As a prompt: agentkit -- {word}\n")


def _runs(module: str, function: str) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        return int(getattr(import_module(f"agentkit.cli.{module}"), function)(arguments))

    return run


def _new(name: str, description: str, module: str, function: str, *, epilog: str | None = None) -> Parser:
    parser = Parser(
        prog=f"agentkit {name}".strip(),
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_runs(module, function))
    parser.add_argument("-v", "--verbose", action="store_true", help="more about what happens; tracebacks")
    return parser


def _add_store(parser: Parser) -> None:
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--store", metavar="SPEC", help="where conversations are kept, such as sqlite:///chats.db")
    kept.add_argument("--no-store", action="store_true", help="keep nothing")


def _add_model(parser: Parser) -> None:
    several = "BACKEND/MODEL, or sim; more of them, or A,B, stand in where one fails"
    parser.add_argument("-m", "--model", metavar="MODEL", action="append", help=several)
    parser.add_argument("-s", "--system", metavar="TEXT", help="standing instructions")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="the most tokens of one request")
    parser.add_argument("--continuations", metavar="N", help="requests that may go on with a cut reply; 0: none")
    parser.add_argument("--temperature", type=float, metavar="T", help="0 to 2")
    parser.add_argument("--base-url", metavar="URL", help="where the backend is")
    parser.add_argument("--pace", type=float, metavar="SECONDS", help="of the simulator: seconds per token")
    parser.add_argument("-q", "--quiet", action="store_true", help="no notes; errors and cut replies are still told")
    _add_store(parser)


def _add_tools(parser: Parser) -> None:
    kinds = "calculator, clock, files=DIR, web=HOST[,HOST], mcp=COMMAND, mcp=URL, MODULE:NAME, FILE.py:NAME; repeatable"
    parser.add_argument("--tool", metavar="TOOL", action="append", help=kinds)
    policies = "what a tool does not say itself: whether it runs; else yours ask, and those that come along run"
    parser.add_argument("--approve", choices=["ask", "auto", "deny"], help=policies)


def _ask() -> Parser:
    parser = _new("", "Converse with language models, and lose nothing.", "ask", "ask", epilog=EPILOG)
    parser.usage = 'agentkit [options] ["PROMPT"]   or   agentkit COMMAND [options]'
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    parser.add_argument("prompt", nargs="*", help="what to say; piped input comes before it")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-c", "--continue", dest="last", action="store_true", help="in the last conversation")
    which.add_argument("-n", "--name", metavar="NAME", help="in this conversation, a new one if need be")
    _add_model(parser)
    _add_tools(parser)
    return parser


def _resume() -> Parser:
    parser = _new("resume", "Finish a reply that was cut or interrupted; prints the whole reply.", "ask", "resume")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the conversation; else the last one")
    _add_model(parser)
    _add_tools(parser)
    return parser


def _chat() -> Parser:
    parser = _new("chat", "Talk. Without a terminal, each line of the input is a message.", "chat", "chat")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the conversation to reopen or to begin")
    parser.add_argument("-c", "--continue", dest="last", action="store_true", help="reopen the last conversation")
    _add_model(parser)
    _add_tools(parser)
    return parser


def _write() -> Parser:
    parser = _new("write", "Write a long text into a file, chapter by chapter.", "write", "write")
    parser.usage = 'agentkit write "TASK" --words N -o FILE [options]   or   agentkit write --resume FILE'
    parser.add_argument("task", nargs="*", metavar="TASK", help="what to write; piped input comes before it")
    parser.add_argument("--words", type=int, metavar="N", help="how long it is to be")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it; one that holds something is refused")
    parser.add_argument("--resume", metavar="FILE", help="go on with the text of this file")
    parser.add_argument("--append", action="store_true", help="add to a file that holds something else")
    outline = parser.add_mutually_exclusive_group()
    outline.add_argument("--outline", action="store_true", help="ask the model for an outline, also of a short text")
    outline.add_argument("--outline-file", metavar="FILE", help="take the titles of the chapters from here")
    outline.add_argument("--no-outline", action="store_true", help="one text without chapters")
    _add_model(parser)
    return parser


def _ls() -> Parser:
    parser = _new("ls", "List the stored conversations, the last one first.", "stored", "ls")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--all", action="store_true", help="all of them, not only the last 20")
    _add_store(parser)
    return parser


def _show() -> Parser:
    parser = _new("show", "Print a conversation.", "stored", "show")
    parser.add_argument("name", nargs="?", metavar="NAME", help="else the last one")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON that agentkit.messages_from_json reads")
    form.add_argument("--find", metavar="WORDS", help="only the places of the messages that hold all of these words")
    _add_store(parser)
    return parser


def _why() -> Parser:
    parser = _new("why", "What a request would hold now, and what would be left out.", "why", "why")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the conversation; else the last one")
    _add_model(parser)
    _add_tools(parser)
    return parser


def _rm() -> Parser:
    parser = _new("rm", "Delete conversations. Forks of them keep what they share.", "stored", "rm")
    parser.add_argument("names", nargs="+", metavar="NAME")
    _add_store(parser)
    return parser


def _doctor() -> Parser:
    parser = _new("doctor", "Look at the installation; exit code 1 where something is wrong.", "doctor", "doctor")
    _add_store(parser)
    return parser


def _models() -> Parser:
    parser = _new("models", "The backends, which are configured, and what their servers have.", "models", "models")
    parser.add_argument("backend", nargs="?", metavar="BACKEND", help="ask this one which models it has")
    parser.add_argument("--probe", action="store_true", help="look for servers on this machine")
    parser.add_argument("--base-url", metavar="URL", help="where the backend is")
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _config() -> Parser:
    parser = _new("config", "Every setting, and where it came from. Keys are not shown.", "config", "show")
    parser.add_argument("action", choices=["show", "path"], help="the settings, or where their file is")
    parser.add_argument("backend", nargs="?", metavar="BACKEND", help="only this one, with all there is to set")
    parser.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _sim() -> Parser:
    parser = _new("sim", "Serve the simulator on this machine until interrupted.", "sim", "serve")
    parser.add_argument("action", choices=["serve"])
    parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help="a loopback address (%(default)s)")
    parser.add_argument("--port", type=int, default=0, metavar="PORT", help="0 takes a free one (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the addresses as one line of JSON")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another one gives other replies")
    parser.add_argument("--pace", type=float, default=0.0, metavar="SECONDS", help="seconds per token (%(default)s)")
    parser.add_argument("--profile", default="openai", metavar="NAME", help="what the plain /v1 is (%(default)s)")
    return parser


def _demo() -> Parser:
    parser = _new("demo", "Cut, kill and finish replies, with the simulator: offline, 20 seconds.", "demo", "demo")
    parser.add_argument("--fast", action="store_true", help="without the slow streaming")
    return parser


_COMMANDS: dict[str, Callable[[], Parser]] = {
    "": _ask,
    "chat": _chat,
    "resume": _resume,
    "write": _write,
    "ls": _ls,
    "show": _show,
    "why": _why,
    "rm": _rm,
    "models": _models,
    "config": _config,
    "doctor": _doctor,
    "sim": _sim,
    "demo": _demo,
}
_WITH_VALUE = frozenset(
    name
    for names in (
        "-m --model -s --system -n --name",
        "--max-tokens --temperature --base-url --pace --continuations",
        "--tool --approve --store --host -o --output --words --resume --outline-file --find",
    )
    for name in [*names.split(), "--port", "--seed", "--profile"]
)
