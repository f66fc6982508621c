"""Glue and S3 in memory, for trying SQL and for tests: only the methods that the engine calls, with boto3's arguments and answers."""

import io
from typing import Any

from botocore.exceptions import ClientError


def _missing(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "Entity Not Found"}}, operation)


class FakeGlue:
    """`tables` by (database, name), as CreateTable takes them."""

    def __init__(self) -> None:
        self.databases: set[str] = {"default"}
        self.tables: dict[tuple[str, str], dict] = {}
        self.partitions: dict[tuple[str, str], list[dict]] = {}

    def get_database(self, Name: str) -> dict:
        if Name not in self.databases:
            raise _missing("GetDatabase")
        return {"Database": {"Name": Name}}

    def create_table(self, DatabaseName: str, TableInput: dict) -> dict:
        self.databases.add(DatabaseName)
        self.tables[DatabaseName, TableInput["Name"]] = TableInput
        return {}

    update_table = create_table

    def delete_table(self, DatabaseName: str, Name: str) -> dict:
        if self.tables.pop((DatabaseName, Name), None) is None:
            raise _missing("DeleteTable")
        self.partitions.pop((DatabaseName, Name), None)
        return {}

    def get_table(self, DatabaseName: str, Name: str) -> dict:
        if (DatabaseName, Name) not in self.tables:
            raise _missing("GetTable")
        return {"Table": self.tables[DatabaseName, Name]}

    def get_tables(self, DatabaseName: str, **_: Any) -> dict:
        return {"TableList": [table for (database, _), table in self.tables.items() if database == DatabaseName]}

    def get_partitions(self, DatabaseName: str, TableName: str, **_: Any) -> dict:
        return {"Partitions": list(self.partitions.get((DatabaseName, TableName), []))}

    def create_partition(self, DatabaseName: str, TableName: str, PartitionInput: dict) -> dict:
        self.partitions.setdefault((DatabaseName, TableName), []).append(PartitionInput)
        return {}

    def delete_partition(self, DatabaseName: str, TableName: str, PartitionValues: list[str]) -> dict:
        kept = [item for item in self.partitions.get((DatabaseName, TableName), []) if item["Values"] != PartitionValues]
        self.partitions[DatabaseName, TableName] = kept
        return {}


class FakeS3:
    """`objects` by bucket and key."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def put_object(self, Bucket: str, Key: str, Body: Any, **_: Any) -> dict:
        self.objects[Bucket, Key] = Body if isinstance(Body, bytes) else Body.read()
        return {}

    def get_object(self, Bucket: str, Key: str) -> dict:
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}

    def list_objects_v2(self, Bucket: str, Prefix: str = "", **_: Any) -> dict:
        keys = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        return {"Contents": [{"Key": key, "Size": len(self.objects[Bucket, key])} for key in keys], "IsTruncated": False}
