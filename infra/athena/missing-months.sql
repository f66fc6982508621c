-- Name: Missing months
-- Description: What is due and not archived, oldest month first: why, since when, how often it was tried. Rows of outcome failed count as missing, those of waiting seven days after since; not_asked is in no entry any more and does not count.
SELECT
  month,
  log_group,
  log_stream_name_prefix,
  outcome,
  error,
  message,
  since,
  tries,
  CAST(from_unixtime(window_from / 1e3) AT TIME ZONE 'UTC' AS timestamp(3)) AS from_utc,
  CAST(from_unixtime(window_to / 1e3) AT TIME ZONE 'UTC' AS timestamp(3)) AS to_utc,
  destination,
  blocked_by
FROM missing
WHERE schema_version = 1 AND outcome IN ('failed', 'waiting', 'not_asked')
ORDER BY month, log_group, window_from
