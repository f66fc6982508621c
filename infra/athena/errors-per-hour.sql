-- Name: Errors per hour
-- Description: How many events of a log group's month are errors, hour by hour, in UTC and in Tokyo's time. A stack trace counts once. The pattern says what an error is: edit it. Hours without an error have no row.
SELECT
  date_trunc('hour', event_time) AS hour_utc,
  CAST(with_timezone(date_trunc('hour', event_time), 'UTC') AT TIME ZONE 'Asia/Tokyo' AS timestamp(3)) AS hour_jst,
  count(*) AS errors
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
  AND regexp_like(message, '\b(ERROR|FATAL|CRITICAL)\b|Exception|Task timed out')
GROUP BY date_trunc('hour', event_time)
ORDER BY hour_utc NULLS FIRST
