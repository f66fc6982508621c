"""Writes the month of a busy Lambda function as the archive has it: thousands of small gz objects, one per log stream.

The same arguments write the same bytes. Ids, durations and payloads are random, so that the logs compress like real ones.
"""

import gzip
import math
import multiprocessing
import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

LOG_GROUP = "/aws/lambda/orders"
YEAR, MONTH, DAYS = 2026, 10, 31
TASK_ID = "5f1c0a52-9d0e-4b6e-8f0a-3c1d2e4f5a6b"

_START = datetime(YEAR, MONTH, 1, tzinfo=timezone.utc)
# The relative number of requests in each hour: those of a shop in Tokyo, with few at night.
_HOURS_UTC = (9, 10, 11, 12, 12, 10, 10, 11, 12, 13, 14, 15, 16, 14, 10, 6, 3, 2, 2, 2, 3, 4, 6, 8)
_INVOCATIONS_MEDIAN, _INVOCATIONS_SPREAD = 14, 0.8

_PATHS = ("/orders", "/orders/{id}", "/orders/{id}/items", "/carts/{id}/checkout", "/stock/{id}", "/health")
_INFO = ("order accepted", "stock reserved", "payment authorised", "cache miss", "customer loaded", "price calculated", "在庫を確認しました")
_ERRORS = ("connection refused", "deadlock detected", "read timed out", "unexpected status 502", "在庫が不足しています")
_CLASSES = ("OrderService", "StockClient", "PaymentGateway", "CartRepository", "HttpPool", "RetryPolicy")


@dataclass(frozen=True)
class Month:
    root: Path
    objects: int
    gz_bytes: int
    text_bytes: int
    lines: int


def write(root: Path, objects: int, seed: int) -> Month:
    """Writes the month's objects below `root`, which stands for the bucket."""
    folder = root / f"log_group={LOG_GROUP}" / f"year={YEAR}" / f"month={MONTH:02}" / TASK_ID
    with multiprocessing.Pool() as pool:
        sizes = pool.starmap(_write_object, ((folder, seed, number) for number in range(objects)), chunksize=100)
    gz_bytes, text_bytes, lines = (sum(column) for column in zip(*sizes))
    return Month(root, objects, gz_bytes, text_bytes, lines)


def _write_object(folder: Path, seed: int, number: int) -> tuple[int, int, int]:
    source = random.Random(seed * 1_000_003 + number)
    name, lines = _log_stream(source)
    text = "".join(f"{line}\n" for line in lines).encode()
    packed = gzip.compress(text, compresslevel=6, mtime=0)
    (folder / name).mkdir(parents=True)
    (folder / name / "000000.gz").write_bytes(packed)
    return len(packed), len(text), len(lines)


def _log_stream(source: random.Random) -> tuple[str, list[str]]:
    hour = source.choices(range(24), _HOURS_UTC)[0]
    begin = _START + timedelta(days=source.randrange(DAYS), hours=hour, seconds=source.randrange(3600))
    # CloudWatch's name is 2026/10/05/[$LATEST]<id>; the export writes - for each /.
    name = f"{begin:%Y-%m-%d}-[$LATEST]{source.getrandbits(128):032x}"

    clock = _Clock(source, begin)
    lines = [
        f"{clock.now()} INIT_START Runtime Version: java:21.v{source.randrange(30, 40)}\t"
        f"Runtime Version ARN: arn:aws:lambda:ap-northeast-1::runtime:{source.getrandbits(256):064x}"
    ]
    for _ in range(max(1, round(source.lognormvariate(math.log(_INVOCATIONS_MEDIAN), _INVOCATIONS_SPREAD)))):
        clock.wait_for_the_next_request()
        lines += _invocation(source, clock)
    return name, lines


class _Clock:
    def __init__(self, source: random.Random, begin: datetime) -> None:
        self._source = source
        self._seconds = begin.timestamp()
        # No event is in the next month.
        self._end = (_START + timedelta(days=DAYS)).timestamp() - 1

    def now(self) -> str:
        """The time of the next line, as exports write it."""
        self._seconds = min(self._seconds + self._source.expovariate(60), self._end)
        milliseconds = math.floor(self._seconds * 1000)
        moment = datetime.fromtimestamp(milliseconds // 1000, timezone.utc)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"

    def wait_for_the_next_request(self) -> None:
        self._seconds += self._source.expovariate(1 / 90)


def _invocation(source: random.Random, clock: _Clock) -> list[str]:
    request = _uuid(source)
    trace = f"1-{source.getrandbits(32):08x}-{source.getrandbits(96):024x}"
    lines = [f"{clock.now()} START RequestId: {request} Version: $LATEST"]
    path = source.choice(_PATHS)
    for _ in range(source.randrange(1, 7)):
        time = clock.now()
        lines.append(
            f'{time} {{"timestamp":"{time}","level":"INFO","requestId":"{request}","traceId":"{trace}","path":"{path}",'
            f'"customerId":"c-{source.randrange(400_000):06}","orderId":"{source.getrandbits(48):012x}","items":{source.randrange(1, 12)},'
            f'"elapsedMs":{source.expovariate(1 / 40):.2f},"message":"{source.choice(_INFO)}"}}'
        )
    if source.random() < 0.03:
        lines += _failure(source, clock, request)
    duration = source.lognormvariate(math.log(80), 0.7)
    lines.append(f"{clock.now()} END RequestId: {request}")
    lines.append(
        f"{clock.now()} REPORT RequestId: {request}\tDuration: {duration:.2f} ms\tBilled Duration: {math.ceil(duration)} ms\t"
        f"Memory Size: 512 MB\tMax Memory Used: {source.randrange(140, 210)} MB\t"
        f"XRAY TraceId: {trace}\tSegmentId: {source.getrandbits(64):016x}\tSampled: true\t"
    )
    return lines


def _failure(source: random.Random, clock: _Clock, request: str) -> list[str]:
    reason = source.choice(_ERRORS)
    time = clock.now()
    line = f'{time} {{"timestamp":"{time}","level":"ERROR","requestId":"{request}","message":"{reason}","attempt":{source.randrange(1, 4)}}}'
    if source.random() < 0.5:
        return [line]
    frames = [
        f"\tat com.example.orders.{source.choice(_CLASSES)}.call({source.choice(_CLASSES)}.java:{source.randrange(20, 400)})"
        for _ in range(source.randrange(4, 25))
    ]
    thrown = f"{clock.now()} ERROR com.example.orders.OrderException: {reason}"
    return [line, thrown, *frames, "", f"Caused by: java.io.IOException: {reason}", frames[0], "\t... 12 more"]


def _uuid(source: random.Random) -> str:
    digits = f"{source.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
