-- Name: Compaction 1: write Parquet
-- Description: Writes a log group's month as zstd Parquet to a location of its own, which must be empty: by-hand-1, then by-hand-2 and so on. Needs the workgroup for compaction. Nobody reads the result until 4 has published it.
CREATE TABLE compaction_by_hand
WITH (
  format = 'PARQUET',
  write_compression = 'ZSTD',
  external_location = 's3://${Bucket}/${S3PrefixSlash}parquet/log_group=/aws/lambda/orders/year=2026/month=10/by-hand-1/'
) AS
SELECT
  task_id,
  log_stream,
  object,
  line,
  event_time,
  message,
  is_continuation
FROM logs
WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
