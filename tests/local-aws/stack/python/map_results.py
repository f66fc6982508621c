"""What a Distributed Map with a ResultWriter writes to S3 and has as its output, as AWS documents it. Neither engine does that."""

import json
from collections.abc import Callable, Iterable

FILES = ("FAILED", "PENDING", "SUCCEEDED")


def write(put: Callable[[str, bytes], None], parameters: dict, map_run_arn: str, children: Iterable[dict]) -> dict:
    """`children`: as DescribeExecution describes them, their times as text. `put` writes an object of the bucket."""
    bucket, prefix = parameters["Bucket"], parameters.get("Prefix", "").rstrip("/")
    folder = f"{prefix}/" * bool(prefix) + map_run_arn.rpartition(":")[2]
    results = {file: [] for file in FILES}
    for child in children:
        results["SUCCEEDED" if child["status"] == "SUCCEEDED" else "FAILED"].append(_record(child))
    files = {file: [] for file in FILES}
    for file, records in results.items():
        if records:
            body = json.dumps(records, separators=(",", ":")).encode()
            files[file].append({"Key": f"{folder}/{file}_0.json", "Size": len(body)})
            put(files[file][0]["Key"], body)
    manifest = {"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": files}
    put(f"{folder}/manifest.json", json.dumps(manifest, separators=(",", ":")).encode())
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"}}


def _record(child: dict) -> dict:
    record = {
        "ExecutionArn": child["executionArn"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": child["startDate"],
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": child["stopDate"],
    }
    if child["status"] == "SUCCEEDED":
        return record | {"Output": child["output"], "OutputDetails": {"Included": True}}
    return record | {name: child[name.lower()] for name in ("Error", "Cause") if child.get(name.lower())}
