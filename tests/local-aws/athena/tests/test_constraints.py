"""Which conditions reach a scan whose partition column is injected, and which do not."""

import unittest

from athena.projection import STATIC_CONDITION
from tests.archive import ORDERS, Archive

REFUSAL = "CONSTRAINT_VIOLATION: " + STATIC_CONDITION.format(name="log_group")
GROUP = "log_group = '/aws/lambda/orders'"
# Of which every row is of one log group.
LINES = "(SELECT log_group, year, month, message FROM log_lines WHERE year = 2026 AND month = 10)"

REACH = {
    "equality": f"SELECT * FROM log_lines WHERE {GROUP}",
    "equality, the other way round": "SELECT * FROM log_lines WHERE '/aws/lambda/orders' = log_group",
    "IN": "SELECT * FROM log_lines WHERE log_group IN ('/aws/lambda/orders', '/none')",
    "OR of equalities": f"SELECT * FROM log_lines WHERE {GROUP} OR log_group = '/none'",
    "a constant that is computed": "SELECT * FROM log_lines WHERE log_group = '/aws/' || 'lambda/orders'",
    "a subquery": f"SELECT * FROM {LINES} WHERE {GROUP}",
    "another name": f"SELECT * FROM (SELECT log_group AS name FROM {LINES}) WHERE name = '/aws/lambda/orders'",
    "WITH": f"WITH lines AS {LINES} SELECT * FROM lines WHERE {GROUP}",
    "WITH and names of its own": f"WITH lines(g, y, m, t) AS {LINES} SELECT * FROM lines WHERE g = '/aws/lambda/orders'",
    "a grouping key": f"SELECT * FROM (SELECT log_group, count(*) AS n FROM {LINES} GROUP BY log_group) WHERE {GROUP}",
    "a grouping key by position": f"SELECT * FROM (SELECT log_group, count(*) AS n FROM {LINES} GROUP BY 1) WHERE {GROUP}",
    "HAVING on a grouping key": f"SELECT log_group, count(*) FROM {LINES} GROUP BY log_group HAVING {GROUP}",
    "DISTINCT": f"SELECT * FROM (SELECT DISTINCT log_group FROM {LINES}) WHERE {GROUP}",
    "PARTITION BY of a window": f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY log_group, year) AS n FROM {LINES}) WHERE {GROUP}",
    "the WHERE below a window": f"SELECT row_number() OVER (PARTITION BY year) FROM {LINES} WHERE {GROUP}",
    "UNION": f"SELECT * FROM ({LINES} UNION ALL {LINES}) WHERE {GROUP}",
    "a join's equality": f"SELECT * FROM {LINES} AS a JOIN (VALUES 'x') AS v(x) ON a.{GROUP}",
    "an equality of two scans": f"SELECT * FROM {LINES} AS a JOIN {LINES} AS b ON a.log_group = b.log_group WHERE a.{GROUP}",
    "an equality in WHERE": f"SELECT * FROM {LINES} AS a, {LINES} AS b WHERE a.log_group = b.log_group AND b.{GROUP}",
    "what the other side says itself": f"SELECT * FROM {LINES} AS a JOIN (SELECT * FROM log_lines WHERE {GROUP}) AS b ON a.log_group = b.log_group",
    "from the preserved side of a join": f"SELECT * FROM {LINES} AS a LEFT JOIN {LINES} AS b ON a.log_group = b.log_group WHERE a.{GROUP}",
    "IN of a subquery": f"SELECT * FROM {LINES} WHERE log_group IN (SELECT log_group FROM manifests WHERE {GROUP} AND year = 2026)",
    "a view": "SELECT * FROM logs WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10",
}
REFUSED = {
    "nothing": "SELECT * FROM log_lines",
    "LIKE": "SELECT * FROM log_lines WHERE log_group LIKE '/aws/lambda/orders'",
    "a range": "SELECT * FROM log_lines WHERE log_group >= '/aws' AND log_group <= '/b'",
    "an inequality": "SELECT * FROM log_lines WHERE log_group <> '/x'",
    "OR of something else": f"SELECT * FROM log_lines WHERE {GROUP} OR year = 2026",
    "NOT": f"SELECT * FROM log_lines WHERE NOT ({GROUP})",
    "an expression": "SELECT * FROM log_lines WHERE lower(log_group) = '/aws/lambda/orders'",
    "another column": "SELECT * FROM log_lines WHERE message = '/aws/lambda/orders'",
    "an expression below": f"SELECT * FROM (SELECT lower(log_group) AS log_group FROM {LINES}) WHERE {GROUP}",
    "LIMIT": f"SELECT * FROM (SELECT * FROM {LINES} LIMIT 5) WHERE {GROUP}",
    "an aggregate": f"SELECT * FROM (SELECT max(log_group) AS log_group FROM {LINES}) WHERE {GROUP}",
    "a window without it": f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY year) AS n FROM {LINES}) WHERE {GROUP}",
    "one window of two without it": (
        f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY log_group) AS a, count(*) OVER () AS b FROM {LINES}) WHERE {GROUP}"
    ),
    "a condition on the other side of an outer join": (
        f"SELECT * FROM {LINES} AS a LEFT JOIN {LINES} AS b ON a.log_group = b.log_group AND b.{GROUP}"
    ),
    "a scalar subquery": "SELECT * FROM log_lines WHERE log_group = (SELECT max(log_group) FROM manifests WHERE year = 2026)",
    "one branch of UNION": f"SELECT * FROM log_lines WHERE {GROUP} UNION ALL SELECT * FROM log_lines",
    "one use of WITH": f"WITH lines AS {LINES} SELECT * FROM lines AS a, lines AS b WHERE a.{GROUP}",
    "a view without it": "SELECT * FROM logs WHERE year = 2026 AND month = 10",
}


class Constraints(unittest.TestCase):
    def setUp(self) -> None:
        self.archive = Archive()
        self.archive.manifest()
        self.archive.put(f"{ORDERS}task/main/000000.gz", "2026-10-05T00:00:00.123Z hello\n")

    def test_what_reaches_the_scan(self) -> None:
        for name, sql in REACH.items():
            with self.subTest(name):
                self.assertNotEqual(self.archive.rows(sql), [])

    def test_what_does_not(self) -> None:
        for name, sql in REFUSED.items():
            with self.subTest(name):
                self.assertEqual(self.archive.failure(sql), REFUSAL)

    def test_integer_partitions_are_pruned(self) -> None:
        other = self.archive.put("archive/log_group=/aws/lambda/orders/year=2026/month=11/task/main/000000.gz", "text\n")
        october = len(self.archive.s3.objects["bucket", f"{ORDERS}task/main/000000.gz"])
        for condition, scanned in {
            "year = 2026 AND month = 10": october,
            "year = 2026 AND month IN (10)": october,
            "year = 2026 AND month < 11": october,
            "year = 2026 AND 10 >= month": october,
            "year >= 2026 AND month BETWEEN 9 AND 10": october,
            "(year = 2026 AND month = 10) OR (year = 2027 AND month = 10)": october,
            "year > 2025": october + other,
            "year <> 2026": 0,
            "year = NULL": 0,
            # No condition on the columns one by one: everything is read.
            "year * 100 + month = 202610": october + other,
        }.items():
            with self.subTest(condition):
                answer = self.archive.query(f"SELECT message FROM log_lines WHERE {GROUP} AND ({condition})")
                self.assertEqual(answer.scanned, scanned)
