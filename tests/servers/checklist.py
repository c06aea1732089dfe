"""Ask a running server all that agentkit says of it, and print what is so and what is not.

    python -m tests.servers http://127.0.0.1:8000 --backend vllm --model NAME

Not a part of the suite: it needs a server, with a model that can follow simple requests and repeats itself at
temperature 0. Exit code 1 where something differs. What each check asks is in the modules beside this one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

import agentkit
from agentkit.errors import AgentKitError
from tests.servers import chat, going_on, record, refusals, tools
from tests.servers.peer import Check, Differs, NotOffered, Peer

CHECKS: dict[str, Check] = {**record.CHECKS, **chat.CHECKS, **going_on.CHECKS, **tools.CHECKS, **refusals.CHECKS}


@frozen
class Finding:
    """What one check found."""

    check: str
    verdict: str
    detail: str
    seconds: float


def main(arguments: list[str]) -> int:
    given = _parser().parse_args(arguments)
    peer = Peer(
        backend=given.backend,
        url=given.url,
        model=given.model,
        key=given.key,
        cuts=given.cuts,
        overflow_words=given.overflow_words,
        story=given.story,
    )
    label = given.server or given.backend
    found = record.discovery(peer)
    for line in record.told(found):
        print("     ", line)
    _write(given.discovery, {"server": label, "paths": found})
    if given.exchanges is not None:
        _write(given.exchanges, record.exchanges(peer, label))
    findings = [_shown(run(name, check, peer)) for name, check in CHECKS.items() if given.only in name]
    _write(given.json, _report(label, given, findings))
    tally = Counter(finding.verdict for finding in findings)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(tally.items())))
    return 1 if tally["differs"] else 0


def run(name: str, check: Check, peer: Peer) -> Finding:
    """One check. An exception that is none of agentkit's own is a mistake of agentkit's: it differs, too."""
    begin = time.monotonic()
    try:
        verdict, detail = "ok", check(peer)
    except NotOffered as lack:
        verdict, detail = "not offered", str(lack)
    except Differs as difference:
        verdict, detail = "differs", str(difference)
    except AgentKitError as error:
        verdict, detail = "differs", f"{type(error).__name__}: {error}"
    except Exception as error:
        verdict, detail = "differs", f"raised {error!r}"
    return Finding(name, verdict, detail, round(time.monotonic() - begin, 2))


def _shown(finding: Finding) -> Finding:
    print(f"{finding.verdict:<11}  {finding.check:<32} {finding.detail}", flush=True)
    return finding


def _report(label: str, given: argparse.Namespace, findings: list[Finding]) -> dict[str, Any]:
    return {
        "server": label,
        "backend": given.backend,
        "model": given.model,
        "agentkit": agentkit.__version__,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "findings": [asdict(finding) for finding in findings],
    }


def _write(file: Path | None, value: object) -> None:
    if file is not None:
        file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.servers", description=(__doc__ or "").partition("\n")[0])
    made.add_argument("url", help="where the server is, such as http://127.0.0.1:8000")
    made.add_argument("--backend", required=True, help="agentkit's name for this kind of server")
    made.add_argument("--model", required=True)
    made.add_argument("--key", help="the right key, where the server asks for one")
    made.add_argument("--server", help="name and version of the server, for the report")
    made.add_argument("--only", default="", help="only the checks with this in their name")
    made.add_argument("--cuts", type=int, default=24, help="places to cut the continued reply at; 0: every one")
    made.add_argument("--overflow-words", type=int, default=3000, help="words that do not fit the window")
    made.add_argument("--story", default="Tell me a story.", help="a question with a long answer that ends by itself")
    made.add_argument("--json", type=Path, help="write the findings to this file")
    made.add_argument("--discovery", type=Path, help="write what the server says of itself to this file")
    made.add_argument("--exchanges", type=Path, help="write answers and refusals for the provider tests to this file")
    return made
