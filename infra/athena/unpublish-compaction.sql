-- Name: Compaction 3: take an earlier one out
-- Description: Takes the log group's month out of compacted_logs, if it is there. No file is deleted.
ALTER TABLE compacted_logs DROP IF EXISTS PARTITION (log_group = '/aws/lambda/orders', year = 2026, month = 10)
