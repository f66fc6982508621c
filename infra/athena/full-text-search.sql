-- Name: Full text search
-- Description: The first 1,000 events of a log group's month that contain a text, upper or lower case, also in a message's later lines.
SELECT
  event_time,
  log_stream,
  message
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
  AND strpos(lower(message), lower('connection refused')) > 0
ORDER BY event_time NULLS FIRST, object, line
LIMIT 1000
