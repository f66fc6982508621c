-- View `uncompacted_months`: the log-group-months whose Parquet is not what their manifests say, one row each.
--
-- Parquet follows the manifests. A row is here if an export that a manifest names has objects and no Parquet, or if there
-- is Parquet of an export that no manifest names. An export of which everything is lost makes no month due: its manifest
-- still names it. Objects that Athena hides have no rows anywhere.
-- Only the archive's own layout counts, which the tables cover. A manifest that does not fit makes `problem`: what goes
-- into a statement has passed the grammar of its kind. One that cannot be read has no log group, and stands for itself.
-- Each branch has `year` and `month` as they are, and each group is by them, so that a WHERE on them reaches both scans.
SELECT
  concat_ws(
    ': ',
    log_group || ' ' || CAST(year AS varchar) || '-' || lpad(CAST(month AS varchar), 2, '0'),
    max(problem)
  ) AS name,
  log_group,
  year,
  month,
  coalesce(array_join(array_agg(exported_task ORDER BY exported_task), ','), '') AS tasks,
  sum(objects) AS objects,
  max(problem) AS problem
FROM (
  SELECT
    log_group,
    year,
    month,
    IF(sum(objects) > 0, task_id) AS exported_task,
    sum(objects) AS objects,
    max(problem) AS problem,
    (sum(objects) > 0 AND max(is_written) = 0) OR max(is_named) = 0 OR max(problem) IS NOT NULL AS is_due
  FROM (
    SELECT
      coalesce(log_group, object) AS log_group,
      year,
      month,
      task_id,
      IF(fits, objects - coalesce(hidden_objects, 0), 0) AS objects,
      IF(NOT fits, 'the manifest ' || object || ' cannot be read, or has values that do not fit') AS problem,
      1 AS is_named,
      0 AS is_written
    FROM (
      SELECT
        *,
        coalesce(
          schema_version = 2 AND outcome IN ('exported', 'lost') AND is_in_layout AND objects >= 0
          AND length(log_group) BETWEEN 1 AND 512 AND NOT regexp_like(log_group, '[^-._/#A-Za-z0-9]')
          AND length(coalesce(task_id, IF(outcome = 'lost', 'none'))) BETWEEN 1 AND 512
          AND NOT regexp_like(coalesce(task_id, 'none'), '[^-._A-Za-z0-9]'),
          FALSE
        ) AS fits
      FROM (
        SELECT
          *,
          "$path" AS object,
          bucket = '${Bucket}' AND destination_prefix = '${S3PrefixSlash}log_group=' || log_group
            || '/year=' || CAST(year AS varchar) || '/month=' || lpad(CAST(month AS varchar), 2, '0') AS is_in_layout
        FROM manifests
      ) AS placed
      WHERE coalesce(schema_version, 2) = 2
        AND coalesce(outcome, 'none') NOT IN ('empty', 'skipped')
        AND coalesce(is_in_layout, TRUE)
    ) AS judged
    UNION ALL
    SELECT
      log_group,
      year,
      month,
      task_id,
      0 AS objects,
      NULL AS problem,
      0 AS is_named,
      1 AS is_written
    FROM (
      SELECT DISTINCT
        log_group,
        year,
        month,
        task_id
      FROM compacted_logs
    ) AS compacted
  ) AS told
  GROUP BY log_group, year, month, task_id
) AS of_tasks
GROUP BY log_group, year, month
HAVING count_if(is_due) > 0
