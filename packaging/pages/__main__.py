"""`python3 packaging/pages DIR`: lets this folder be a package, documents this clone and no installed copy."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    # It also runs in trees that somebody packs afterwards: nothing is written but what was asked for.
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(CLONE / folder) for folder in ("packaging", "src", "common/src")]
    sys.exit(importlib.import_module("pages.program").main(sys.argv[1:]))
