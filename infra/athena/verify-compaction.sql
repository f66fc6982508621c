-- Name: Compaction 2: verify
-- Description: One row: objects as the manifests count them, and lines, events and characters as Athena reads them, on both sides, and the verdict. Only EQUAL may be published. OBJECTS MISSING: Athena did not read all objects of the export, such as those in Glacier Deep Archive.
SELECT
  manifest.objects AS archive_objects,
  parquet.objects AS parquet_objects,
  archive.lines AS archive_lines,
  parquet.lines AS parquet_lines,
  archive.events AS archive_events,
  parquet.events AS parquet_events,
  archive.characters AS archive_characters,
  parquet.characters AS parquet_characters,
  CASE
    WHEN manifest.objects <> parquet.objects THEN 'OBJECTS MISSING'
    WHEN archive.lines = 0 THEN 'NOTHING ARCHIVED'
    WHEN manifest.objects = parquet.objects
      AND archive.lines = parquet.lines
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
    count(DISTINCT object) AS objects,
    count(*) AS lines,
    count(event_time) AS events,
    sum(length(message)) AS characters
  FROM compaction_by_hand
) AS parquet
CROSS JOIN (
  -- The exports that logs reads: those in the archive's own place. What Athena hides it cannot have read.
  SELECT
    sum(objects - hidden_objects) AS objects
  FROM manifests
  WHERE schema_version = 2
    AND log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
    AND bucket = '${Bucket}'
    AND destination_prefix = '${S3PrefixSlash}log_group=' || log_group
      || '/year=' || CAST(year AS varchar)
      || '/month=' || lpad(CAST(month AS varchar), 2, '0')
) AS manifest
