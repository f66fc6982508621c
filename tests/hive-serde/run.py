#!/usr/bin/env python3
"""Tests the table's regex in Hive's own RegexSerDe. Makes what it runs on below `target` first; needs Python 3.10 only.

    python3 tests/hive-serde/run.py [--template FILE]

Exit code 0: every test passed. Arguments after `--` go to unittest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import jars
import pinned_venv

CACHE = pinned_venv.ROOT / "target" / "hive-serde"


def main() -> int:
    parser = argparse.ArgumentParser(description="Tests the table's regex in Hive's own RegexSerDe.")
    parser.add_argument("--template", type=Path, help="another template than infra/athena.yaml")
    parser.add_argument("unittest", nargs="*", help="arguments of unittest, after --")
    arguments = parser.parse_args()

    started = time.monotonic()
    CACHE.mkdir(parents=True, exist_ok=True)
    python = pinned_venv.python(HERE / "requirements.txt", CACHE)
    classes = jars.ensure(python, CACHE)
    print(f"environment ready in {time.monotonic() - started:.1f} s", file=sys.stderr)

    environment = dict(os.environ, HIVE_JARS=str(classes), PYTHONPATH=os.pathsep.join(map(str, [HERE.parent / "support", HERE.parent / "local-aws" / "athena"])))
    if arguments.template is not None:
        environment["LOG_LINES_TEMPLATE"] = str(arguments.template.resolve())
    return subprocess.run(
        [str(python), "-m", "unittest", *(arguments.unittest or ["discover", "--verbose"])], cwd=HERE, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
