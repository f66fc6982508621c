"""Makes the month, compacts it, runs the queries on every layout, and prints what each scanned and how long it took."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import layouts
import log_lines_table
import month
from layouts import Layout
from queries import QUERIES, Query, bytes_scanned

ROUNDS = 3
# Athena bills by the terabyte scanned, rounded up to a megabyte, 10 MB at least.
DOLLARS_PER_TERABYTE = 5.0
MEGABYTE, TERABYTE = 1024**2, 1024**4
BILLED_AT_LEAST = 10 * MEGABYTE


def main() -> None:
    parser = argparse.ArgumentParser(description="The same queries on gz objects and on Parquet.")
    parser.add_argument("--objects", type=int, default=10_000, help="gz objects in the month (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another month of the same kind (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the results to this file, too")
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.objects < 1:
        parser.error("--objects must be 1 or more")

    with tempfile.TemporaryDirectory(prefix="month-", dir=arguments.cache) as root:
        results = measure(Path(root), arguments.objects, arguments.seed)
    report(results)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def measure(root: Path, objects: int, seed: int) -> dict[str, Any]:
    say(f"writing {objects} gz objects")
    written = month.write(root, objects, seed)
    connection = layouts.connect(root, log_lines_table.read().regex)
    say("compacting")
    made = layouts.make(connection, root)
    say("comparing every line of the three layouts")
    layouts.verify(connection, made, written.lines)

    seconds: dict[tuple[str, str], list[float]] = {(query.name, layout.name): [] for query in QUERIES for layout in made}
    rows: dict[str, int] = {}
    for round_number in range(ROUNDS):
        say(f"queries, round {round_number + 1} of {ROUNDS}")
        for query in QUERIES:
            answers = []
            # Layouts in turn, each time another first: what else this machine does then falls on all of them.
            for layout in made[round_number:] + made[:round_number]:
                started = time.perf_counter()
                answers.append(connection.execute(query.sql.format(layout.relation)).fetchall())
                seconds[query.name, layout.name].append(time.perf_counter() - started)
            if any(answer != answers[0] for answer in answers):
                raise SystemExit(f"{query.name}: the layouts answer differently")
            rows[query.name] = len(answers[0])

    return {
        "month": {"objects": written.objects, "lines": written.lines, "textBytes": written.text_bytes, "gzBytes": written.gz_bytes, "seed": seed},
        "stored": {layout.name: {"objects": len(layout.files), "bytes": sum(file.stat().st_size for file in layout.files)} for layout in made},
        "queries": [
            {"name": query.name, "rows": rows[query.name], "layouts": _results(query, made, seconds, _scanned(connection, query, made))}
            for query in QUERIES
        ],
        "cpus": os.cpu_count(),
    }


def _scanned(connection: duckdb.DuckDBPyConnection, query: Query, made: list[Layout]) -> dict[str, int]:
    return {layout.name: bytes_scanned(connection, query, layout) for layout in made}


def _results(query: Query, made: list[Layout], seconds: dict[tuple[str, str], list[float]], scanned: dict[str, int]) -> dict[str, Any]:
    times = {layout.name: statistics.median(seconds[query.name, layout.name]) for layout in made}
    return {
        layout.name: {
            "bytesScanned": scanned[layout.name],
            "bytesBilled": billed(scanned[layout.name]),
            "dollarsPer1000Queries": round(billed(scanned[layout.name]) / TERABYTE * DOLLARS_PER_TERABYTE * 1000, 4),
            "objectsRead": len(layout.files),
            "seconds": round(times[layout.name], 4),
            "gzBytesRatio": round(scanned["gz"] / scanned[layout.name], 2),
            "gzSecondsRatio": round(times["gz"] / times[layout.name], 2),
        }
        for layout in made
    }


def billed(scanned: int) -> int:
    return max(BILLED_AT_LEAST, -(-scanned // MEGABYTE) * MEGABYTE)


def report(results: dict[str, Any]) -> None:
    about = results["month"]
    print(f"{about['lines']:,} lines, {about['textBytes'] / 1e6:.1f} MB of text; the same lines in every layout, compared one by one")
    for name, stored in results["stored"].items():
        print(f"  {name:<16} {stored['objects']:>7,} objects {stored['bytes'] / 1e6:>8.2f} MB")
    print()
    heads = ("objects", "MB scanned", "gz/this", "MB billed", "$/1000", "seconds", "gz/this")
    print(f"{'query':<18} {'layout':<16} " + " ".join(f"{head:>10}" for head in heads))
    for query in results["queries"]:
        for name, found in query["layouts"].items():
            cells = (
                f"{found['objectsRead']:,}",
                f"{found['bytesScanned'] / 1e6:.2f}",
                f"{found['gzBytesRatio']:.1f}x",
                f"{found['bytesBilled'] / 1e6:.1f}",
                f"{found['dollarsPer1000Queries']:.3f}",
                f"{found['seconds']:.3f}",
                f"{found['gzSecondsRatio']:.1f}x",
            )
            print(f"{query['name']:<18} {name:<16} " + " ".join(f"{cell:>10}" for cell in cells))
    print(f"\nMB: 10^6 bytes. Seconds: median of {ROUNDS}, DuckDB on {results['cpus']} CPUs, local disk; S3 would add a request for each object.")
    print(f"Billed: what Athena would, {DOLLARS_PER_TERABYTE:.0f} USD per TB, at least 10 MiB a query, without S3's requests.")


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
