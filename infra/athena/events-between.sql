-- Name: Events between two times
-- Description: Everything a log group wrote between two times (UTC; 10:00 in Tokyo is 01:00 in UTC), over all its log streams. What is scanned, and paid, is the whole month.
SELECT
  event_time AS event_time_utc,
  CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS timestamp(3)) AS event_time_jst,
  log_stream,
  message
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
  AND event_time >= TIMESTAMP '2026-10-05 01:00:00'
  AND event_time < TIMESTAMP '2026-10-05 01:30:00'
ORDER BY event_time, object, line
