-- Name: Missing months
-- Description: Months of which the archive lacks something of a log group, between the log group's own first window and the archive's newest, in the form that a run's input takes. Every manifest counts, also one of an empty or skipped window, of some log streams only (logStreamNamePrefix), or of another prefix. A month begins in the time zone of the runs: edit it, in both places.
WITH windows AS (
  -- Months are counted from January 2000, so that they can be put in a row.
  SELECT
    log_group,
    (year - 2000) * 12 + month - 1 AS month_number,
    window_from,
    window_to
  FROM manifests
  WHERE schema_version = 2
    AND year BETWEEN 2025 AND 2026
),
gaps AS (
  -- From the end of each window to the beginning of the next. Where the next has begun before, there is none.
  SELECT
    log_group,
    month_number,
    window_to + 1 AS gap_from,
    coalesce(
      min(window_from) OVER (
        PARTITION BY log_group
        ORDER BY window_to
        ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
      ),
      1 + (SELECT max(window_to) FROM windows)
    ) AS gap_to
  FROM windows
)
SELECT DISTINCT
  gaps.log_group,
  date_format(date_add('month', months.month_number, DATE '2000-01-01'), '%Y-%m') AS month
FROM gaps
CROSS JOIN UNNEST(sequence(gaps.month_number, (SELECT 1 + max(month_number) FROM windows))) AS months (month_number)
WHERE gaps.gap_from < gaps.gap_to
  AND date_add('month', months.month_number, DATE '2000-01-01')
    <= CAST(from_unixtime((gaps.gap_to - 1) / 1e3) AT TIME ZONE 'Asia/Tokyo' AS date)
  AND date_add('month', months.month_number + 1, DATE '2000-01-01')
    > CAST(from_unixtime(gaps.gap_from / 1e3) AT TIME ZONE 'Asia/Tokyo' AS date)
ORDER BY log_group, month
