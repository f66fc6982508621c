-- Name: Lambda invocations per day (Tokyo)
-- Description: From the REPORT lines of a Lambda function's log group, in text format: invocations, cold starts, duration in milliseconds and memory used, day by day in Tokyo's time.
SELECT
  CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS date) AS day_jst,
  count(*) AS invocations,
  count_if(strpos(message, 'Init Duration: ') > 0) AS cold_starts,
  round(avg(CAST(regexp_extract(message, '\tDuration: ([0-9.]+) ms', 1) AS double)), 1) AS average_ms,
  max(CAST(regexp_extract(message, '\tDuration: ([0-9.]+) ms', 1) AS double)) AS longest_ms,
  max(CAST(regexp_extract(message, '\tMax Memory Used: ([0-9]+) MB', 1) AS integer)) AS most_memory_mb
FROM logs
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
  AND starts_with(message, 'REPORT RequestId: ')
GROUP BY CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS date)
ORDER BY day_jst NULLS FIRST
