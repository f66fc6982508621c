"""The table's regex in Hive's RegexSerDe, in Trino's way with it, and in the local Athena's: the same rows, and no line without one."""

from __future__ import annotations

import gzip
import os
import tempfile
import unittest
from pathlib import Path

import hive
import log_lines_table
import random_lines
import rows
from cases import CASES, LATER, MEGABYTE, TIME

RANDOM_OBJECTS = 20
RANDOM_LINES = 500


class Regex(unittest.TestCase):
    table: hive.Table
    trino: hive.TrinoRegex
    local: rows.Reader

    @classmethod
    def setUpClass(cls) -> None:
        declared = log_lines_table.read(Path(os.environ.get("LOG_LINES_TEMPLATE", log_lines_table.TEMPLATE)))
        cls.table = hive.Table(declared)
        cls.trino = hive.TrinoRegex(declared.regex)
        cls.local = rows.Reader(declared)

    def setUp(self) -> None:
        # Rows of 1 MB would drown what differs.
        self.maxDiff = 4_000
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def put(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def test_the_template_names_the_classes_tested_here(self) -> None:
        declared = log_lines_table.read(Path(os.environ.get("LOG_LINES_TEMPLATE", log_lines_table.TEMPLATE)))
        self.assertEqual(declared.serde, "org.apache.hadoop.hive.serde2.RegexSerDe")
        self.assertEqual(declared.input_format, "org.apache.hadoop.mapred.TextInputFormat")
        self.assertEqual(declared.columns, [("event_time", "string"), ("message", "string")])
        self.assertNotIn("input.regex.case.insensitive", declared.serde_parameters)

    def test_cases_in_hive(self) -> None:
        for case in CASES:
            with self.subTest(case.name):
                self.put("000000.gz", gzip.compress(case.content))
                self.assertEqual(self.table.rows(self.folder), case.rows)

    def test_cases_in_trino(self) -> None:
        for case in CASES:
            with self.subTest(case.name):
                self.put("000000.gz", gzip.compress(case.content))
                self.assertEqual([self.trino.row(line) for line in self.table.lines(self.folder)], case.rows)

    def test_cases_in_the_local_athena(self) -> None:
        for case in CASES:
            with self.subTest(case.name):
                self.assertEqual(self.local.rows(case.content), case.rows)

    def test_an_object_of_several_gzip_members_is_read_to_its_end(self) -> None:
        # The second member begins in the middle of a line.
        self.put("000000.gz", gzip.compress(f"{TIME} a\n{LATER} ".encode()) + gzip.compress(b"b\nc\n"))
        self.assertEqual(self.table.rows(self.folder), [rows.Row(TIME, "a"), rows.Row(LATER, "b"), rows.Row(None, "c")])

    def test_objects_do_not_run_into_each_other(self) -> None:
        self.put("000000.gz", gzip.compress(f"{TIME} a".encode()))
        self.put("000001.gz", gzip.compress(b"b"))
        self.assertEqual(self.table.rows(self.folder), [rows.Row(TIME, "a"), rows.Row(None, "b")])

    def test_hidden_objects_are_not_read(self) -> None:
        self.put("000000.gz", gzip.compress(f"{TIME} a".encode()))
        self.put("_manifest.json", b'{"schemaVersion":1}')
        self.put("aws-logs-write-test", b"Permission Check Successful")
        self.assertEqual(self.table.rows(self.folder), [rows.Row(TIME, "a"), rows.Row(None, "Permission Check Successful")])

    def test_line_ends_at_the_borders_of_the_readers_buffer(self) -> None:
        # Hadoop reads 64 KiB at a time: a CR as the last byte of one, its LF as the first of the next.
        buffer = 64 * 1024
        for end in ("\n", "\r", "\r\n"):
            for length in range(buffer - 3, buffer + 2):
                with self.subTest(end=end, length=length):
                    content = (f"{TIME} ".ljust(length, "x") + end + f"{LATER} b{end}").encode()
                    self.put("000000.gz", gzip.compress(content))
                    found = self.table.rows(self.folder)
                    self.assertEqual([(row.event_time, len(row.message)) for row in found], [(TIME, length - len(TIME) - 1), (LATER, 1)])
                    self.assertEqual(found, self.local.rows(content))

    def test_every_random_line_is_a_row_and_the_same_row_everywhere(self) -> None:
        events = continuations = 0
        for seed in range(RANDOM_OBJECTS):
            content = random_lines.content(seed, RANDOM_LINES)
            self.put("000000.gz", gzip.compress(content))
            expected = self.local.rows(content)
            read = 0
            for number, line in enumerate(self.table.lines(self.folder)):
                with self.subTest(seed=seed, line=number, bytes=bytes(line.copyBytes())):
                    found = self.table.row(line)
                    self.assertIsNotNone(found, "the regex does not match")
                    # Nothing is lost, and nothing is added: the row's parts are the line.
                    time = "" if found.event_time is None else f"{found.event_time} "
                    self.assertEqual(time + found.message, str(line.toString()))
                    self.assertEqual(self.trino.row(line), found)
                    self.assertEqual(expected[number], found)
                    events += found.event_time is not None
                    continuations += found.event_time is None
                read += 1
            self.assertEqual(read, len(expected), f"lines of seed {seed}")
        # Both kinds, in numbers: a generator that makes one of them only would prove little.
        self.assertGreater(events, RANDOM_OBJECTS * RANDOM_LINES / 10)
        self.assertGreater(continuations, RANDOM_OBJECTS * RANDOM_LINES / 10)

    def test_the_large_case_is_large(self) -> None:
        self.assertGreater(len(MEGABYTE.encode()), 1024 * 1024)


if __name__ == "__main__":
    unittest.main()
