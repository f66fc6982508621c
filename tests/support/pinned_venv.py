"""The Python environments of the tests here: made once from pinned requirements, below `target`. Standard library only."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Written last: a folder without it is the rest of an interrupted attempt.
COMPLETE = "complete"


def python(requirements: Path, cache: Path) -> Path:
    """Returns the interpreter of the environment for `requirements`, and makes the environment first where it does not exist."""
    pinned = requirements.read_text(encoding="utf-8")
    # Python's version counts, too: an environment breaks when the interpreter it links to is replaced.
    venv = cache / f"venv-{digest(platform.python_version(), pinned)}"

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", str(folder))
        run(
            *(str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"),
            *("--no-input", "--quiet", "--requirement", str(requirements)),
        )

    return make_once(venv, install) / "bin" / "python"


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Calls `make` unless an earlier call made `folder` completely; one of several processes that ask at the same time makes it."""
    if (folder / COMPLETE).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / COMPLETE).exists():
            # An environment holds its own path, so it cannot be made elsewhere and moved here.
            if folder.exists():
                shutil.rmtree(folder)
            make(folder)
            (folder / COMPLETE).touch()
    return folder


def digest(*parts: str) -> str:
    """Tells one set of requirements from another in a folder's name."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def run(*command: str, **environment: str) -> None:
    """Runs a command of the installation; ends the program with the command's own words where it fails."""
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout.strip()}\n`{' '.join(command)}` failed. It needs PyPI or a mirror that pip is configured for.")
