-- View `logs`: the lines that count, one row each.
--
-- `exported_lines` has every line of every object below the month. The month's rows in `manifests` say which export tasks
-- count: one for each window, and windows never overlap, so that no event shows twice. Older exports of the same window,
-- failed ones, and CloudWatch's `aws-logs-write-test` are in other places and fall out. A window of which events are lost
-- shows what still lies there, if its manifest names a task; without one, the comparison is NULL.
-- The folder is compared as a prefix, which is no equality: so lines are not sent to the one worker that has the
-- manifest, the manifest is sent to the lines.
SELECT
  exported.task_id,
  exported.log_stream,
  exported.object,
  exported.line,
  exported.event_time,
  exported.message,
  exported.is_continuation,
  exported.log_group,
  exported.year,
  exported.month
FROM exported_lines AS exported
JOIN manifests AS manifest
  ON manifest.log_group = exported.log_group
  AND manifest.year = exported.year
  AND manifest.month = exported.month
  AND manifest.schema_version = 2
  AND manifest.outcome IN ('exported', 'lost')
  AND starts_with(
    exported.object,
    's3://' || manifest.bucket || '/' || manifest.destination_prefix || '/' || manifest.task_id || '/'
  )
