-- Name: Errors per day (Tokyo)
-- Description: Events and errors of a log group's month, day by day in Tokyo's time: where runs have the time zone Asia/Tokyo, a month has its whole days. A stack trace counts once. The pattern says what an error is: edit it.
SELECT
  CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS date) AS day_jst,
  count(*) AS events,
  count_if(regexp_like(message, '\b(ERROR|FATAL|CRITICAL)\b|Exception|Task timed out')) AS errors
FROM events
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
GROUP BY CAST(with_timezone(event_time, 'UTC') AT TIME ZONE 'Asia/Tokyo' AS date)
ORDER BY day_jst NULLS FIRST
