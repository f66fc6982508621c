"""Corrects three things that ministack does with FilterLogEvents: it passes over `logStreamNamePrefix` and `nextToken`, and gives no
`nextToken` where events are left."""

from bisect import bisect_left, bisect_right
from math import inf


def correct() -> None:
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import cloudwatch_logs as service

    filter_events = service._filter_log_events

    def refuse(message: str) -> tuple:
        return error_response_json("InvalidParameterException", message, 400)

    def filter_log_events(data: dict) -> tuple:
        group = service._log_groups.get(service._resolve_log_group_name(data))
        if group is None:
            return filter_events(data)
        names, prefix, token = data.get("logStreamNames"), data.get("logStreamNamePrefix"), data.get("nextToken") or "0"
        if names and prefix:
            return refuse("logStreamNames and logStreamNamePrefix are mutually exclusive.")
        limit = data.get("limit") or 10_000
        if not 1 <= limit <= 10_000:
            return refuse(f"Value '{limit}' at 'limit' failed to satisfy constraint: Member must have a value from 1 to 10000")
        if not token.isdecimal():
            return refuse("The specified nextToken is invalid.")
        matches = service._compile_filter_pattern(data.get("filterPattern") or "")
        first, last = data.get("startTime") or 0, data.get("endTime")
        found = []
        with service._log_events_lock:
            for name, stream in group["streams"].items():
                if name in names if names else name.startswith(prefix or ""):
                    history, key = stream["events"], service._event_timestamp
                    # The last moment is included.
                    some = history[bisect_left(history, first, key=key) : bisect_right(history, inf if last is None else last, key=key)]
                    found += [{**event, "logStreamName": name} for event in some if matches(event["message"])]
        found.sort(key=lambda event: (event["timestamp"], event["ingestionTime"]))
        end = int(token) + limit
        more = {"nextToken": str(end)} if end < len(found) else {}
        return json_response({"events": found[int(token) : end], "searchedLogStreams": []} | more)

    service._filter_log_events = filter_log_events
