#!/usr/bin/env python3
"""Runs every file of infra/athena in the local Athena and compares all rows.

Makes what it runs on below `target` first; needs Python 3.11 only.

    python3 tests/athena/run.py [-- arguments of unittest]

Exit code 0: every test passed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import pinned_venv  # noqa: E402

ENGINE_REQUIREMENTS = HERE.parent / "local-aws" / "athena" / "requirements.txt"


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs every file of infra/athena in the local Athena.")
    parser.add_argument("unittest", nargs="*", help="arguments of unittest, after --")
    arguments = parser.parse_args()

    # The engine's requirements are named in requirements.txt, so a change of theirs has to show in the folder's name.
    cache = pinned_venv.ROOT / "target" / "athena" / pinned_venv.digest(ENGINE_REQUIREMENTS.read_text(encoding="utf-8"))
    python = pinned_venv.python(HERE / "requirements.txt", cache)
    # No account of whoever runs this.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [str(python), "-m", "unittest", *(arguments.unittest or ["discover", "--verbose"])]
    return subprocess.run(command, cwd=HERE, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
