// The expressions of compact-logs.asl.json, on what no local engine can bring about: row counts that differ, queries that fail in
// every place, a child that dies without an outcome; and the SQL that they make, as it is.

'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { DEATH, definitionOf, walk } = require('./walk.cjs')

const definition = definitionOf('compact-logs')
const FAILED = { Error: 'States.TaskFailed', Cause: JSON.stringify({ Status: { State: 'FAILED', StateChangeReason: 'HIVE_X: "no"' } }) }

const started = sql => ({ QueryExecution: { QueryExecutionId: 'q', Query: sql } })
const row = (...values) => ({ Data: values.map(VarCharValue => ({ VarCharValue })) })

// The log-group-months of March 2026 in pages of fifty, a task with three objects each, and counts by log group: `[exported, compacted, objects]`.
function compact (names, { counts = () => ['7', '7', '3'], fail = () => false, months = ['2026-03'], outside = [], exported = 'task', tasks = {} } = {}) {
  const queries = []
  let listed = 0
  const query = state => async ({ QueryString, WorkGroup, ClientRequestToken }) => {
    assert.equal(ClientRequestToken, state === 'WriteParquet' ? QueryString.match(/compaction_\w+/)[0] : undefined)
    assert.equal(WorkGroup, '${CompactionWorkGroup}')
    queries.push(QueryString)
    if (fail(state, QueryString)) throw FAILED
    return started(QueryString)
  }
  const states = ['ListLogGroups', 'WriteParquet', 'CountRows', 'RemovePartition', 'AddPartition', 'DropTable', 'DiscardAttempt']
  const well = {
    ...Object.fromEntries(states.map(state => [state, query(state)])),
    ReadLogGroups: async ({ QueryExecutionId, NextToken }) => {
      assert.equal(QueryExecutionId, 'q')
      const header = NextToken ? [] : [row('log_group', 'year', 'month', 'tasks', 'objects', 'covered')]
      const page = names.slice(listed, listed + 50).map(name => row(name, '2026', '3', exported, '3', String(!outside.includes(name))))
      listed += 50
      return { ResultSet: { Rows: [...header, ...page] }, ...(listed < names.length ? { NextToken: String(listed) } : {}) }
    },
    ReadCounts: async () => ({ ResultSet: { Rows: [row('exported', 'compacted', 'objects'), row(...counts(queries.at(-1)))] } })
  }
  return walk(definition, { months }, { ...well, ...tasks }).then(ended => ({ ...ended, queries }))
}

const uuids = text => text.replace(/[0-9a-f]{8}([-_])[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}/g, 'UUID')

test('the queries of a log group, in their order', async () => {
  const { output, queries } = await compact(['/ecs/web'])
  assert.deepEqual(output, { months: ['2026-03'], compacted: 1, rows: 7, outside: 0 })
  const place = 's3://${ArchiveBucketName}/${S3PrefixSlash}parquet/log_group=/ecs/web/year=2026/month=03/UUID/'
  const lines = "SELECT element_at(split(numbered.object, '/'), -3) AS task_id, element_at(split(numbered.object, '/'), -2) AS log_stream, " +
    'numbered.object, numbered.line, numbered.event_time, ' +
    "IF(numbered.event_time IS NULL, concat_ws(' ', numbered.written_time, numbered.message), numbered.message) AS message, numbered.event_time IS NULL AS is_continuation " +
    'FROM (SELECT "$path" AS object, row_number() OVER (PARTITION BY log_group, year, month, "$path") AS line, event_time AS written_time, ' +
    "CAST(TRY(from_iso8601_timestamp(event_time)) AS timestamp(3)) AS event_time, message FROM log_lines WHERE log_group = '/ecs/web' AND year = 2026 AND month = 3) AS numbered " +
    "WHERE element_at(split(numbered.object, '/'), -3) IN ('task')"
  const inMonths = 'year IN (2026) AND month IN (3) AND year * 100 + month IN (202603)'
  assert.deepEqual(queries.map(uuids), [
    'SELECT e.log_group, e.year, e.month, e.tasks, e.objects, e.covered ' +
      "FROM (SELECT log_group, year, month, covered, array_join(array_agg(task_id ORDER BY task_id), ',') AS tasks, sum(objects) AS objects " +
      "FROM (SELECT log_group, year, month, task_id, objects - coalesce(hidden_objects, 0) AS objects, bucket = '${ArchiveBucketName}' AND " +
      "destination_prefix = '${S3PrefixSlash}log_group=' || log_group || '/year=' || CAST(year AS varchar) || '/month=' || lpad(CAST(month AS varchar), 2, '0') AS covered " +
      `FROM manifests WHERE schema_version = 2 AND outcome IN ('exported', 'lost') AND ${inMonths}) AS exported WHERE objects > 0 GROUP BY log_group, year, month, covered) AS e ` +
      "LEFT JOIN (SELECT log_group, year, month, array_join(array_agg(DISTINCT task_id ORDER BY task_id), ',') AS tasks " +
      `FROM compacted_logs WHERE ${inMonths} GROUP BY log_group, year, month) AS c ON c.log_group = e.log_group AND c.year = e.year AND c.month = e.month ` +
      'WHERE c.tasks IS NULL OR c.tasks <> e.tasks ORDER BY e.year, e.month, e.log_group',
    `CREATE TABLE compaction_UUID WITH (format = 'PARQUET', write_compression = 'ZSTD', external_location = '${place}') AS WITH logs AS (${lines}) SELECT task_id, log_stream, object, line, event_time, message, is_continuation FROM logs`,
    `WITH logs AS (${lines}) SELECT (SELECT count(*) FROM logs) AS exported, (SELECT count(*) FROM compaction_UUID) AS compacted, (SELECT count(DISTINCT object) FROM compaction_UUID) AS objects`,
    "ALTER TABLE compacted_logs DROP IF EXISTS PARTITION (log_group = '/ecs/web', year = 2026, month = 3)",
    `ALTER TABLE compacted_logs ADD PARTITION (log_group = '/ecs/web', year = 2026, month = 3) LOCATION '${place}'`,
    'DROP TABLE IF EXISTS compaction_UUID'
  ])
  const [create, count, , add, drop] = queries.slice(1)
  const table = create.match(/compaction_\w+/)[0]
  assert.ok(count.includes(table) && drop.includes(table))
  assert.ok(create.includes(add.match(/LOCATION ('.*')/)[1]), 'the partition is what was written')
})

test('a month of several tasks, and several months', async () => {
  const { queries } = await compact(['/a'], { exported: 'one,two', months: ['2025-12', '2026-03', '2026-01'] })
  assert.ok(queries[0].includes('year IN (2025, 2026) AND month IN (12, 3, 1) AND year * 100 + month IN (202512, 202603, 202601)'), queries[0])
  assert.ok(queries[1].includes("-3) IN ('one', 'two')"), queries[1])
})

test('every page is compacted, and nothing to compact is a success', async () => {
  const names = Array.from({ length: 120 }, (_, index) => `/g/${index}`)
  const ended = await compact(names)
  assert.deepEqual(ended.output, { months: ['2026-03'], compacted: 120, rows: 840, outside: 0 })
  assert.deepEqual((await compact([], { months: ['2026-12'] })).output, { months: ['2026-12'], compacted: 0, rows: 0, outside: 0 })
})

test('what lies outside of the tables is counted, and not compacted', async () => {
  const names = Array.from({ length: 60 }, (_, index) => `/g/${index}`)
  const ended = await compact(names, { outside: ['/g/0', '/g/1', '/g/55'] })
  assert.deepEqual(ended.output, { months: ['2026-03'], compacted: 57, rows: 399, outside: 3 })
  assert.deepEqual((await compact(['/x'], { outside: ['/x'] })).output, { months: ['2026-03'], compacted: 0, rows: 0, outside: 1 })
})

test('row counts that differ, or lack an object, never get into the table', async () => {
  for (const counts of [['7', '6', '3'], ['6', '7', '3'], ['0', '0', '0'], ['5', '5', '2']]) {
    const { error, cause, queries, visited } = await compact(['/a', '/b'], { counts: query => query.includes("'/b'") ? counts : ['7', '7', '3'] })
    assert.equal(error, 'CompactionFailed')
    const said = `1 of 2 log-group-months were not compacted: /b 2026-03: CompactionRowsDiffer: the export has ${counts[0]} rows in 3 objects, and its Parquet ${counts[1]} rows of ${counts[2]} objects, at s3://`
    assert.ok(cause.startsWith(said), cause)
    const ofB = queries.filter(query => query.includes("'/b'"))
    assert.deepEqual(ofB.map(query => query.split(' ')[0]), ['CREATE', 'WITH', 'CREATE', 'WITH', 'CREATE', 'WITH'])
    assert.equal(new Set(ofB.map(query => query.match(/compaction_\w+/)[0])).size, 3, 'each attempt has a table of its own')
    assert.equal(visited.at(-1), 'FailCompaction')
  }
})

test('a query that fails is tried again in an attempt of its own, and told when none succeeds', async () => {
  for (const place of ['WriteParquet', 'CountRows', 'RemovePartition', 'AddPartition']) {
    let failures = 2
    const recovered = await compact(['/a'], { fail: state => state === place && failures-- > 0 })
    assert.deepEqual(recovered.output.compacted, 1, place)
    const ended = await compact(['/a'], { fail: state => state === place })
    assert.equal(ended.cause, '1 of 1 log-group-months were not compacted: /a 2026-03: States.TaskFailed: HIVE_X: "no"', place)
  }
})

test('a table that cannot be dropped is no failure, and hides none', async () => {
  assert.equal((await compact(['/a'], { fail: state => state === 'DropTable' })).output.compacted, 1)
  const ended = await compact(['/a'], { fail: state => state === 'DiscardAttempt' || state === 'WriteParquet' })
  assert.equal(ended.cause, '1 of 1 log-group-months were not compacted: /a 2026-03: States.TaskFailed: HIVE_X: "no"')
})

test('a child that ends without an outcome, or a map run that fails, is a failure of its log groups', async () => {
  const silent = await compact(['/a', '/b'], { tasks: { WriteParquet: async ({ QueryString }) => { if (QueryString.includes("'/a'")) throw DEATH; return started('') } } })
  assert.equal(silent.cause, '1 of 2 log-group-months were not compacted: /a 2026-03: Unexpected: its child execution ended without an outcome; see the map run')
  const whole = await compact(['/a', '/b'], { tasks: { mapError: { Error: 'States.X', Cause: 'y' } } })
  assert.equal(whole.error, 'CompactionFailed')
  assert.ok(whole.cause.startsWith('2 of 2 log-group-months were not compacted: /a 2026-03: Unexpected: '), whole.cause)
  assert.ok(whole.cause.endsWith('see the map run: States.X: y'), whole.cause)
})

test('a listing that fails is a failure, and a month that is none is refused', async () => {
  const unlisted = await compact(['/a'], { fail: state => state === 'ListLogGroups' })
  assert.equal(unlisted.error, 'CompactionFailed')
  assert.ok(unlisted.cause.startsWith('the log groups to compact could not be listed: States.TaskFailed: '), unlisted.cause)
  for (const months of [['2026-13'], ['26-01'], '2026-10', [7], ["2026-10' OR"], ['2026-10', '2026-1'], [], Array(121).fill('2026-10')]) {
    const refused = await walk(definition, { months }, {})
    assert.equal(refused.error, 'InvalidInput')
    const said = (typeof months === 'string' ? months : JSON.stringify(months)).slice(0, 1000)
    assert.equal(refused.cause, `months is ${said}: give a list of 1 to 120 archived months, each as YYYY-MM, such as 2026-10`)
  }
  assert.ok((await walk(definition, {}, {})).cause.startsWith('months is missing'))
})
