"""Teaches ministack the `logGroupIdentifiers` of DescribeLogGroups, which it passes over: it would answer with all log groups."""

import json


def correct() -> None:
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import cloudwatch_logs as service

    describe = service._describe_log_groups

    def identified(identifier: str) -> list[dict]:
        name = identifier.rpartition(":log-group:")[2].removesuffix(":*")
        # The log group of this very name comes before those that it is a prefix of.
        _, _, body = describe({"logGroupNamePrefix": name, "limit": 1})
        groups = json.loads(body)["logGroups"]
        return [group for group in groups if identifier in (group["logGroupName"], group["arn"], group["logGroupArn"])]

    def describe_log_groups(data: dict) -> tuple:
        identifiers = data.get("logGroupIdentifiers")
        if not identifiers:
            return describe(data)
        if len(identifiers) > 50 or "logGroupNamePrefix" in data or "logGroupNamePattern" in data:
            return error_response_json("InvalidParameterException", "logGroupIdentifiers are 50 at most, and the only filter.", 400)
        return json_response({"logGroups": [group for identifier in identifiers for group in identified(identifier)]})

    service._describe_log_groups = describe_log_groups
