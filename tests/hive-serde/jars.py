"""Hive's RegexSerDe and Hadoop's line reading, taken out of the pyspark archive. Standard library only."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

import pinned_venv

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements-jars.txt"

# RegexSerDe, and what it and TextInputFormat load when they are used: found by leaving out one jar after the other.
NEEDED = (
    "commons-logging-1.1.3.jar",
    "guava-14.0.1.jar",
    "hadoop-client-api-3.3.4.jar",
    "hadoop-client-runtime-3.3.4.jar",
    "hive-common-2.3.9.jar",
    "hive-serde-2.3.9.jar",
    "hive-storage-api-2.8.1.jar",
    "slf4j-api-2.0.7.jar",
)


def ensure(python: Path, cache: Path) -> Path:
    """Returns the folder with the jars; `python` is an interpreter whose environment has the build tools that pip needs."""
    folder = cache / f"jars-{pinned_venv.digest(REQUIREMENTS.read_text(encoding='utf-8'), *NEEDED)}"

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=cache) as download:
            pinned_venv.run(
                *(str(python), "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--quiet"),
                # The source archive is the only one there is. Without isolation pip fetches no build tools of its own choice.
                *("--no-deps", "--no-binary", "pyspark", "--no-build-isolation", "--require-hashes"),
                *("--dest", download, "--requirement", str(REQUIREMENTS)),
                # It unpacks the archive of 300 MB beside itself: more than a small /tmp holds.
                TMPDIR=str(cache),
            )
            (archive,) = Path(download).iterdir()
            _extract(archive, folder)

    return pinned_venv.make_once(folder, make)


def _extract(archive: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    missing = set(NEEDED)
    with tarfile.open(archive) as members:
        for member in members:
            name = Path(member.name).name
            if name not in missing:
                continue
            content = members.extractfile(member)
            if content is None:
                raise SystemExit(f"{member.name} in {archive.name} is not a file")
            with content, open(folder / name, "wb") as jar:
                shutil.copyfileobj(content, jar)
            missing.remove(name)
            if not missing:
                return
    raise SystemExit(f"{archive.name} does not contain {', '.join(sorted(missing))}")
