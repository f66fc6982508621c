"""A small archive, laid out as exports lay it out, with everything in it that the SQL must get right.

Names and months are those that the queries in infra/athena have for examples. Two log groups carry the weight:

* `/aws/lambda/orders`, October 2026, has every kind of message, an older export beside the one that counts, and another
  export of some of its streams below another prefix.
* `/ecs/batch` has months that are lost, and open windows of every outcome.
* `/ecs/nightly`, October 2026, was exported in two windows, because the time zone of the runs changed.
"""

import gzip
import hashlib
import json
from datetime import datetime
from zoneinfo import ZoneInfo

BUCKET = "log-archive"
PREFIX = "cloudwatch-logs"
OTHER_PREFIX = "web"

ORDERS = "/aws/lambda/orders"
PAYMENTS = "/aws/lambda/payments"
WEB = "/ecs/web"
BATCH = "/ecs/batch"
NIGHTLY = "/ecs/nightly"

REQUEST_ID = "6f1f5d3a-2b1c-4c55-9a51-0d6f6f2c7b10"
OTHER_REQUEST_ID = "0b0c7a54-5b0a-4a53-8f0e-1f2e3d4c5b6a"
LONG_MESSAGE = "x" * 1_048_576

# The export of orders' October that counts, and an earlier one that failed half-way.
TASK = "b3f1c7d2-0000-4000-8000-000000000010"
FAILED_TASK = "0a1b2c3d-0000-4000-8000-000000000010"
# Of a manifest of schema 1, which nothing reads.
OLD_TASK = "01d00000-0000-4000-8000-000000000010"
# Of nightly's October: the month in Tokyo, and the hours that it has more in UTC.
TOKYO_TASK = "ce5e0000-0000-4000-8000-000000000010"
UTC_TASK = "ce5e0000-0000-4000-8000-000000000011"
# Of web's April, whose beginning was gone before it was exported.
INCOMPLETE_TASK = "1ac0e000-0000-4000-8000-000000000004"
STREAM_A = "2026-10-05-[$LATEST]aaaaaaaaaaaa"
STREAM_B = "2026-10-06-[$LATEST]bbbbbbbbbbbb"

STACK_TRACE = (
    "ERROR order 4711: java.net.ConnectException: Connection Refused\n"
    "\tat com.example.Orders.reserve(Orders.java:42)\n"
    "\tat com.example.Orders.handle(Orders.java:17)\n"
    "\n"
    "Caused by: java.lang.IllegalStateException: 在庫がありません"
)
LOOKS_LIKE_TIMES = (
    "retries:\n"
    "2026-10-06 02:00:06 has no T\n"
    "2026-10-06T02:00:06Z has no milliseconds\n"
    " 2026-10-06T02:00:06.000Z is indented\n"
    "2026-13-45T99:99:99.999Z is no time"
)
JSON_INFO = f'{{"level":"INFO","requestId":"{REQUEST_ID}","durationMs":12.5}}'
JSON_ERROR = f'{{"level":"ERROR","requestId":"{OTHER_REQUEST_ID}","error":{{"code":"E42"}},"durationMs":"n/a"}}'
JSON_BROKEN = '{"level":"ERROR", broken'
REPORT_WARM = f"REPORT RequestId: {REQUEST_ID}\tDuration: 120.50 ms\tBilled Duration: 121 ms\tMemory Size: 128 MB\tMax Memory Used: 61 MB\t"
REPORT_SHORT = f"REPORT RequestId: {OTHER_REQUEST_ID}\tDuration: 40.50 ms\tBilled Duration: 41 ms\tMemory Size: 128 MB\t" "Max Memory Used: 62 MB\t"
REPORT_COLD = (
    f"REPORT RequestId: {OTHER_REQUEST_ID}\tDuration: 80.30 ms\tBilled Duration: 81 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 64 MB\tInit Duration: 210.03 ms\t"
)
LINE_SEPARATOR = "U+2028\u2028is no end of a line, nor is U+0085\u0085"


def event(time, message, end="\n"):
    """An event as an export writes it: the message as it is, ends of lines within it included."""
    return f"{time} {message}{end}"


# As they lie in the first object of stream A: not in time order, which CloudWatch does not promise either.
ORDERS_A0 = [
    event("2026-09-30T15:00:00.000Z", "the first millisecond of October in Tokyo"),
    event("2026-10-05T01:00:00.000Z", STACK_TRACE),
    event("2026-10-05T01:10:00.000Z", JSON_INFO),
    event("2026-10-05T01:20:00.000Z", JSON_ERROR),
    event("2026-10-05T01:25:00.000Z", JSON_BROKEN),
    event("2026-10-05T01:30:00.000Z", "ERROR order 4712: Task timed out after 3.00 seconds"),
    event("2026-10-06T02:00:00.000Z", ""),
    event("2026-10-06T02:00:01.000Z", "\ttab\tseparated\t"),
    event("2026-10-06T02:00:02.000Z", "注文を受け付けました 🍣"),
    event("2026-10-06T02:00:03.000Z", "from Windows\r\nof two lines", end="\r\n"),
    event("2026-10-06T02:00:04.000Z", "since 2026-10-01T00:00:00.000Z nothing"),
    event("2026-10-06T02:00:05.000Z", "2026-10-05T23:00:00.000Z replayed"),
    event("2026-10-06T02:00:06.000Z", LOOKS_LIKE_TIMES),
    event("2026-10-06T02:00:07.000Z", LINE_SEPARATOR),
    event("2026-10-06T02:00:08.000Z", "progress 10%\rprogress 100%"),
    event("2026-10-07T03:00:00.000Z", LONG_MESSAGE),
    event("2026-10-31T14:59:59.999Z", "FATAL the last millisecond of October in Tokyo"),
]
# The second object begins within a message: whose, nobody knows.
ORDERS_A1 = ["\tat com.example.Lost.beginning(Lost.java:1)\nfurther text\n", event("2026-10-05T01:20:00.000Z", "the same time as in another object")]
ORDERS_B0 = [
    event("2026-10-06T15:30:00.000Z", REPORT_COLD),
    event("2026-10-05T01:04:00.000Z", REPORT_SHORT),
    event("2026-10-05T01:05:00.000Z", REPORT_WARM),
    event("2026-10-05T01:05:00.000Z", "ERROR order 4713: Task timed out after 6.00 seconds"),
    event("2026-10-05T01:05:00.000Z", "connection refused\nand again: Connection refused"),
]


class Archive:
    """Keys and bodies of the bucket's objects."""

    def __init__(self, prefix=PREFIX):
        """`prefix`: where the stack has its archive; empty for the bucket's root."""
        self.prefix = prefix
        self.objects = {}

    def export(self, log_group, month, task_id, streams, prefix=None, counts=True, **changes):
        """One export: per log stream its objects, per object its events. Only one that counts has a manifest.

        `prefix` is that of an entry which has its own, `changes` are the manifest's.
        """
        destination = self.destination(log_group, month, prefix)
        self.objects[f"{destination}/aws-logs-write-test"] = b"Permission Check Successful"
        objects = {
            f"{destination}/{task_id}/{stream}/{number:06}.gz": gzip.compress("".join(events).encode(), mtime=0)
            for stream, contents in streams.items()
            for number, events in enumerate(contents)
        }
        self.objects.update(objects)
        if counts:
            counted = {
                "outcome": "exported" if objects else "empty",
                "task_id": task_id,
                "objects": len(objects),
                "hidden_objects": sum(len(contents) for stream, contents in streams.items() if stream.startswith(("_", "."))),
                "bytes": sum(map(len, objects.values())),
            }
            self.manifest(log_group, month, prefix, **counted | changes)

    def manifest(self, log_group, month, prefix=None, **changes):
        """What became of a window: the whole month in Tokyo, and skipped, unless the changes say otherwise."""
        destination = self.destination(log_group, month, prefix)
        row = {
            "schema_version": 2,
            "outcome": "skipped",
            "reason": None,
            "account": "111122223333",
            "region": "ap-northeast-1",
            "bucket": BUCKET,
            "log_group": log_group,
            "log_stream_name_prefix": None,
            "timezone": "Asia/Tokyo",
            "window_from": month_begins(month),
            "window_to": month_begins(month, later=1) - 1,
            "complete_from": None,
            "destination_prefix": destination,
            "task_id": None,
            "objects": 0,
            "hidden_objects": 0,
            "bytes": 0,
            "digest": hashlib.sha256(b"").hexdigest(),
            "created": "2026-11-01T04:00:01Z",
            "completed": "2026-11-01T04:03:21Z",
            "execution": None,
            "warnings": [{"name": "RetentionShorterThanMonth", "message": "a text"}],
        } | changes
        place = hashlib.sha256(destination.encode()).hexdigest()[:32]
        name = f"{place}-{row['window_from']}-{row['window_to']}.json"
        key = f"{_slash(self.prefix)}manifests/year={month[:4]}/month={month[5:]}/{name}"
        self.objects[key] = (json.dumps(row) + "\n").encode()

    def open_window(self, log_group, month, **changes):
        """The whole month in Tokyo, whose export was refused, unless the changes say otherwise."""
        item = {
            "schema_version": 1,
            "outcome": "failed",
            "error": "AccessDenied",
            "message": "not authorized",
            "account": "111122223333",
            "region": "ap-northeast-1",
            "bucket": BUCKET,
            "log_group": log_group,
            "log_stream_name_prefix": None,
            "destination": f"{_slash(self.prefix)}log_group={log_group}/year={{year}}/month={{month}}",
            "timezone": "Asia/Tokyo",
            "month": month,
            "window_from": month_begins(month),
            "window_to": month_begins(month, later=1) - 1,
            "since": "2026-11-01T04:00:01Z",
            "tries": 1,
            "execution": "arn:aws:states:ap-northeast-1:111122223333:execution:export-logs:run",
            "blocked_by": None,
        } | changes
        place = hashlib.sha256(item["destination"].encode()).hexdigest()[:32]
        key = f"{_slash(self.prefix)}missing/{place}-{item['window_from']}-{item['window_to']}.json"
        self.objects[key] = (json.dumps(item) + "\n").encode()

    def destination(self, log_group, month, prefix=None):
        return f"{_slash(self.prefix if prefix is None else prefix)}log_group={log_group}/year={month[:4]}/month={month[5:]}"

    def size(self, prefix):
        """Bytes of the gz objects whose keys begin so."""
        return sum(len(body) for key, body in self.objects.items() if key.startswith(prefix) and key.endswith(".gz"))


def month_begins(month, zone="Asia/Tokyo", later=0):
    """Epoch milliseconds; `later` months after it."""
    months = int(month[:4]) * 12 + int(month[5:]) - 1 + later
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def _slash(prefix):
    return f"{prefix}/" if prefix else ""


def build():
    archive = Archive()

    def one(log_group, month, task_id, stream, time, message, **options):
        archive.export(log_group, month, task_id, {stream: [[event(time, message)]]}, **options)

    one(ORDERS, "2026-10", FAILED_TASK, STREAM_A, "2026-10-05T01:00:00.000Z", f"ERROR of a failed export {REQUEST_ID}", counts=False)
    old = {"schema_version": 1, "window_from": 0, "window_to": 1}
    one(ORDERS, "2026-10", OLD_TASK, STREAM_A, "2026-10-05T01:00:00.000Z", f"ERROR of schema 1 {REQUEST_ID}", **old)
    archive.export(ORDERS, "2026-10", TASK, {STREAM_A: [ORDERS_A0, ORDERS_A1], STREAM_B: [ORDERS_B0]})
    # Some of orders' streams once more, as an entry with a prefix of its own exports them.
    other, message = "c0ffee00-0000-4000-8000-000000000010", f"ERROR below another prefix {REQUEST_ID}"
    one(ORDERS, "2026-10", other, STREAM_A, "2026-10-05T01:00:00.000Z", message, prefix=OTHER_PREFIX)
    message = f"ERROR the first millisecond of November in Tokyo {REQUEST_ID}"
    one(ORDERS, "2026-11", "b3f1c7d2-0000-4000-8000-000000000011", STREAM_A, "2026-10-31T15:00:00.000Z", message)
    # A neighbour by name, which a search for orders must not find.
    dev = "b3f1c7d2-0000-4000-8000-0000000000de"
    one(f"{ORDERS}-dev", "2026-10", dev, "dev", "2026-10-05T01:00:00.000Z", f"ERROR in development {REQUEST_ID}")
    one(PAYMENTS, "2026-08", "d00d0000-0000-4000-8000-000000000008", "payments-1", "2026-08-05T01:05:00.000Z", "charged")
    # Exported, and empty.
    archive.export(PAYMENTS, "2026-09", "d00d0000-0000-4000-8000-000000000009", {})
    charged = event("2026-10-05T01:05:00.000Z", f"charged, request {REQUEST_ID}")
    payments = [[charged, event("2026-10-05T01:06:00.000Z", "ERROR declined")]]
    archive.export(PAYMENTS, "2026-10", "d00d0000-0000-4000-8000-000000000010", {"payments-1": payments})
    web = [[event("2026-11-02T00:00:00.000Z", "GET /"), event("2026-11-02T00:00:01.000Z", "GET /\nof two lines")]]
    archive.export(WEB, "2026-11", "feed0000-0000-4000-8000-000000000011", {"prod-web-1": web}, prefix=OTHER_PREFIX)
    for month in ("2025-12", "2026-02", "2026-10"):
        task_id = f"ba7c4000-0000-4000-8000-0000000{month[:4]}{month[5:]}"[:36]
        one(BATCH, month, task_id, "batch", f"{month}-15T00:00:00.000Z", "done")
    # Retention had deleted the first ten days.
    one(WEB, "2026-04", INCOMPLETE_TASK, "web", "2026-04-15T00:00:00.000Z", "late", complete_from=month_begins("2026-04") + 10 * 86_400_000)
    # Without an event in it; and of schema 1.
    archive.manifest(BATCH, "2026-03", reason="NoEventsInMonth")
    one(BATCH, "2026-05", "ba7c4000-0000-4000-8000-000000000001", "batch", "2026-05-15T00:00:00.000Z", "of schema 1", schema_version=1)
    # Lost in part, and wholly.
    damaged = {"outcome": "lost", "reason": "Damaged"}
    one(BATCH, "2026-06", "ba7c4000-0000-4000-8000-000000000006", "batch", "2026-06-15T00:00:00.000Z", "what is left", **damaged)
    archive.manifest(BATCH, "2026-07", outcome="lost", reason="Expired")
    archive.open_window(ORDERS, "2026-12", outcome="waiting", error="RunTimeOver", tries=0, since="2027-01-01T04:00:02Z")
    archive.open_window(BATCH, "2026-11", error="SmallerExport", message="fewer bytes\nof two lines", tries=3, blocked_by="f00d")
    middle = month_begins("2026-11") + 10 * 86_400_000
    archive.open_window(NIGHTLY, "2026-11", log_stream_name_prefix="prod/", window_from=middle)
    archive.open_window(NIGHTLY, "2026-11", outcome="not_asked", error=None, message="no entry names it", window_to=middle - 1)
    # About to be recorded as these; of a schema that nothing reads.
    archive.open_window(BATCH, "2026-08", outcome="lost", error=None)
    archive.open_window(BATCH, "2026-09", outcome="skipped", error=None)
    archive.open_window(BATCH, "2026-01", schema_version=2)
    begin, change, end = month_begins("2026-10"), month_begins("2026-11"), month_begins("2026-11", "UTC")
    one(NIGHTLY, "2026-10", TOKYO_TASK, "nightly", "2026-10-31T14:59:59.999Z", "last in Tokyo", window_from=begin, window_to=change - 1)
    parts = {"timezone": "UTC", "window_from": change, "window_to": end - 1}
    one(NIGHTLY, "2026-10", UTC_TASK, "nightly", "2026-10-31T15:00:00.000Z", "first that Tokyo has in November", **parts)
    return archive
