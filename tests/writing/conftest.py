from __future__ import annotations

import sys
from pathlib import Path

RUNTIME_TESTS = str(Path(__file__).parents[1] / "runtime")
if RUNTIME_TESTS not in sys.path:
    sys.path.append(RUNTIME_TESTS)
