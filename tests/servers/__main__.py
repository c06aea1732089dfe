from __future__ import annotations

import sys

from tests.servers.checklist import main

sys.exit(main(sys.argv[1:]))
