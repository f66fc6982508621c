-- Name: Size of the archive
-- Description: Exports, objects and compressed bytes by log group and month, from the manifests: no log data is read.
SELECT
  log_group,
  year,
  month,
  count(*) AS exports,
  sum(objects) AS objects,
  sum(bytes) AS bytes,
  round(sum(bytes) / 1048576e0, 1) AS mib
FROM manifests
WHERE year = 2026
GROUP BY log_group, year, month
ORDER BY log_group, year, month
