-- Name: Fields of JSON messages
-- Description: The first 1,000 events whose message is a JSON object, with some of its fields. Messages that are no JSON, or broken JSON, are passed over.
SELECT
  event_time,
  json_extract_scalar(document, '$.level') AS level,
  json_extract_scalar(document, '$.requestId') AS request_id,
  json_extract_scalar(document, '$.error.code') AS error_code,
  TRY_CAST(json_extract_scalar(document, '$.durationMs') AS double) AS duration_ms,
  log_stream,
  message
FROM (
  SELECT
    *,
    TRY(json_parse(message)) AS document
  FROM events
  WHERE log_group = '/aws/lambda/orders' AND year = 2026 AND month = 10
    AND starts_with(message, '{')
) AS parsed
WHERE document IS NOT NULL
ORDER BY event_time NULLS FIRST, object, line
LIMIT 1000
