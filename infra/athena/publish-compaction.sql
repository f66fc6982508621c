-- Name: Compaction 4: publish
-- Description: Makes the verified Parquet the log group's month in compacted_logs. The location is that of 1.
ALTER TABLE compacted_logs ADD PARTITION (log_group = '/aws/lambda/orders', year = 2026, month = 10)
LOCATION 's3://${Bucket}/${S3PrefixSlash}parquet/log_group=/aws/lambda/orders/year=2026/month=10/by-hand-1/'
