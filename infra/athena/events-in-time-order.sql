-- Name: Events in time order
-- Description: The first 1,000 events of a log group's month in time order, in UTC and in Tokyo's time. The lines of a message stay together. Events whose time is unknown come first.
SELECT
  event_time AS event_time_utc,
  CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS timestamp(3)) AS event_time_jst,
  log_stream,
  message
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
ORDER BY event_time NULLS FIRST, object, line
LIMIT 1000
