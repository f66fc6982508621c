"""Parquet follows the manifests: the workflow compact-logs, walked over the local Athena with its own SQL."""

import itertools
import random
import unittest

import sample_archive as a
import expected
from compaction import Compaction, Failed
from local import LocalAthena, QueryError

OF_ORDERS = f"WHERE log_group = '{a.ORDERS}' AND year = 2026 AND month = 10"
MONTH_OF_ORDERS = f"{a.PREFIX}/log_group={a.ORDERS}/year=2026/month=10"
PARQUET = f"{a.PREFIX}/parquet/"
UNFIT = "cannot be read, or has values that do not fit"


def lines(message, stream="s"):
    return {stream: [[a.event("2026-10-05T01:00:00.000Z", message)]]}


def small():
    """Orders' October of two objects and three lines, and another log group's of one."""
    contents = a.Archive()
    contents.export(a.ORDERS, "2026-10", a.TASK, lines("x\ny", "one") | lines("z", "two"))
    contents.export("/other", "2026-10", "other", lines("x"))
    return contents


def rows(athena, relation, where=OF_ORDERS):
    return athena.rows(f"SELECT * FROM {relation} {where} ORDER BY object, line")


class OneCompaction(unittest.TestCase):
    maxDiff = 10_000

    def test_from_gz_to_parquet(self):
        athena = LocalAthena(a.build())
        before = dict(athena.s3.objects)
        compaction = Compaction(athena)
        output = compaction.run("2026-10", "2026-06")
        self.assertEqual(compaction.failures, [])
        # Those with objects in the tables' layout: orders, orders-dev, payments, batch (twice) and nightly.
        self.assertEqual(output, {"months": ["2026-10", "2026-06"], "compacted": 6})
        self.assertEqual(rows(athena, "compacted_logs"), expected.LOGS)
        answer = athena.run("events-from-parquet.sql")
        self.assertEqual([name for name, _ in answer.columns], ["event_time", "log_stream", "message"])
        self.assertEqual(answer.rows, [[utc, stream, text] for utc, _, stream, text, _ in expected.ORDERS_IN_TIME_ORDER])
        self.assertTrue(all(athena.s3.objects[a.BUCKET, key][:4] == b"PAR1" for key in athena.keys(PARQUET)))
        self.assertEqual({key: athena.s3.objects[key] for key in before}, before)
        # What is compacted is passed over.
        written = athena.keys(PARQUET)
        self.assertEqual(Compaction(athena).run("2026-10", "2026-06"), {"months": ["2026-10", "2026-06"], "compacted": 0})
        self.assertEqual(athena.keys(PARQUET), written)

    def test_a_reader_sees_the_old_rows_or_the_new_ones(self):
        contents = a.Archive()
        contents.export(a.ORDERS, "2026-10", "old", lines("old"))
        athena, seen = LocalAthena(contents), []

        def look(sql):
            seen.append((sql.split(" (")[0].split(" '")[0], [row[5] for row in rows(athena, "compacted_logs")]))
            return sql

        Compaction(athena, look).run("2026-10")
        publish = ["ALTER TABLE compacted_logs ADD IF NOT EXISTS PARTITION", "ALTER TABLE compacted_logs PARTITION"]
        self.assertEqual([messages for statement, messages in seen if statement in publish], [[], ["old"]])
        contents.export(a.ORDERS, "2026-10", "new", lines("new"))
        put(athena, contents)
        seen.clear()
        Compaction(athena, look).run("2026-10")
        self.assertEqual([statement for statement, _ in seen if statement in publish], publish)
        # Before each statement up to the last one that changes something, then before the second look.
        self.assertEqual([messages for _, messages in seen], [["old"]] * (len(seen) - 1) + [["new"]])

    def test_what_differs_never_gets_into_the_table(self):
        mistakes = {
            "a line less": ("UNLOAD (", " AND task_id", " AND line < 2 AND task_id", "2 rows of 2 objects"),
            "an object less": ("SELECT exported", "count(DISTINCT object)", "count(DISTINCT object) - 1", "3 rows of 1 objects"),
        }
        for name, (statement, text, other, written) in mistakes.items():
            with self.subTest(name):
                athena = LocalAthena(small())

                def changed(sql):
                    is_meant = sql.startswith(statement) and f"'{a.ORDERS}'" in sql
                    self.assertTrue(not is_meant or text in sql, sql)
                    return sql.replace(text, other) if is_meant else sql

                compaction = Compaction(athena, changed)
                with self.assertRaises(Failed) as failed:
                    compaction.run("2026-10")
                self.assertEqual(failed.exception.error, "CompactionFailed")
                said = f"1 of 2 log-group-months are not compacted: {a.ORDERS} 2026-10. The failed executions of the last map run say why: "
                self.assertTrue(failed.exception.cause.startswith(said), failed.exception.cause)
                failures = [(log_group, error, cause.split(", at s3://")[0]) for log_group, error, cause in compaction.failures]
                cause = f"the export has 3 rows in 2 objects, and its Parquet {written}"
                self.assertEqual(failures, [(a.ORDERS, "CompactionRowsDiffer", cause)] * 3)
                self.assertEqual(athena.rows("SELECT DISTINCT log_group FROM compacted_logs"), [("/other",)])

    def test_an_object_that_athena_passes_over_is_seen(self):
        """One in Deep Archive is missing on both sides: only the manifest knows of it. Here it is gone."""
        athena = LocalAthena(small())
        del athena.s3.objects[a.BUCKET, f"{MONTH_OF_ORDERS}/{a.TASK}/two/000000.gz"]
        compaction = Compaction(athena)
        self.assertRaises(Failed, compaction.run, "2026-10")
        self.assertTrue(compaction.failures[0][2].startswith("the export has 2 rows in 2 objects, and its Parquet 2 rows of 1 objects, at s3://"))

    def test_a_statement_that_fails_has_its_turn_in_the_next_round(self):
        for statement in ("UNLOAD", "SELECT exported", "ALTER TABLE compacted_logs ADD", "ALTER TABLE compacted_logs PARTITION"):
            with self.subTest(statement):
                athena, left = LocalAthena(small()), [2]

                def changed(sql):
                    if sql.startswith(statement) and f"'{a.ORDERS}'" in sql and left[0]:
                        left[0] -= 1
                        raise QueryError("GENERIC_INTERNAL_ERROR", "resources exhausted")
                    return sql

                compaction = Compaction(athena, changed)
                compaction.run("2026-10")
                self.assertEqual(rows(athena, "compacted_logs"), rows(athena, "logs"))
                # A partition that was added already names what was counted: the next look finds nothing to do.
                self.assertEqual(len(compaction.failures), 1 if statement.endswith("PARTITION") else 2)

    def test_a_listing_that_fails_is_a_failure(self):
        def changed(sql):
            raise QueryError("GENERIC_INTERNAL_ERROR", "resources exhausted")

        with self.assertRaises(Failed) as failed:
            Compaction(LocalAthena(small()), changed).run("2026-10")
        said = "the log groups to compact could not be listed: States.TaskFailed: GENERIC_INTERNAL_ERROR: resources exhausted"
        self.assertEqual((failed.exception.error, failed.exception.cause), ("CompactionFailed", said))

    def test_a_month_of_31_parts(self):
        contents = a.Archive()
        begin, day = a.month_begins("2026-10"), 86_400_000
        for part in range(31):
            window = {"window_from": begin + part * day, "window_to": begin + (part + 1) * day - 1}
            contents.export(a.ORDERS, "2026-10", f"{part:08}-0000-4000-8000-000000000000", lines(f"part {part}"), **window)
        athena = LocalAthena(contents)
        Compaction(athena).run("2026-10")
        self.assertEqual([row[5] for row in rows(athena, "compacted_logs")], [f"part {part}" for part in range(31)])
        # One part that is exported anew makes the month due again.
        contents.export(a.ORDERS, "2026-10", "anew", lines("part 7 anew"), window_from=begin + 7 * day, window_to=begin + 8 * day - 1)
        put(athena, contents)
        self.assertEqual(Compaction(athena).run("2026-10")["compacted"], 1)
        self.assertEqual(rows(athena, "compacted_logs"), rows(athena, "logs"))

    def test_an_archive_at_the_root_of_its_bucket_and_a_month_of_one_digit(self):
        contents = a.Archive(prefix="")
        contents.export(a.ORDERS, "2026-08", a.TASK, lines("here"))
        athena = LocalAthena(contents, prefix="")
        Compaction(athena).run("2026-08")
        self.assertTrue(athena.keys(f"parquet/log_group={a.ORDERS}/year=2026/month=08/"))
        self.assertEqual(len(rows(athena, "compacted_logs", OF_ORDERS.replace("10", "8"))), 1)


class WhatIsDue(unittest.TestCase):
    """The view uncompacted_months."""

    def due(self, athena, month=10):
        found = athena.rows(f"SELECT log_group, tasks, objects FROM uncompacted_months WHERE year = 2026 AND month = {month} ORDER BY log_group")
        return [tuple(row) for row in found]

    def test_only_what_the_tables_cover_and_athena_shows(self):
        contents = a.Archive()
        contents.export("/elsewhere", "2026-10", "t1", lines("x"), prefix=a.OTHER_PREFIX)
        contents.export("/empty", "2026-10", "t2", {})
        contents.export("/hidden", "2026-10", "t3", lines("x", "_hidden"))
        contents.export("/old", "2026-10", "t4", lines("x"), schema_version=1)
        contents.manifest("/lost", "2026-10", outcome="lost", reason="Expired")
        self.assertEqual(self.due(LocalAthena(contents)), [])
        contents.export("/some", "2026-10", "t5", lines("x") | lines("x", ".hidden"))
        self.assertEqual(self.due(LocalAthena(contents)), [("/some", "t5", "1")])

    def test_parquet_of_what_no_manifest_names_is_taken_out(self):
        contents = a.Archive()
        contents.export(a.ORDERS, "2026-10", "t", lines("x"))
        athena = LocalAthena(contents)
        Compaction(athena).run("2026-10")
        written, manifest = athena.keys(PARQUET), athena.keys(f"{a.PREFIX}/manifests/")
        del athena.s3.objects[a.BUCKET, manifest[0]]
        self.assertEqual(self.due(athena), [(a.ORDERS, "", "0")])
        self.assertEqual(Compaction(athena).run("2026-10")["compacted"], 1)
        self.assertEqual(rows(athena, "compacted_logs"), [])
        self.assertEqual((self.due(athena), athena.keys(PARQUET)), ([], written))

    def test_an_export_of_which_everything_is_lost_keeps_its_parquet(self):
        """It may be all that is left of it. One that was never compacted has nothing to compact."""
        contents = a.Archive()
        contents.export(a.ORDERS, "2026-10", "t", lines("x"))
        athena = LocalAthena(contents)
        Compaction(athena).run("2026-10")
        contents.objects = {key: body for key, body in contents.objects.items() if not key.endswith(".gz")}
        contents.manifest(a.ORDERS, "2026-10", outcome="lost", reason="Damaged", task_id="t", objects=0)
        self.assertEqual(self.due(LocalAthena(contents)), [])
        put(athena, contents)
        self.assertEqual(self.due(athena), [])
        self.assertEqual((rows(athena, "logs"), [row[5] for row in rows(athena, "compacted_logs")]), ([], ["x"]))

    def test_a_manifest_that_does_not_fit_fails_its_log_group_month_alone(self):
        unfit = [
            {"objects": "many"}, {"objects": None}, {"objects": -1}, {"schema_version": "two"}, {"schema_version": None}, {"outcome": "done"},
            {"outcome": None}, {"bucket": None}, {"destination_prefix": None}, {"task_id": None}, {"task_id": ""}, {"task_id": {"a": 1}},
            {"task_id": "t') OR ('1' = '1"}, {"task_id": "t" * 513},
        ]  # fmt: skip
        contents, wanted = a.Archive(), []
        contents.export("/good", "2026-10", "good", lines("x"))
        for number, changes in enumerate(unfit):
            name = f"/unfit/{number:02}"
            contents.export(name, "2026-10", "task", lines("x"), counts=False)
            contents.manifest(name, "2026-10", **{"outcome": "exported", "objects": 1, "task_id": "task"} | changes)
            wanted.append(name)
        quoted = ["/quo'ted", "/x' OR '1' = '1"]
        for name in quoted:
            contents.export(name, "2026-10", "task", lines("x"))
        # Not JSON at all, so that only the object can be named.
        folder = f"{a.PREFIX}/manifests/year=2026/month=10"
        for name, body in {"cut.json": b'{"schema_version": 2, "outc\n', "text.json": b"hello\n"}.items():
            contents.objects[f"{folder}/{name}"] = body
            wanted.append(f"s3://{a.BUCKET}/{folder}/{name}")
        athena, statements = LocalAthena(contents), []

        def noted(sql):
            statements.append(sql)
            return sql

        compaction = Compaction(athena, noted)
        with self.assertRaises(Failed) as failed:
            compaction.run("2026-10")
        self.assertEqual(sorted({log_group for log_group, error, _ in compaction.failures if error == "ManifestInvalid"}), sorted(wanted + quoted))
        self.assertEqual(len(compaction.failures), 3 * len(wanted + quoted))
        self.assertTrue(failed.exception.cause.startswith(f"{len(wanted + quoted)} of {len(wanted + quoted) + 1} log-group-months are not compacted: "))
        for log_group, _, cause in compaction.failures:
            self.assertIn(f"{log_group} 2026-10: {cause}", failed.exception.cause)
            self.assertTrue(cause.startswith(f"the manifest s3://{a.BUCKET}/{folder}/") and cause.endswith(f".json {UNFIT}"), cause)
        self.assertEqual(athena.rows("SELECT log_group, message FROM compacted_logs"), [("/good", "x")])
        # No value of theirs gets into a statement.
        self.assertEqual([sql for sql in statements if "unfit" in sql or "OR '1'" in sql or "quo'ted" in sql], [])
        # And queries on the month go on.
        self.assertEqual(len(athena.rows("SELECT message FROM logs WHERE log_group = '/good' AND year = 2026 AND month = 10")), 1)

    def test_only_the_months_that_are_asked_for_are_read(self):
        contents = small()
        contents.export(a.ORDERS, "2026-11", "later", lines("x"))
        athena = LocalAthena(contents)
        Compaction(athena).run("2026-10", "2026-11")
        folders = (f"{a.PREFIX}/manifests/year=2026/month=10/", f"{a.PREFIX}/parquet/")
        shown = {key: len(body) for (_, key), body in athena.s3.objects.items() if key.startswith(folders) and "month=10/" in key}
        statements = []
        Compaction(athena, lambda sql: statements.append(sql) or sql).run("2026-10")
        self.assertEqual(athena.query(statements[0]).scanned, sum(shown.values()))


class Sequences(unittest.TestCase):
    """Exports, repairs, withdrawals and compactions, some of which fail, in any order."""

    GROUPS = ("/a", "/b/c.d#e")
    MONTHS = ("2026-09", "2026-10")
    STEPS = 25

    def test_compacted_logs_is_what_logs_is(self):
        for seed in range(2):
            with self.subTest(seed=seed):
                self.go(random.Random(seed))

    def go(self, chance):
        contents, tasks = a.Archive(), itertools.count()
        athena = LocalAthena(contents)
        windows = {}  # what is archived: (log group, month, part) to its task
        for _ in range(self.STEPS):
            act = chance.choice(["export", "export", "repair", "withdraw", "empty", "compact", "compact", "fail"])
            log_group, month = chance.choice(self.GROUPS), chance.choice(self.MONTHS)
            of_month = [key for key in windows if key[:2] == (log_group, month)]
            if act == "export":
                self.export(contents, windows, (log_group, month, chance.randrange(4)), next(tasks), chance)
            elif act == "repair" and of_month:
                key = chance.choice(of_month)
                lost = [name for name in contents.objects if f"/{windows[key]}/" in name]
                for name in chance.sample(lost, chance.randint(0, len(lost))):
                    del contents.objects[name]
                self.export(contents, windows, key, next(tasks), chance)
            elif act == "withdraw" and of_month:
                key = chance.choice(of_month)
                contents.objects = {name: body for name, body in contents.objects.items() if f'"task_id": "{windows[key]}"'.encode() not in body}
                del windows[key]
            elif act == "empty" and of_month:
                key = chance.choice(of_month)
                windows[key] = f"task-{next(tasks)}"
                contents.export(*key[:2], windows[key], {}, **window(key))
            put(athena, contents)
            if act == "fail":
                self.fail_somewhere(athena, chance)
            if act == "compact":
                compaction = Compaction(athena)
                compaction.run(*self.MONTHS)
                self.assertEqual(compaction.failures, [])
                self.assertEqual(self.all(athena, "compacted_logs"), self.all(athena, "logs"))
        Compaction(athena).run(*self.MONTHS)
        self.assertEqual(self.all(athena, "compacted_logs"), self.all(athena, "logs"))
        self.assertTrue(self.all(athena, "logs"))

    def export(self, contents, windows, key, number, chance):
        log_group, month, part = key
        windows[key] = f"task-{number}"
        messages = [[a.event(f"{month}-05T0{part}:00:00.000Z", f"{number}.{line}\nmore") for line in range(chance.randint(1, 3))] for _ in range(2)]
        contents.export(log_group, month, windows[key], {"stream": messages, "other": messages[:1]}, **window(key))

    def fail_somewhere(self, athena, chance):
        """The rows of each log-group-month are the old ones or the new ones, whichever statement failed."""
        old, new = self.by_month(athena, "compacted_logs"), self.by_month(athena, "logs")
        left = [chance.randrange(10)]

        def changed(sql):
            left[0] -= 1
            if left[0] < 0:
                raise QueryError("GENERIC_INTERNAL_ERROR", "resources exhausted")
            return sql

        try:
            Compaction(athena, changed).run(*self.MONTHS)
        except Failed:
            pass
        for of_month, found in self.by_month(athena, "compacted_logs").items():
            self.assertIn(found, (old[of_month], new[of_month]), of_month)

    def all(self, athena, relation):
        names = ", ".join(f"'{name}'" for name in self.GROUPS)
        return rows(athena, relation, f"WHERE log_group IN ({names}) AND year = 2026 AND month IN (9, 10)")

    def by_month(self, athena, relation):
        found = {(log_group, str(int(month[5:]))): [] for log_group in self.GROUPS for month in self.MONTHS}
        for row in self.all(athena, relation):
            found[row[7], row[9]].append(row)
        return found


def window(key):
    """A quarter of the month, by the part's number."""
    _, month, part = key
    begin, end = a.month_begins(month), a.month_begins(month, later=1)
    return {"window_from": begin + part * (end - begin) // 4, "window_to": begin + (part + 1) * (end - begin) // 4 - 1}


def put(athena, contents):
    """The archive's objects as they are now; Parquet stays."""
    parquet = {key: body for key, body in athena.s3.objects.items() if key[1].startswith(PARQUET)}
    athena.s3.objects = parquet | {(a.BUCKET, key): body for key, body in contents.objects.items()}


if __name__ == "__main__":
    unittest.main()
