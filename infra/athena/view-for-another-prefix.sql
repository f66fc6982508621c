-- Name: View for an entry's own s3Prefix
-- Description: The view logs over the table of "Table for an entry's own s3Prefix": the lines that count. Edit the names of view and table.
CREATE OR REPLACE VIEW logs_web AS
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
FROM (
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
    FROM log_lines_web
  ) AS numbered
) AS exported
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
