"""Objects in S3 as Athena sees them: what lies below a location, and what is hidden there."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

from .errors import QueryError

# As many are fetched ahead of the one that is read.
READ_AHEAD = 8
# With so many locations and more, what they have in common is listed once.
LISTED_ONE_BY_ONE = 4


@dataclass(frozen=True)
class StoredObject:
    bucket: str
    key: str
    size: int

    @property
    def path(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Storage:
    """`s3` is a boto3 client, or anything that has the methods of one that are called here."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3

    def objects(self, locations: list[str]) -> list[list[StoredObject]]:
        """The visible objects below each location, in the order of their keys."""
        if len(locations) < LISTED_ONE_BY_ONE:
            return [self._visible(location, self._below(location)) for location in locations]
        shared = commonprefix(locations)
        # Up to a folder, and never more than one bucket.
        shared = shared[: shared.rfind("/") + 1]
        if shared.count("/") < 3:
            return [self._visible(location, self._below(location)) for location in locations]
        listed = self._below(shared)
        by_folder: dict[str, list[StoredObject]] = {location: [] for location in map(folder, locations)}
        lengths = sorted({len(location) for location in by_folder}, reverse=True)
        for item in listed:
            for length in lengths:
                if (place := by_folder.get(item.path[:length])) is not None:
                    place.append(item)
                    break
        return [self._visible(location, by_folder[folder(location)]) for location in locations]

    def _below(self, location: str) -> list[StoredObject]:
        bucket, prefix = split(folder(location))
        request = {"Bucket": bucket, "Prefix": prefix}
        found: list[StoredObject] = []
        while True:
            page = self.s3.list_objects_v2(**request)
            found += [StoredObject(bucket, item["Key"], item["Size"]) for item in page.get("Contents", [])]
            if not page.get("IsTruncated"):
                return sorted(found, key=lambda item: item.key.encode())
            request["ContinuationToken"] = page["NextContinuationToken"]

    @staticmethod
    def _visible(location: str, found: list[StoredObject]) -> list[StoredObject]:
        """Folders and objects whose names begin with `_` or `.` are hidden, and what lies in such folders; so are markers of folders."""
        start = len(split(folder(location))[1])

        def visible(item: StoredObject) -> bool:
            names = item.key[start:].split("/")
            return names[-1] != "" and not any(name.startswith(("_", ".")) for name in names)

        return [item for item in found if visible(item)]

    def read(self, item: StoredObject) -> bytes:
        return self.s3.get_object(Bucket=item.bucket, Key=item.key)["Body"].read()

    def read_all(self, items: Iterable[StoredObject]) -> Iterator[tuple[StoredObject, bytes]]:
        """In the order given, with a few read ahead: thousands of small objects would otherwise wait for one another."""
        with ThreadPoolExecutor(READ_AHEAD) as pool:
            pending: list[tuple[StoredObject, Future[bytes]]] = []
            try:
                for item in items:
                    pending.append((item, pool.submit(self.read, item)))
                    if len(pending) > READ_AHEAD:
                        first, future = pending.pop(0)
                        yield first, future.result()
                for first, future in pending:
                    yield first, future.result()
            finally:
                for _, future in pending:
                    future.cancel()

    def write(self, path: str, body: Any, **arguments: Any) -> None:
        bucket, key = split(path)
        self.s3.put_object(Bucket=bucket, Key=key, Body=body, **arguments)

    def is_empty(self, location: str) -> bool:
        bucket, prefix = split(folder(location))
        return not self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents")


def folder(location: str) -> str:
    return location if location.endswith("/") else location + "/"


def split(path: str) -> tuple[str, str]:
    """Bucket and key of an s3:// path."""
    if not path.startswith("s3://") or len(path) == len("s3://"):
        raise QueryError("INVALID_TABLE_PROPERTY", f"Table location is not an S3 path: {path}")
    bucket, _, key = path[len("s3://") :].partition("/")
    return bucket, key
