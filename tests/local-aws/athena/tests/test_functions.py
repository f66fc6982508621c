"""What expressions give, as Athena's documentation and Trino's have it; and what is refused instead of answered wrongly."""

import re
import unittest

from tests.archive import Archive

VALUES: dict[str, str | None] = {
    # Numbers
    "7 / 2": "3",
    "-7 / 2": "-3",
    "-7 % 3": "-1",
    "7 / 2e0": "3.5",
    "1e7": "1.0E7",
    "123456.75e0": "123456.75",
    "0.0001e0": "1.0E-4",
    "CAST(1 AS double)": "1.0",
    "CAST(2.5e0 AS bigint)": "3",
    "round(2.567e0, 1)": "2.6",
    "greatest(1, 3, 2)": "3",
    "greatest(1, NULL)": None,
    "least(2, 1)": "1",
    # Texts
    "'a' || 'b'": "ab",
    "'a' || NULL": None,
    "concat('a', 'b', 'c')": "abc",
    "concat('a', NULL)": None,
    "concat_ws('-', 'a', NULL, 'b')": "a-b",
    "length('日本')": "2",
    "substr('hello', 2)": "ello",
    "substr('hello', -3, 2)": "ll",
    "substr('hello', 0)": "",
    "substr('hello', -9)": "",
    "split('a/b/', '/')": "[a, b, ]",
    "split_part('a/b', '/', 2)": "b",
    "split_part('a/b', '/', 3)": None,
    "strpos('hello', 'l')": "3",
    "position('x' IN 'hello')": "0",
    "starts_with('hello', 'he')": "true",
    "replace('aXbX', 'X')": "ab",
    "trim('  a ')": "a",
    "lpad('7', 3, '0')": "007",
    "'a' LIKE 'A'": "false",
    "'50%' LIKE '50\\%' ESCAPE '\\'": "true",
    "format('%05d %s', 42, 'x')": "00042 x",
    "chr(10)": "\n",
    # Regular expressions
    "regexp_like('a ERROR b', '\\bERROR\\b')": "true",
    "regexp_like('a' || chr(10) || 'b', 'a.b')": "false",
    "regexp_extract('id=42', 'id=(\\d+)', 1)": "42",
    "regexp_extract('id=42', '(x)?id', 1)": None,
    "regexp_extract('none', '\\d+')": None,
    "regexp_extract_all('1a2', '\\d')": "[1, 2]",
    "regexp_replace('a1b2', '(\\d)', '<$1>')": "a<1>b<2>",
    "regexp_split('a, b', ',\\s*')": "[a, b]",
    "regexp_count('banana', 'a')": "3",
    # JSON
    """json_extract_scalar('{"a":{"b":[1,"x"]}}', '$.a.b[1]')""": "x",
    """json_extract_scalar('{"n":1.50}', '$.n')""": "1.50",
    """json_extract_scalar('{"a":true}', '$["a"]')""": "true",
    """json_extract_scalar('{"a":{}}', '$.a')""": None,
    """json_extract_scalar('{"a":null}', '$.a')""": None,
    "json_extract_scalar('no JSON', '$.a')": None,
    """json_extract('{"a": {"b": [1, "日"]}}', '$.a')""": '{"b":[1,"日"]}',
    """json_array_length('[1,2]')""": "2",
    """CAST(json_parse('"x"') AS varchar)""": "x",
    """CAST(json_extract('{"n": 5}', '$.n') AS bigint)""": "5",
    """CAST(json_parse('["a","b"]') AS array(varchar))""": "[a, b]",
    # Times
    "from_iso8601_timestamp('2026-10-05T00:00:00.123Z')": "2026-10-05 00:00:00.123 UTC",
    "CAST(from_iso8601_timestamp('2026-10-05T00:00:00.123Z') AS timestamp(3))": "2026-10-05 00:00:00.123",
    "from_iso8601_timestamp('2026-10-05T00:00:00Z') AT TIME ZONE 'Asia/Tokyo'": "2026-10-05 09:00:00.000 Asia/Tokyo",
    "at_timezone(TIMESTAMP '2026-10-05 00:00:00', 'Asia/Tokyo')": "2026-10-05 09:00:00.000 Asia/Tokyo",
    "with_timezone(TIMESTAMP '2026-10-05 00:00:00', 'Asia/Tokyo')": "2026-10-05 00:00:00.000 Asia/Tokyo",
    "with_timezone(TIMESTAMP '2026-10-05 00:00:00', 'Asia/Tokyo') AT TIME ZONE 'UTC'": "2026-10-04 15:00:00.000 UTC",
    "TIMESTAMP '2026-10-05 00:00:00 Asia/Tokyo' = TIMESTAMP '2026-10-04 15:00:00 UTC'": "true",
    "TIMESTAMP '2026-10-05 00:00:00' = TIMESTAMP '2026-10-05 00:00:00 UTC'": "true",
    "CAST(TIMESTAMP '2026-10-04 15:00:00 UTC' AT TIME ZONE 'Asia/Tokyo' AS date)": "2026-10-05",
    "hour(TIMESTAMP '2026-10-04 15:30:00 UTC' AT TIME ZONE 'Asia/Tokyo')": "0",
    "EXTRACT(MINUTE FROM TIMESTAMP '2026-10-04 15:30:00')": "30",
    "date_trunc('day', TIMESTAMP '2026-10-04 15:30:00 UTC' AT TIME ZONE 'Asia/Tokyo')": "2026-10-05 00:00:00.000 Asia/Tokyo",
    "date_trunc('month', DATE '2026-10-05')": "2026-10-01",
    "date_trunc('hour', TIMESTAMP '2026-10-05 01:59:59.999')": "2026-10-05 01:00:00.000",
    "date_add('month', 1, DATE '2026-01-31')": "2026-02-28",
    "date_add('hour', -2, TIMESTAMP '2026-01-01 01:00:00')": "2025-12-31 23:00:00.000",
    "DATE '2026-10-05' + INTERVAL '1' MONTH": "2026-11-05",
    "TIMESTAMP '2026-10-05 00:00:00' - TIMESTAMP '2026-10-03 22:30:00.5'": "1 01:29:59.500",
    # Whole days, not midnights.
    "date_diff('day', TIMESTAMP '2026-10-05 10:00:00', TIMESTAMP '2026-10-06 09:00:00')": "0",
    "date_diff('month', DATE '2026-01-15', DATE '2026-03-14')": "1",
    "date_parse('05/10/2026 07:08:09', '%d/%m/%Y %H:%i:%s')": "2026-10-05 07:08:09.000",
    "date_format(TIMESTAMP '2026-10-05 07:08:09.123', '%Y-%m-%d %H:%i:%s.%f')": "2026-10-05 07:08:09.123000",
    "format_datetime(TIMESTAMP '2026-10-05 07:08:09.123', 'yyyy-MM-dd''T''HH:mm:ss.SSS')": "2026-10-05T07:08:09.123",
    "to_iso8601(from_iso8601_timestamp('2026-10-05T00:00:00Z'))": "2026-10-05T00:00:00.000Z",
    "from_unixtime(1790780400)": "2026-09-30 15:00:00.000 UTC",
    "to_unixtime(TIMESTAMP '1970-01-01 00:00:01.500')": "1.5",
    "day_of_week(DATE '2026-10-05')": "1",
    "CAST(TIMESTAMP '2026-10-05 00:00:00' AS varchar)": "2026-10-05 00:00:00.000",
    "current_date = CAST(now() AS date)": "true",
    # Arrays, maps, rows
    "ARRAY[1, 2][2]": "2",
    "element_at(ARRAY[1, 2], -1)": "2",
    "element_at(ARRAY[1, 2], 3)": None,
    "element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')": None,
    "MAP(ARRAY['a'], ARRAY[1])": "{a=1}",
    "cardinality(ARRAY[])": "0",
    "contains(ARRAY['a'], 'a')": "true",
    "array_join(ARRAY['a', NULL, 'b'], ',')": "a,b",
    "array_join(ARRAY['a', NULL, 'b'], ',', '?')": "a,?,b",
    "filter(ARRAY[1, 2, 3], x -> x > 1)": "[2, 3]",
    "transform(ARRAY['a'], x -> upper(x))": "[A]",
    "any_match(ARRAY[1, 2], x -> x = 2)": "true",
    "sequence(1, 3)": "[1, 2, 3]",
    "sequence(DATE '2026-10-01', DATE '2026-10-03')": "[2026-10-01, 2026-10-02, 2026-10-03]",
    "sequence(DATE '2026-01-01', DATE '2026-03-01', INTERVAL '1' MONTH)": "[2026-01-01, 2026-02-01, 2026-03-01]",
    "CAST(ROW(1, 'x') AS ROW(a integer, b varchar)).b": "x",
    # Conditions
    "IF(1 > 2, 'a')": None,
    "CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END": "b",
    "COALESCE(NULL, 'x')": "x",
    "NULLIF(1, 1)": None,
    "TRY(1 / 0)": None,
    "TRY(CAST('x' AS integer))": None,
    "TRY(from_iso8601_timestamp('2026-99-99T00:00:00.000Z'))": None,
    "TRY_CAST('2026-10-05T00:00:00' AS timestamp)": None,
    "1 IS DISTINCT FROM NULL": "true",
    "1 IN (2, NULL)": None,
}
FAILURES = {
    "1 / 0": "DIVISION_BY_ZERO: Division by zero",
    "ARRAY[1][2]": "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 2 > 1",
    "CAST('1.5' AS integer)": "INVALID_CAST_ARGUMENT: Cannot cast value to INTEGER: 1.5",
    # Athena does not take ISO 8601 for a timestamp.
    "CAST('2026-10-05T00:00:00' AS timestamp)": "INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: 2026-10-05T00:00:00",
    "1 = '1'": "TYPE_MISMATCH: Cannot apply operator: integer = varchar(1)",
    "DATE '2026-10-05' = '2026-10-05'": "TYPE_MISMATCH: Cannot apply operator: date = varchar(10)",
    "1 || 'a'": "FUNCTION_NOT_FOUND: Unexpected parameters (integer, varchar(1)) for function concat",
    "lower(1)": "FUNCTION_NOT_FOUND: Unexpected parameters (integer) for function lower",
    "json_parse('{')": "INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: '{'",
    "regexp_extract('a', 'a', 1)": "INVALID_FUNCTION_ARGUMENT: Pattern has 0 groups. Cannot access group 1",
    "url_decode('x')": "NOT_SUPPORTED: the function url_decode is not supported by the local Athena",
    "reduce(ARRAY[1], 0, (s, x) -> s + x, s -> s)": "NOT_SUPPORTED: the function reduce is not supported by the local Athena",
    "date_format(now(), '%v')": "NOT_SUPPORTED: %v in the format %v is not supported by the local Athena",
    "regexp_like('a', '\\p{L}')": "NOT_SUPPORTED: \\p in the regular expression \\p{L} is not supported by the local Athena",
    "json_extract('{}', '$..a')": "NOT_SUPPORTED: the JSON path $..a is not supported by the local Athena",
    "IF(true, TIMESTAMP '2026-10-05 00:00:00 UTC', TIMESTAMP '2026-10-05 00:00:00 Asia/Tokyo')": (
        "NOT_SUPPORTED: a value that can have different time zones (Asia/Tokyo, UTC) is not supported by the local Athena"
    ),
    "from_iso8601_timestamp('2026-10-05T00:00:00+09:00')": (
        "INVALID_FUNCTION_ARGUMENT: Invalid format, or one with an offset, which the local Athena does not support: 2026-10-05T00:00:00+09:00"
    ),
}
AGGREGATES = {
    "count(*)": "4",
    "count(t)": "3",
    "count(DISTINCT t)": "2",
    "count_if(n > 2)": "2",
    "sum(n)": "10",
    "sum(n) / 4": "2",
    "avg(n)": "2.5",
    "min(t)": "a",
    "max_by(t, n)": "b",
    "array_agg(t ORDER BY n DESC)": "[b, a, null, a]",
    "listagg(t, ',') WITHIN GROUP (ORDER BY n DESC)": "b,a,a",
    "approx_distinct(t)": "2",
    "sum(n) FILTER (WHERE t = 'a')": "4",
    "bool_or(n > 3)": "true",
    "array_join(array_agg(t ORDER BY n), chr(10))": "a\na\nb",
}


class Functions(unittest.TestCase):
    def setUp(self) -> None:
        self.archive = Archive()

    def test_values(self) -> None:
        for expression, expected in VALUES.items():
            with self.subTest(expression):
                self.assertEqual(self.archive.value(expression), expected)

    def test_failures(self) -> None:
        for expression, expected in FAILURES.items():
            with self.subTest(expression):
                message = self.archive.failure(f"SELECT {expression}")
                # Where in the text is for whole queries to say.
                self.assertEqual(re.sub(r"line 1:\d+: ", "", message), expected)

    def test_aggregates(self) -> None:
        for expression, expected in AGGREGATES.items():
            with self.subTest(expression):
                rows = self.archive.rows(f"SELECT {expression} FROM (VALUES (1, 'a'), (2, NULL), (3, 'a'), (4, 'b')) AS v(n, t)")
                self.assertEqual(rows, [[expected]])

    def test_types(self) -> None:
        for expression, expected in {
            "sum(1)": "bigint",
            "count(*)": "bigint",
            "length('a')": "bigint",
            "year(now())": "bigint",
            "1": "integer",
            "1.5": "decimal(2,1)",
            "now()": "timestamp(3) with time zone",
            "json_parse('1')": "json",
            "1 = 1": "boolean",
            "date_diff('day', now(), now())": "bigint",
            "ARRAY[ROW(1)]": "array(row(field0 integer))",
        }.items():
            with self.subTest(expression):
                self.assertEqual(self.archive.query(f"SELECT {expression}").columns[0][1], expected)
