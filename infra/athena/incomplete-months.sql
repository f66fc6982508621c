-- Name: Incomplete months
-- Description: Windows that were archived without their beginning, because retention had deleted it before the export began: from when on they are whole. Edit the year.
SELECT
  log_group,
  year,
  month,
  CAST(from_unixtime(window_from / 1e3) AT TIME ZONE 'UTC' AS timestamp(3)) AS from_utc,
  CAST(from_unixtime(complete_from / 1e3) AT TIME ZONE 'UTC' AS timestamp(3)) AS complete_from_utc,
  CAST(from_unixtime(window_to / 1e3) AT TIME ZONE 'UTC' AS timestamp(3)) AS to_utc,
  outcome,
  objects,
  destination_prefix
FROM manifests
WHERE schema_version = 2 AND complete_from > window_from
  AND year = 2026
ORDER BY log_group, window_from
