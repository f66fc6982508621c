-- Name: Top error messages
-- Description: The 50 most frequent errors of a log group's month by their first line, with ids and numbers replaced by #. The pattern says what an error is: edit it.
SELECT
  regexp_replace(
    split_part(message, chr(10), 1),
    '[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|\d+',
    '#'
  ) AS first_line,
  count(*) AS errors,
  min(event_time) AS first_seen,
  max(event_time) AS last_seen
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
  AND regexp_like(message, '\b(ERROR|FATAL|CRITICAL)\b|Exception|Task timed out')
GROUP BY 1
ORDER BY errors DESC, first_line
LIMIT 50
