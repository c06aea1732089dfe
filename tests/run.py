"""Run the tests of this checkout, with nothing but Python and pip at hand.

    python3 tests/run.py            the whole suite
    python3 tests/run.py gates      format, lint, types, import contracts, and the coverage of the last measured run
    python3 tests/run.py tests -k sqlite    what follows "tests" goes to pytest

With MEASURE=1 in the environment, the coverage of the tests is written down for the gates.
The first call makes an environment under .tools and installs what pyproject.toml names. Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PURE = "agentkit/_engine/*,agentkit/providers/*,agentkit/codec/*,agentkit/counters/*,agentkit/tools/*,agentkit/*.py"
SUITE = ("-m", "pytest", "-n", "4")
"""More workers than cores: many tests wait."""
TYPED = ("tests/tools/typed_values.py", "tests/asking/typed_asks.py")
"""What type checkers have to make of the values that users get."""
NOT_PURE = "agentkit/_face.py,agentkit/config.py,agentkit/conversation.py,agentkit/discovery.py,agentkit/__main__.py"


def main(arguments: list[str]) -> int:
    what, *rest = arguments or ["tests"]
    if what == "tests":
        measured = ("--cov", "--cov-report=") if os.environ.get("MEASURE") else ()
        return _run([str(environment(("test",))), *SUITE, *measured, *rest])
    if what == "gates":
        return run_gates(environment(("test", "lint")))
    print(__doc__)
    return 2


def environment(groups: tuple[str, ...]) -> Path:
    """The Python of an environment that holds the dependencies, made at the first call and after they changed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = list(project["project"]["dependencies"])
    for group in groups:
        wanted += project["dependency-groups"][group]
    folder = ROOT / ".tools" / f"{'-'.join(groups)}-{sys.implementation.cache_tag}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp, mark = folder / "installed", hashlib.sha256("\n".join(wanted).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="ascii") != mark:
        print(f"installing {len(wanted)} packages into {folder.relative_to(ROOT)} ...", flush=True)
        # Without its own pip: a plain Debian has the venv module but not the packages that put pip into a venv.
        _check([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)])
        _check([sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *wanted])
        stamp.write_text(mark, encoding="ascii")
    return python


def run_gates(python: Path) -> int:
    tool = [str(python), "-m"]
    report = [*tool, "coverage", "report", "--skip-covered"]
    gates = {
        "format": [*tool, "ruff", "format", "--check", "."],
        "lint": [*tool, "ruff", "check", "."],
        "mypy": [*tool, "mypy"],
        "pyright": [*tool, "pyright", "--pythonpath", str(python)],
        "types of values, mypy": [*tool, "mypy", *TYPED],
        "types of values, pyright": [*tool, "pyright", "--pythonpath", str(python), *TYPED],
        "import contracts": [str(python.parent / "lint-imports")],
        "coverage of the pure part": [*report, "--include", PURE, "--omit", NOT_PURE, "--fail-under", "100"],
        "coverage": [*report, "--fail-under", "95"],
    }
    failed = []
    for name, command in gates.items():
        print(f"--- {name}", flush=True)
        if _run(command) != 0:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all gates are green")
    return 1 if failed else 0


def _run(command: list[str]) -> int:
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNDEFAULTENCODING": "1"}
    return subprocess.run(command, cwd=ROOT, env=settings, check=False).returncode


def _check(command: list[str]) -> None:
    code = _run(command)
    if code != 0:
        sys.exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
