-- Name: One request across log groups
-- Description: All events that name a request id, over several log groups, in time order. Log groups are listed by name: a prefix or LIKE is not possible.
SELECT
  event_time,
  log_group,
  log_stream,
  message
FROM events
WHERE log_group IN ('/aws/lambda/orders', '/aws/lambda/payments') AND year = 2026 AND month = 10
  AND strpos(message, '6f1f5d3a-2b1c-4c55-9a51-0d6f6f2c7b10') > 0
ORDER BY event_time NULLS FIRST, log_group, object, line
