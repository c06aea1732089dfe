"""The scenarios of tests/runtime are used here as well: one scenario, three runtimes."""

from __future__ import annotations

import sys
from pathlib import Path

RUNTIME_TESTS = str(Path(__file__).resolve().parent.parent / "runtime")
if RUNTIME_TESTS not in sys.path:
    sys.path.append(RUNTIME_TESTS)
