"""Writes a month, compacts it, runs the queries on every layout, and prints the scanned bytes and the times as JSON.

Usage: benchmark.py <an empty folder> <number of gz objects>
"""

import json
import re
import statistics
import sys
import time
from pathlib import Path

import layouts
import month
from queries import QUERIES, bytes_scanned

ROUNDS = 3
SEED = 1
MEGABYTE = 1024**2
# Athena rounds the scanned bytes up to a megabyte, and bills at least 10 MB.
MIN_BILLED = 10 * MEGABYTE
TEMPLATE = Path(__file__).resolve().parents[3] / "infra/athena.yaml"


def main() -> None:
    root, objects = Path(sys.argv[1]), int(sys.argv[2])
    written = month.write(root, objects, SEED)
    (regex,) = re.findall(r"input\.regex: '(.*)'", TEMPLATE.read_text(encoding="utf-8"))
    connection = layouts.connect(root, regex)
    made = layouts.make(connection, root)
    layouts.verify(connection, made, written.lines)

    seconds = {(query.name, layout.name): [] for query in QUERIES for layout in made}
    for round_number in range(ROUNDS):
        for query in QUERIES:
            answers = []
            # Each round begins with another layout, so that other load on the machine affects all of them.
            for layout in made[round_number:] + made[:round_number]:
                started = time.perf_counter()
                answers.append(connection.execute(query.sql.format(layout.relation)).fetchall())
                seconds[query.name, layout.name].append(time.perf_counter() - started)
            if any(answer != answers[0] for answer in answers):
                raise SystemExit(f"{query.name}: the layouts answer differently")

    queries = []
    for query in QUERIES:
        scanned = {layout.name: bytes_scanned(connection, query, layout) for layout in made}
        times = {layout.name: statistics.median(seconds[query.name, layout.name]) for layout in made}
        results = {
            layout.name: {
                "bytesScanned": scanned[layout.name],
                "bytesBilled": max(MIN_BILLED, -(-scanned[layout.name] // MEGABYTE) * MEGABYTE),
                "objectsRead": len(layout.files),
                "seconds": round(times[layout.name], 4),
                "gzBytesRatio": round(scanned["gz"] / scanned[layout.name], 2),
                "gzSecondsRatio": round(times["gz"] / times[layout.name], 2),
            }
            for layout in made
        }
        queries.append({"name": query.name, "layouts": results})
    month_figures = {"objects": written.objects, "lines": written.lines, "textBytes": written.text_bytes, "gzBytes": written.gz_bytes}
    print(json.dumps({"month": month_figures, "queries": queries}))


if __name__ == "__main__":
    main()
