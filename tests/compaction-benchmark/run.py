#!/usr/bin/env python3
"""Measures queries on a month of gz objects and on the same month as Parquet. Makes what it runs on below `target`; needs Python 3.11 only.

    python3 tests/compaction-benchmark/run.py [--objects N] [--seed N] [--json FILE]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
sys.path.insert(0, str(SUPPORT))

import pinned_venv

CACHE = pinned_venv.ROOT / "target" / "compaction-benchmark"


def main() -> None:
    python = pinned_venv.python(HERE / "requirements.txt", CACHE)
    environment = dict(os.environ, PYTHONPATH=str(SUPPORT))
    # In the place of this process, so that whoever ends it ends the benchmark.
    os.execve(python, [str(python), str(HERE / "benchmark.py"), "--cache", str(CACHE), *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
