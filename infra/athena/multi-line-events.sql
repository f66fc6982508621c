-- Name: Multi-line events
-- Description: The first 1,000 events of a log group's month whose message has more than one line, such as stack traces, put together again.
SELECT
  event_time,
  lines,
  log_stream,
  message
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
  AND lines > 1
ORDER BY event_time NULLS FIRST, object, line
LIMIT 1000
