-- Name: Busiest log streams
-- Description: The 50 log streams of a log group's month with most characters, with events, lines, and first and last event.
SELECT
  log_stream,
  count(event_time) AS events,
  count(*) AS lines,
  sum(length(message)) AS characters,
  min(event_time) AS first_event,
  max(event_time) AS last_event
FROM logs
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
GROUP BY log_stream
ORDER BY characters DESC, log_stream
LIMIT 50
