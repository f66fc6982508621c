-- Name: Size of the archive
-- Description: Exports, objects and compressed bytes by log group and month, from the manifests: no log data is read. A month exported in parts has several exports. Of a month with lost events, what still lies there. Months that were skipped, or lost without any export, are not listed.
SELECT
  log_group,
  year,
  month,
  count(*) AS exports,
  sum(objects) AS objects,
  sum(bytes) AS bytes,
  round(sum(bytes) / 1048576e0, 1) AS mib
FROM manifests
WHERE schema_version = 2 AND task_id IS NOT NULL
  AND year = 2026
GROUP BY log_group, year, month
ORDER BY log_group, year, month
