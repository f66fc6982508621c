-- View `events`: one row for each event, the lines of a message put together again.
--
-- An event begins at a line with a time and ends before the next such line of its object. Lines before an object's first
-- time have no event to belong to: they make one row with event_time NULL, so that nothing is lost.
SELECT
  min(event_time) AS event_time,
  array_join(array_agg(message ORDER BY line), chr(10)) AS message,
  count(*) AS lines,
  min(line) AS line,
  task_id,
  log_stream,
  object,
  log_group,
  year,
  month
FROM (
  SELECT
    *,
    count(event_time) OVER (
      PARTITION BY log_group, year, month, object
      ORDER BY line
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS event_number
  FROM logs
) AS counted
GROUP BY task_id, log_stream, object, log_group, year, month, event_number
