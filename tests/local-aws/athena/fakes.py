"""Glue and S3 in memory: the methods that the engine calls, with boto3's arguments and results."""

import io

from botocore.exceptions import ClientError


class FakeGlue:
    def __init__(self):
        self.tables, self.partitions = {}, {}

    def create_table(self, DatabaseName, TableInput):
        self.tables[DatabaseName, TableInput["Name"]] = TableInput

    def delete_table(self, DatabaseName, Name):
        del self.tables[DatabaseName, Name]
        self.partitions.pop((DatabaseName, Name), None)

    def get_table(self, DatabaseName, Name):
        if (DatabaseName, Name) not in self.tables:
            raise ClientError({"Error": {"Code": "EntityNotFoundException", "Message": "Entity Not Found"}}, "GetTable")
        return {"Table": self.tables[DatabaseName, Name]}

    def get_partitions(self, DatabaseName, TableName):
        return {"Partitions": self.partitions.get((DatabaseName, TableName), [])}

    def create_partition(self, DatabaseName, TableName, PartitionInput):
        self.partitions.setdefault((DatabaseName, TableName), []).append(PartitionInput)

    def batch_update_partition(self, DatabaseName, TableName, Entries):
        inputs = {tuple(entry["PartitionValueList"]): entry["PartitionInput"] for entry in Entries}
        items = self.partitions[DatabaseName, TableName]
        items[:] = [inputs.get(tuple(item["Values"]), item) for item in items]

    def delete_partition(self, DatabaseName, TableName, PartitionValues):
        items = self.partitions[DatabaseName, TableName]
        items[:] = [item for item in items if item["Values"] != PartitionValues]


class FakeS3:
    def __init__(self):
        self.objects = {}

    def put_object(self, Bucket, Key, Body):
        self.objects[Bucket, Key] = Body

    def get_object(self, Bucket, Key):
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}

    def list_objects_v2(self, Bucket, Prefix="", **_):
        keys = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        return {"Contents": [{"Key": key} for key in keys], "IsTruncated": False}
