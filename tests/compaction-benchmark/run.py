#!/usr/bin/env python3
"""Measures queries on a month of gz objects and on the same month as Parquet. Makes what it runs on below `target`; needs Python 3.11 only.

    python3 tests/compaction-benchmark/run.py [--objects N] [--seed N] [--json FILE]
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
sys.path.insert(0, str(SUPPORT))

import pinned_venv

CACHE = pinned_venv.ROOT / "target" / "compaction-benchmark"


def main() -> int:
    python = pinned_venv.python(HERE / "requirements.txt", CACHE)
    environment = dict(os.environ, PYTHONPATH=str(SUPPORT))
    return subprocess.run([str(python), str(HERE / "benchmark.py"), "--cache", str(CACHE), *sys.argv[1:]], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
