from __future__ import annotations

import sys

from tests.benchmarks.run import main

main(sys.argv[1:])
