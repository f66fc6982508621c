-- Name: Missing months
-- Description: Months that a log group has no export of, between its own first month and the archive's newest, in the form that a run's input takes. Any export counts as archived: one that was empty, one of some log streams only (logStreamNamePrefix), one to another prefix. A month that a run skipped because it had no event counts as missing.
WITH archived AS (
  -- Months are counted from January 2000, so that they can be put in a row.
  SELECT DISTINCT
    log_group,
    (year - 2000) * 12 + month - 1 AS month_number
  FROM manifests
  WHERE year BETWEEN 2025 AND 2026
),
spans AS (
  SELECT
    log_group,
    min(month_number) AS first_month,
    (SELECT max(month_number) FROM archived) AS newest_month
  FROM archived
  GROUP BY log_group
)
SELECT
  spans.log_group,
  date_format(date_add('month', months.month_number, DATE '2000-01-01'), '%Y-%m') AS month
FROM spans
CROSS JOIN UNNEST(sequence(spans.first_month, spans.newest_month)) AS months (month_number)
LEFT JOIN archived
  ON archived.log_group = spans.log_group
  AND archived.month_number = months.month_number
WHERE archived.log_group IS NULL
ORDER BY log_group, month
