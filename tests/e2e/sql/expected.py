"""What each file of infra/athena answers on the archive of sample_archive.py, written down by hand.

Values are the text that Athena answers with; None is NULL. Columns and rows are in order.
"""

import sample_archive as a

LOST_BEGINNING = "\tat com.example.Lost.beginning(Lost.java:1)\nfurther text"
TIMED_OUT = "ERROR order 4712: Task timed out after 3.00 seconds"
TIMED_OUT_B = "ERROR order 4713: Task timed out after 6.00 seconds"
REFUSED_TWICE = "connection refused\nand again: Connection refused"
SAME_TIME = "the same time as in another object"

# The events of orders' October in time order: (UTC, Tokyo, log stream, message, lines).
ORDERS_IN_TIME_ORDER = [
    (None, None, a.STREAM_A, LOST_BEGINNING, "2"),
    ("2026-09-30 15:00:00.000", "2026-10-01 00:00:00.000", a.STREAM_A, "the first millisecond of October in Tokyo", "1"),
    ("2026-10-05 01:00:00.000", "2026-10-05 10:00:00.000", a.STREAM_A, a.STACK_TRACE, "5"),
    ("2026-10-05 01:04:00.000", "2026-10-05 10:04:00.000", a.STREAM_B, a.REPORT_SHORT, "1"),
    ("2026-10-05 01:05:00.000", "2026-10-05 10:05:00.000", a.STREAM_B, a.REPORT_WARM, "1"),
    ("2026-10-05 01:05:00.000", "2026-10-05 10:05:00.000", a.STREAM_B, TIMED_OUT_B, "1"),
    ("2026-10-05 01:05:00.000", "2026-10-05 10:05:00.000", a.STREAM_B, REFUSED_TWICE, "2"),
    ("2026-10-05 01:10:00.000", "2026-10-05 10:10:00.000", a.STREAM_A, a.JSON_INFO, "1"),
    ("2026-10-05 01:20:00.000", "2026-10-05 10:20:00.000", a.STREAM_A, a.JSON_ERROR, "1"),
    ("2026-10-05 01:20:00.000", "2026-10-05 10:20:00.000", a.STREAM_A, SAME_TIME, "1"),
    ("2026-10-05 01:25:00.000", "2026-10-05 10:25:00.000", a.STREAM_A, a.JSON_BROKEN, "1"),
    ("2026-10-05 01:30:00.000", "2026-10-05 10:30:00.000", a.STREAM_A, TIMED_OUT, "1"),
    ("2026-10-06 02:00:00.000", "2026-10-06 11:00:00.000", a.STREAM_A, "", "1"),
    ("2026-10-06 02:00:01.000", "2026-10-06 11:00:01.000", a.STREAM_A, "\ttab\tseparated\t", "1"),
    ("2026-10-06 02:00:02.000", "2026-10-06 11:00:02.000", a.STREAM_A, "注文を受け付けました 🍣", "1"),
    ("2026-10-06 02:00:03.000", "2026-10-06 11:00:03.000", a.STREAM_A, "from Windows\nof two lines", "2"),
    ("2026-10-06 02:00:04.000", "2026-10-06 11:00:04.000", a.STREAM_A, "since 2026-10-01T00:00:00.000Z nothing", "1"),
    ("2026-10-06 02:00:05.000", "2026-10-06 11:00:05.000", a.STREAM_A, "2026-10-05T23:00:00.000Z replayed", "1"),
    ("2026-10-06 02:00:06.000", "2026-10-06 11:00:06.000", a.STREAM_A, a.LOOKS_LIKE_TIMES, "5"),
    ("2026-10-06 02:00:07.000", "2026-10-06 11:00:07.000", a.STREAM_A, a.LINE_SEPARATOR, "1"),
    ("2026-10-06 02:00:08.000", "2026-10-06 11:00:08.000", a.STREAM_A, "progress 10%\nprogress 100%", "2"),
    ("2026-10-06 15:30:00.000", "2026-10-07 00:30:00.000", a.STREAM_B, a.REPORT_COLD, "1"),
    ("2026-10-07 03:00:00.000", "2026-10-07 12:00:00.000", a.STREAM_A, a.LONG_MESSAGE, "1"),
    ("2026-10-31 14:59:59.999", "2026-10-31 23:59:59.999", a.STREAM_A, "FATAL the last millisecond of October in Tokyo", "1"),
]

_DESTINATION = f"{a.PREFIX}/log_group={a.ORDERS}/year=2026/month=10"
_FOLDER = f"s3://{a.BUCKET}/{_DESTINATION}/{a.TASK}"
OBJECT_A0 = f"{_FOLDER}/{a.STREAM_A}/000000.gz"
OBJECT_A1 = f"{_FOLDER}/{a.STREAM_A}/000001.gz"
OBJECT_B0 = f"{_FOLDER}/{a.STREAM_B}/000000.gz"

LOGS_COLUMNS = "task_id log_stream object line event_time message is_continuation log_group year month"


def _logs(object_, stream, lines):
    return [
        (a.TASK, stream, object_, str(number), time, message, "true" if time is None else "false", a.ORDERS, "2026", "10")
        for number, (time, message) in enumerate(lines, start=1)
    ]


# The rows of view logs for orders' October, by object and line.
LOGS = [
    *_logs(
        OBJECT_A0,
        a.STREAM_A,
        [
            ("2026-09-30 15:00:00.000", "the first millisecond of October in Tokyo"),
            ("2026-10-05 01:00:00.000", "ERROR order 4711: java.net.ConnectException: Connection Refused"),
            (None, "\tat com.example.Orders.reserve(Orders.java:42)"),
            (None, "\tat com.example.Orders.handle(Orders.java:17)"),
            (None, ""),
            (None, "Caused by: java.lang.IllegalStateException: 在庫がありません"),
            ("2026-10-05 01:10:00.000", a.JSON_INFO),
            ("2026-10-05 01:20:00.000", a.JSON_ERROR),
            ("2026-10-05 01:25:00.000", a.JSON_BROKEN),
            ("2026-10-05 01:30:00.000", TIMED_OUT),
            ("2026-10-06 02:00:00.000", ""),
            ("2026-10-06 02:00:01.000", "\ttab\tseparated\t"),
            ("2026-10-06 02:00:02.000", "注文を受け付けました 🍣"),
            ("2026-10-06 02:00:03.000", "from Windows"),
            (None, "of two lines"),
            ("2026-10-06 02:00:04.000", "since 2026-10-01T00:00:00.000Z nothing"),
            ("2026-10-06 02:00:05.000", "2026-10-05T23:00:00.000Z replayed"),
            ("2026-10-06 02:00:06.000", "retries:"),
            (None, "2026-10-06 02:00:06 has no T"),
            (None, "2026-10-06T02:00:06Z has no milliseconds"),
            (None, " 2026-10-06T02:00:06.000Z is indented"),
            (None, "2026-13-45T99:99:99.999Z is no time"),
            ("2026-10-06 02:00:07.000", a.LINE_SEPARATOR),
            ("2026-10-06 02:00:08.000", "progress 10%"),
            (None, "progress 100%"),
            ("2026-10-07 03:00:00.000", a.LONG_MESSAGE),
            ("2026-10-31 14:59:59.999", "FATAL the last millisecond of October in Tokyo"),
        ],
    ),
    *_logs(
        OBJECT_A1,
        a.STREAM_A,
        [(None, "\tat com.example.Lost.beginning(Lost.java:1)"), (None, "further text"), ("2026-10-05 01:20:00.000", SAME_TIME)],
    ),
    *_logs(
        OBJECT_B0,
        a.STREAM_B,
        [
            ("2026-10-06 15:30:00.000", a.REPORT_COLD),
            ("2026-10-05 01:04:00.000", a.REPORT_SHORT),
            ("2026-10-05 01:05:00.000", a.REPORT_WARM),
            ("2026-10-05 01:05:00.000", TIMED_OUT_B),
            ("2026-10-05 01:05:00.000", "connection refused"),
            (None, "and again: Connection refused"),
        ],
    ),
]


EVENTS_COLUMNS = "event_time message lines line task_id log_stream object log_group year month"
# Where each event of ORDERS_IN_TIME_ORDER begins.
_PLACES = [
    (OBJECT_A1, "1"), (OBJECT_A0, "1"), (OBJECT_A0, "2"), (OBJECT_B0, "2"), (OBJECT_B0, "3"), (OBJECT_B0, "4"),
    (OBJECT_B0, "5"), (OBJECT_A0, "7"), (OBJECT_A0, "8"), (OBJECT_A1, "3"), (OBJECT_A0, "9"), (OBJECT_A0, "10"),
    (OBJECT_A0, "11"), (OBJECT_A0, "12"), (OBJECT_A0, "13"), (OBJECT_A0, "14"), (OBJECT_A0, "16"), (OBJECT_A0, "17"),
    (OBJECT_A0, "18"), (OBJECT_A0, "23"), (OBJECT_A0, "24"), (OBJECT_B0, "1"), (OBJECT_A0, "26"), (OBJECT_A0, "27"),
]  # fmt: skip
EVENTS = [
    (utc, message, lines, line, a.TASK, stream, object_, a.ORDERS, "2026", "10")
    for (utc, _, stream, message, lines), (object_, line) in zip(ORDERS_IN_TIME_ORDER, _PLACES, strict=True)
]

_ARCHIVE = a.build()


def _characters(stream):
    return str(sum(len(row[5] or "") for row in LOGS if row[1] == stream))


def _size(log_group, year, month, exports, objects, *prefixes):
    path = f"/log_group={log_group}/year={year}/month={int(month):02}/"
    size = sum(_ARCHIVE.size(f"{prefix}{path}{task}") for prefix, task in (p.split(" ") for p in prefixes))
    return (log_group, year, month, exports, objects, str(size), "0.0")


_SINCE = "2026-11-01T04:00:01Z"


def _places(log_group):
    return f"{a.PREFIX}/log_group={log_group}/year={{year}}/month={{month}}"


# The saved queries that answer with rows, by file: columns and rows.
QUERIES = {
    "events-in-time-order.sql": (
        "event_time_utc event_time_jst log_stream message",
        [(utc, jst, stream, message) for utc, jst, stream, message, _ in ORDERS_IN_TIME_ORDER],
    ),
    "events-between.sql": (
        "event_time_utc event_time_jst log_stream message",
        # From the stack trace up to, and without, the one at 01:30.
        [(utc, jst, stream, message) for utc, jst, stream, message, _ in ORDERS_IN_TIME_ORDER[2:11]],
    ),
    "full-text-search.sql": (
        "event_time log_stream message",
        [("2026-10-05 01:00:00.000", a.STREAM_A, a.STACK_TRACE), ("2026-10-05 01:05:00.000", a.STREAM_B, REFUSED_TWICE)],
    ),
    "json-fields.sql": (
        "event_time level request_id error_code duration_ms log_stream message",
        [
            ("2026-10-05 01:10:00.000", "INFO", a.REQUEST_ID, None, "12.5", a.STREAM_A, a.JSON_INFO),
            ("2026-10-05 01:20:00.000", "ERROR", a.OTHER_REQUEST_ID, "E42", None, a.STREAM_A, a.JSON_ERROR),
        ],
    ),
    "errors-per-hour.sql": (
        "hour_utc hour_jst errors",
        [("2026-10-05 01:00:00.000", "2026-10-05 10:00:00.000", "5"), ("2026-10-31 14:00:00.000", "2026-10-31 23:00:00.000", "1")],
    ),
    "errors-per-day-utc.sql": (
        "day_utc events errors",
        [(None, "1", "0"), ("2026-09-30", "1", "0"), ("2026-10-05", "10", "5"),
         ("2026-10-06", "10", "0"), ("2026-10-07", "1", "0"), ("2026-10-31", "1", "1")],
    ),  # fmt: skip
    "errors-per-day-jst.sql": (
        "day_jst events errors",
        [(None, "1", "0"), ("2026-10-01", "1", "0"), ("2026-10-05", "10", "5"),
         ("2026-10-06", "9", "0"), ("2026-10-07", "2", "0"), ("2026-10-31", "1", "1")],
    ),  # fmt: skip
    "request-across-log-groups.sql": (
        "event_time log_group log_stream message",
        [
            ("2026-10-05 01:05:00.000", a.ORDERS, a.STREAM_B, a.REPORT_WARM),
            ("2026-10-05 01:05:00.000", a.PAYMENTS, "payments-1", f"charged, request {a.REQUEST_ID}"),
            ("2026-10-05 01:10:00.000", a.ORDERS, a.STREAM_A, a.JSON_INFO),
        ],
    ),
    "multi-line-events.sql": (
        "event_time lines log_stream message",
        [
            (None, "2", a.STREAM_A, LOST_BEGINNING),
            ("2026-10-05 01:00:00.000", "5", a.STREAM_A, a.STACK_TRACE),
            ("2026-10-05 01:05:00.000", "2", a.STREAM_B, REFUSED_TWICE),
            ("2026-10-06 02:00:03.000", "2", a.STREAM_A, "from Windows\nof two lines"),
            ("2026-10-06 02:00:06.000", "5", a.STREAM_A, a.LOOKS_LIKE_TIMES),
            ("2026-10-06 02:00:08.000", "2", a.STREAM_A, "progress 10%\nprogress 100%"),
        ],
    ),
    "archive-size.sql": (
        "log_group year month exports objects bytes mib",
        [
            # Two exports: one below the archive's prefix, one below an entry's own. The failed one is none.
            _size(a.ORDERS, "2026", "10", "2", "4", f"{a.PREFIX} {a.TASK}", f"{a.OTHER_PREFIX} c0ffee"),
            _size(a.ORDERS, "2026", "11", "1", "1", f"{a.PREFIX} b3f1"),
            _size(f"{a.ORDERS}-dev", "2026", "10", "1", "1", f"{a.PREFIX} b3f1"),
            _size(a.PAYMENTS, "2026", "8", "1", "1", f"{a.PREFIX} d00d"),
            (a.PAYMENTS, "2026", "9", "1", "0", "0", "0.0"),
            _size(a.PAYMENTS, "2026", "10", "1", "1", f"{a.PREFIX} d00d"),
            _size(a.BATCH, "2026", "2", "1", "1", f"{a.PREFIX} ba7c"),
            # What is left of a month with lost events. One that is wholly lost has no row.
            _size(a.BATCH, "2026", "6", "1", "1", f"{a.PREFIX} ba7c"),
            _size(a.BATCH, "2026", "10", "1", "1", f"{a.PREFIX} ba7c"),
            # In two windows. A month that was skipped, and one whose manifest is of schema 1, have no row.
            _size(a.NIGHTLY, "2026", "10", "2", "2", f"{a.PREFIX} ce5e"),
            _size(a.WEB, "2026", "4", "1", "1", f"{a.PREFIX} 1ac0"),
            _size(a.WEB, "2026", "11", "1", "1", f"{a.OTHER_PREFIX} feed"),
        ],
    ),
    "incomplete-months.sql": (
        "log_group year month from_utc complete_from_utc to_utc outcome objects destination_prefix",
        [
            (a.WEB, "2026", "4", "2026-03-31 15:00:00.000", "2026-04-10 15:00:00.000", "2026-04-30 14:59:59.999", "exported", "1",
             f"{a.PREFIX}/log_group={a.WEB}/year=2026/month=04"),
        ],
    ),
    "missing-months.sql": (
        "month log_group log_stream_name_prefix outcome error message since tries from_utc to_utc destination blocked_by",
        [
            ("2026-11", a.BATCH, None, "failed", "SmallerExport", "fewer bytes\nof two lines", _SINCE, "3",
             "2026-10-31 15:00:00.000", "2026-11-30 14:59:59.999", _places(a.BATCH), "f00d"),
            # Two windows of a month, by time.
            ("2026-11", a.NIGHTLY, None, "not_asked", None, "no entry names it", _SINCE, "1",
             "2026-10-31 15:00:00.000", "2026-11-10 14:59:59.999", _places(a.NIGHTLY), None),
            ("2026-11", a.NIGHTLY, "prod/", "failed", "AccessDenied", "not authorized", _SINCE, "1",
             "2026-11-10 15:00:00.000", "2026-11-30 14:59:59.999", _places(a.NIGHTLY), None),
            ("2026-12", a.ORDERS, None, "waiting", "RunTimeOver", "not authorized", "2027-01-01T04:00:02Z", "0",
             "2026-11-30 15:00:00.000", "2026-12-31 14:59:59.999", _places(a.ORDERS), None),
        ],
    ),  # fmt: skip
    "busiest-streams.sql": (
        "log_stream events lines characters first_event last_event",
        [
            (a.STREAM_A, "18", "30", _characters(a.STREAM_A), "2026-09-30 15:00:00.000", "2026-10-31 14:59:59.999"),
            (a.STREAM_B, "5", "6", _characters(a.STREAM_B), "2026-10-05 01:04:00.000", "2026-10-06 15:30:00.000"),
        ],
    ),
    "top-error-messages.sql": (
        "first_line errors first_seen last_seen",
        [
            ("ERROR order #: Task timed out after #.# seconds", "2", "2026-10-05 01:05:00.000", "2026-10-05 01:30:00.000"),
            ("ERROR order #: java.net.ConnectException: Connection Refused", "1", "2026-10-05 01:00:00.000", "2026-10-05 01:00:00.000"),
            ("FATAL the last millisecond of October in Tokyo", "1", "2026-10-31 14:59:59.999", "2026-10-31 14:59:59.999"),
            (a.JSON_BROKEN, "1", "2026-10-05 01:25:00.000", "2026-10-05 01:25:00.000"),
            ('{"level":"ERROR","requestId":"#","error":{"code":"E#"},"durationMs":"n/a"}', "1", "2026-10-05 01:20:00.000", "2026-10-05 01:20:00.000"),
        ],
    ),
    "lambda-invocations.sql": (
        "day_jst invocations cold_starts average_ms longest_ms most_memory_mb",
        [("2026-10-05", "2", "0", "80.5", "120.5", "62"), ("2026-10-07", "1", "1", "80.3", "80.3", "64")],
    ),
}

# The files that change something; test_queries.py says what, one test for each step.
STATEMENTS = ["events-from-parquet.sql", "table-for-another-prefix.sql", "view-for-another-prefix.sql"]
