-- View `logs`: the lines that count, one row each.
--
-- `log_lines` has every line of every object below the month. The month's rows in `manifests` say which export tasks
-- count: one for each window, and windows never overlap, so that no event shows twice. Older exports of the same window,
-- failed ones, and CloudWatch's `aws-logs-write-test` are in other places and fall out. A window of which events are lost
-- shows what still lies there, if its manifest names a task; without one, the comparison is NULL.
-- A line is numbered in the order it is read, before anything is joined. The window has the partition columns and "$path"
-- alone: so a WHERE on them reaches the scan, which an injected partition column needs, and Trino numbers the rows as they
-- come, without a sort. The folder is compared as a prefix, which is no equality: so lines are not sent to the one worker
-- that has the manifest, the manifest is sent to the lines.
SELECT
  manifest.task_id,
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
JOIN manifests AS manifest
  ON manifest.log_group = numbered.log_group
  AND manifest.year = numbered.year
  AND manifest.month = numbered.month
  AND manifest.schema_version = 2
  AND manifest.outcome IN ('exported', 'lost')
  AND starts_with(
    numbered.object,
    's3://' || manifest.bucket || '/' || manifest.destination_prefix || '/' || manifest.task_id || '/'
  )
