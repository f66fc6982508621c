-- Name: Compaction 2: verify
-- Description: One row: lines, events and characters on both sides, and the verdict. Only EQUAL may be published.
SELECT
  archive.lines AS archive_lines,
  parquet.lines AS parquet_lines,
  archive.events AS archive_events,
  parquet.events AS parquet_events,
  archive.characters AS archive_characters,
  parquet.characters AS parquet_characters,
  CASE
    WHEN archive.lines = 0 THEN 'NOTHING ARCHIVED'
    WHEN archive.lines = parquet.lines
      AND archive.events = parquet.events
      AND archive.characters = parquet.characters THEN 'EQUAL'
    ELSE 'DIFFERENT'
  END AS verdict
FROM (
  SELECT
    count(*) AS lines,
    count(event_time) AS events,
    sum(length(message)) AS characters
  FROM logs
  WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
) AS archive
CROSS JOIN (
  SELECT
    count(*) AS lines,
    count(event_time) AS events,
    sum(length(message)) AS characters
  FROM compaction_by_hand
) AS parquet
