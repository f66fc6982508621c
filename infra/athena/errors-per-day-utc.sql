-- Name: Errors per day (UTC)
-- Description: Events and errors of a log group's month, day by day in UTC. A stack trace counts once. The pattern says what an error is: edit it.
SELECT
  CAST(event_time AS date) AS day_utc,
  count(*) AS events,
  count_if(regexp_like(message, '\b(ERROR|FATAL|CRITICAL)\b|Exception|Task timed out')) AS errors
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
GROUP BY CAST(event_time AS date)
ORDER BY day_utc NULLS FIRST
