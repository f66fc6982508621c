"""What any client of Athena sees."""

import functools
import os
import time
import unittest
import uuid
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = "athena-results"
# It would run for hours.
ENDLESS = "SELECT count(*) FROM UNNEST(sequence(1, 100000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 1000000)) AS b(y) WHERE x * y % 7 = 8"
DEADLINE_SECONDS = 60


@functools.cache
def client(service: str) -> Any:
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    return boto3.client(
        service,
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        region_name="ap-northeast-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="local",
        config=config,
    )


def start(sql: str, **request: Any) -> str:
    request.setdefault("WorkGroup", "people")
    return client("athena").start_query_execution(QueryString=sql, **request)["QueryExecutionId"]


def execution(execution_id: str) -> dict:
    return client("athena").get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]


def until(execution_id: str, *states: str) -> dict:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        described = execution(execution_id)
        if described["Status"]["State"] in states:
            return described
        time.sleep(0.01)
    raise AssertionError(f"not {states} after {DEADLINE_SECONDS} s: {described}")


def ended(execution_id: str) -> dict:
    return until(execution_id, "SUCCEEDED", "FAILED", "CANCELLED")


def values(page: dict) -> list[list[str | None]]:
    return [[item.get("VarCharValue") for item in row["Data"]] for row in page["ResultSet"]["Rows"]]


def body(path: str) -> bytes:
    bucket, _, key = path.removeprefix("s3://").partition("/")
    return client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-northeast-1"})
        client("glue").create_database(DatabaseInput={"Name": "library"})
        enforced = {
            "EnforceWorkGroupConfiguration": True,
            "BytesScannedCutoffPerQuery": 10_000_000,
            "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/people/", "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}},
        }
        client("athena").create_work_group(Name="people", Configuration=enforced)
        free = {"EnforceWorkGroupConfiguration": False, "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/machines"}}
        client("athena").create_work_group(Name="machines", Configuration=free)

    def refused(self, sql: str, **request: Any) -> tuple[str, str]:
        with self.assertRaises(ClientError) as raised:
            start(sql, **request)
        error = raised.exception.response["Error"]
        return error["Code"], error["Message"]

    def test_a_query_succeeds_and_is_described(self) -> None:
        described = ended(start("SELECT 1 AS one", QueryExecutionContext={"Database": "library", "Catalog": "AwsDataCatalog"}))
        execution_id = described["QueryExecutionId"]
        self.assertEqual(described["Status"]["State"], "SUCCEEDED")
        self.assertEqual(described["Query"], "SELECT 1 AS one")
        self.assertEqual((described["StatementType"], described["SubstatementType"], described["WorkGroup"]), ("DML", "SELECT", "people"))
        self.assertEqual(described["QueryExecutionContext"], {"Database": "library", "Catalog": "AwsDataCatalog"})
        self.assertEqual(
            described["ResultConfiguration"],
            {"OutputLocation": f"s3://{BUCKET}/people/{execution_id}.csv", "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}},
        )
        self.assertEqual(described["Statistics"]["DataScannedInBytes"], 0)
        self.assertGreaterEqual(described["Statistics"]["EngineExecutionTimeInMillis"], 0)
        self.assertGreaterEqual(described["Status"]["CompletionDateTime"], described["Status"]["SubmissionDateTime"])

    def test_results_have_types_and_a_header(self) -> None:
        sql = "SELECT 1 AS n, CAST(1 AS bigint) AS b, 'a' AS t, 1.5e0 AS d, TIMESTAMP '2026-10-05 00:00:00.123' AS s, true AS f, NULL AS u"
        execution_id = start(sql + ", date '2026-10-05' AS day, ARRAY[1, 2] AS list, CAST(ROW(1) AS ROW(x integer)) AS r")
        ended(execution_id)
        page = client("athena").get_query_results(QueryExecutionId=execution_id)
        types = [(info["Name"], info["Type"]) for info in page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
        expected = ["integer", "bigint", "varchar", "double", "timestamp", "boolean", "unknown", "date", "array", "row"]
        self.assertEqual([type_ for _, type_ in types], expected)
        header, row = values(page)
        self.assertEqual(header, [name for name, _ in types])
        self.assertEqual(row, ["1", "1", "a", "1.5", "2026-10-05 00:00:00.123", "true", None, "2026-10-05", "[1, 2]", "{x=1}"])

    def test_the_object_is_csv_with_every_value_quoted(self) -> None:
        described = ended(
            start("""SELECT 'a"b,c' AS "Text", '' AS empty, CAST(NULL AS varchar) AS nothing, 'x' || chr(10) || 'y' AS lines""")
        )
        expected = '"Text","empty","nothing","lines"\n"a""b,c","",,"x\ny"\n'
        self.assertEqual(body(described["ResultConfiguration"]["OutputLocation"]).decode(), expected)

    def test_results_come_page_by_page(self) -> None:
        execution_id = start("SELECT n FROM UNNEST(sequence(1, 2500)) AS t(n) ORDER BY n")
        ended(execution_id)
        athena = client("athena")
        first = athena.get_query_results(QueryExecutionId=execution_id)
        self.assertEqual(values(first), [["n"]] + [[str(n)] for n in range(1, 1000)])
        second = athena.get_query_results(QueryExecutionId=execution_id, NextToken=first["NextToken"], MaxResults=3)
        self.assertEqual(values(second), [["1000"], ["1001"], ["1002"]])
        pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution_id)
        self.assertEqual(sum(len(page["ResultSet"]["Rows"]) for page in pages), 2501)
        with self.assertRaises(ClientError) as raised:
            athena.get_query_results(QueryExecutionId=execution_id, NextToken="x")
        self.assertEqual(raised.exception.response["Error"], {"Code": "InvalidRequestException", "Message": "Invalid NextToken"})

    def test_a_statement_without_rows_has_a_text_object(self) -> None:
        sql = f"CREATE EXTERNAL TABLE library.shelf (x string) STORED AS PARQUET LOCATION 's3://{BUCKET}/shelf/'"
        described = ended(start(sql))
        self.assertEqual((described["Status"]["State"], described["StatementType"]), ("SUCCEEDED", "DDL"))
        location = described["ResultConfiguration"]["OutputLocation"]
        self.assertEqual(location, f"s3://{BUCKET}/people/{described['QueryExecutionId']}.txt")
        self.assertEqual(body(location), b"")
        shown = ended(start("SHOW TABLES IN library 'sh*'"))
        self.assertEqual(body(shown["ResultConfiguration"]["OutputLocation"]), b"shelf\n")
        # No header, unlike a query's.
        page = client("athena").get_query_results(QueryExecutionId=shown["QueryExecutionId"])
        self.assertEqual(values(page), [["shelf"]])
        self.assertEqual(
            client("glue").get_table(DatabaseName="library", Name="shelf")["Table"]["StorageDescriptor"]["Location"],
            f"s3://{BUCKET}/shelf/",
        )

    def test_a_query_that_fails_tells_why(self) -> None:
        described = ended(start("SELECT * FROM library.missing"))
        reason = "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.library.missing' does not exist"
        self.assertEqual((described["Status"]["State"], described["Status"]["StateChangeReason"]), ("FAILED", reason))
        self.assertEqual(
            (described["Status"]["AthenaError"]["ErrorCategory"], described["Status"]["AthenaError"]["ErrorMessage"]), (2, reason)
        )
        with self.assertRaises(ClientError) as raised:
            client("athena").get_query_results(QueryExecutionId=described["QueryExecutionId"])
        message = "Query did not finish successfully. Final query state: FAILED"
        self.assertEqual(raised.exception.response["Error"], {"Code": "InvalidRequestException", "Message": message})

    def test_what_is_no_statement_is_refused_at_once(self) -> None:
        self.assertEqual(self.refused("SELEC 1"), ("InvalidRequestException", "line 1:1: mismatched input 'SELEC'"))
        code, message = self.refused("SELECT 1 FROM")
        self.assertEqual(code, "InvalidRequestException")
        self.assertTrue(message.startswith("line 1:"), message)

    def test_where_results_go(self) -> None:
        own = {"OutputLocation": f"s3://{BUCKET}/own/"}
        for group, requested, base in [
            ("people", own, "people/"),
            ("machines", own, "own/"),
            ("machines", {}, "machines/"),
            ("primary", own, "own/"),
        ]:
            with self.subTest(group=group, requested=requested):
                request = {"ResultConfiguration": requested} if requested else {}
                described = ended(start("SELECT 1", WorkGroup=group, **request))
                self.assertEqual(
                    described["ResultConfiguration"]["OutputLocation"], f"s3://{BUCKET}/{base}{described['QueryExecutionId']}.csv"
                )
        message = (
            "No output location provided. An output location is required either through the Workgroup result configuration setting "
            "or as an API input."
        )
        self.assertEqual(self.refused("SELECT 1", WorkGroup="primary"), ("InvalidRequestException", message))
        missing = {"OutputLocation": "s3://there-is-none/x/"}
        refusal = ("InvalidRequestException", "Unable to verify/create output bucket there-is-none")
        self.assertEqual(self.refused("SELECT 1", WorkGroup="primary", ResultConfiguration=missing), refusal)
        self.assertEqual(self.refused("SELECT 1", WorkGroup="nobody"), ("InvalidRequestException", "WorkGroup nobody is not found."))

    def test_create_table_as_names_no_place_where_the_workgroup_enforces_its_own(self) -> None:
        sql = f"CREATE TABLE library.chosen WITH (external_location = 's3://{BUCKET}/chosen/') AS SELECT 1 AS x"
        message = (
            "The Create Table As Select query failed because it was submitted with an 'external_location' property to an Athena Workgroup that "
            "enforces a centralized output location for all queries. Please remove the 'external_location' property and resubmit the query."
        )
        self.assertEqual(self.refused(sql), ("InvalidRequestException", message))
        described = ended(start(sql, WorkGroup="machines"))
        self.assertEqual((described["Status"]["State"], described["SubstatementType"]), ("SUCCEEDED", "CREATE_TABLE_AS_SELECT"))
        described = ended(start("CREATE TABLE library.placed AS SELECT 1 AS x"))
        location = f"s3://{BUCKET}/people/tables/{described['QueryExecutionId']}"
        self.assertEqual(described["ResultConfiguration"]["OutputLocation"], location)
        self.assertEqual(
            client("glue").get_table(DatabaseName="library", Name="placed")["Table"]["StorageDescriptor"]["Location"], f"{location}/"
        )

    def test_a_token_makes_a_request_idempotent(self) -> None:
        token = str(uuid.uuid4())
        first = start("SELECT 1", ClientRequestToken=token)
        self.assertEqual(start("SELECT 1", ClientRequestToken=token), first)
        refusal = ("InvalidRequestException", "Idempotent parameters do not match")
        self.assertEqual(self.refused("SELECT 2", ClientRequestToken=token), refusal)

    def test_a_query_is_stopped_and_others_go_on_beside_it(self) -> None:
        execution_id = start(ENDLESS)
        until(execution_id, "RUNNING")
        with self.assertRaises(ClientError) as raised:
            client("athena").get_query_results(QueryExecutionId=execution_id)
        message = "Query has not yet finished. Current state: RUNNING"
        self.assertEqual(raised.exception.response["Error"], {"Code": "InvalidRequestException", "Message": message})
        self.assertEqual(ended(start("SELECT 1"))["Status"]["State"], "SUCCEEDED")
        self.assertEqual(execution(execution_id)["Status"]["State"], "RUNNING")
        client("athena").stop_query_execution(QueryExecutionId=execution_id)
        status = ended(execution_id)["Status"]
        self.assertEqual((status["State"], status["StateChangeReason"]), ("CANCELLED", "Query cancelled by user"))
        # Again: nothing.
        client("athena").stop_query_execution(QueryExecutionId=execution_id)

    def test_more_queries_than_run_at_a_time_wait_and_can_be_stopped(self) -> None:
        running = [start(ENDLESS) for _ in range(8)]
        for execution_id in running:
            until(execution_id, "RUNNING")
        waiting = start("SELECT 1")
        self.assertEqual(execution(waiting)["Status"]["State"], "QUEUED")
        client("athena").stop_query_execution(QueryExecutionId=waiting)
        for execution_id in running:
            client("athena").stop_query_execution(QueryExecutionId=execution_id)
        self.assertEqual([ended(execution_id)["Status"]["State"] for execution_id in [waiting, *running]], ["CANCELLED"] * 9)

    def test_a_query_that_scans_more_than_the_limit_is_cancelled(self) -> None:
        client("s3").put_object(Bucket=BUCKET, Key="large/data.json", Body=b'{"x":"' + b"y" * 10_000_001 + b'"}\n')
        sql = f"CREATE EXTERNAL TABLE library.large (x string) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://{BUCKET}/large/'"
        self.assertEqual(ended(start(sql))["Status"]["State"], "SUCCEEDED")
        described = ended(start("SELECT length(x) FROM library.large"))
        self.assertEqual(
            (described["Status"]["State"], described["Status"]["StateChangeReason"]), ("CANCELLED", "Bytes scanned limit was exceeded")
        )
        execution_id = start("SELECT length(x) FROM library.large", WorkGroup="machines")
        self.assertEqual(ended(execution_id)["Statistics"]["DataScannedInBytes"], 10_000_010)
        self.assertEqual(values(client("athena").get_query_results(QueryExecutionId=execution_id)), [["_col0"], ["10000001"]])

    def test_several_executions_at_once_and_those_that_are_unknown(self) -> None:
        execution_id, unknown = start("SELECT 1"), str(uuid.uuid4())
        ended(execution_id)
        answer = client("athena").batch_get_query_execution(QueryExecutionIds=[execution_id, unknown])
        self.assertEqual([item["QueryExecutionId"] for item in answer["QueryExecutions"]], [execution_id])
        message = f"QueryExecution {unknown} was not found"
        self.assertEqual(
            answer["UnprocessedQueryExecutionIds"], [{"QueryExecutionId": unknown, "ErrorCode": "INVALID_INPUT", "ErrorMessage": message}]
        )
        with self.assertRaises(ClientError) as raised:
            execution(unknown)
        self.assertEqual(raised.exception.response["Error"], {"Code": "InvalidRequestException", "Message": message})

    def test_everything_else_of_athena_is_the_stacks(self) -> None:
        names = {group["Name"] for group in client("athena").list_work_groups()["WorkGroups"]}
        self.assertEqual(names, {"people", "machines", "primary"})
