-- Name: Table for an entry's own s3Prefix
-- Description: A table like log_lines for entries with an s3Prefix of their own, here web: edit the table's name, and web in both locations. The names in braces after a dollar sign stand for the partition columns and stay.
CREATE EXTERNAL TABLE log_lines_web (
  event_time string,
  message string
)
PARTITIONED BY (
  log_group string,
  year int,
  month int
)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
WITH SERDEPROPERTIES (
  'input.regex' = '^(?:([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z) )?(.*)$'
)
STORED AS TEXTFILE
LOCATION 's3://${Bucket}/web/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.log_group.type' = 'injected',
  'projection.year.type' = 'integer',
  'projection.year.range' = '2014,2099',
  'projection.month.type' = 'integer',
  'projection.month.range' = '1,12',
  'projection.month.digits' = '2',
  'storage.location.template' = 's3://${Bucket}/web/log_group=${log_group}/year=${year}/month=${month}/'
)
