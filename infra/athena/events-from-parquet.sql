-- Name: Events from Parquet
-- Description: The first 1,000 events of a compacted month in time order: what the view events does, on compacted_logs. Any query on logs works on compacted_logs as it is.
WITH compacted_events AS (
  SELECT
    min(event_time) AS event_time,
    array_join(array_agg(message ORDER BY line), chr(10)) AS message,
    count(*) AS lines,
    min(line) AS line,
    task_id,
    log_stream,
    object,
    log_group,
    year,
    month
  FROM (
    SELECT
      *,
      count(event_time) OVER (
        PARTITION BY log_group, year, month, object
        ORDER BY line
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS event_number
    FROM compacted_logs
    WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
  ) AS counted
  GROUP BY task_id, log_stream, object, log_group, year, month, event_number
)
SELECT
  event_time,
  log_stream,
  message
FROM compacted_events
ORDER BY event_time NULLS FIRST, object, line
LIMIT 1000
