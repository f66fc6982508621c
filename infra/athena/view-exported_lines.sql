-- View `exported_lines`: every line of every exported object, one row each, with its place and its time.
--
-- The view `logs` and the compaction read it, and so make the same rows. It says nothing of which exports count.
-- A line is numbered in the order it is read. The window has the partition columns and "$path" alone: so a WHERE on them
-- reaches the scan, which an injected partition column needs, and Trino numbers the rows as they come, without a sort.
SELECT
  element_at(split(numbered.object, '/'), -3) AS task_id,
  element_at(split(numbered.object, '/'), -2) AS log_stream,
  numbered.object,
  numbered.line,
  numbered.event_time,
  -- What only looks like a time (2026-99-99T...) belongs to the message.
  IF(numbered.event_time IS NULL, concat_ws(' ', numbered.written_time, numbered.message), numbered.message) AS message,
  numbered.event_time IS NULL AS is_continuation,
  numbered.log_group,
  numbered.year,
  numbered.month
FROM (
  SELECT
    "$path" AS object,
    row_number() OVER (PARTITION BY log_group, year, month, "$path") AS line,
    event_time AS written_time,
    CAST(TRY(from_iso8601_timestamp(event_time)) AS timestamp(3)) AS event_time,
    message,
    log_group,
    year,
    month
  FROM log_lines
) AS numbered
