// The expressions of compact-logs.asl.json, evaluated by the reference JSONata: the SQL that they make, as it is, and where each answer leads.
//
// tests/e2e/sql walks the same definition over the local Athena, and tests/e2e runs it on both engines.

'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { definitionOf, walk } = require('./walk.cjs')

const definition = definitionOf('compact-logs')
const FAILED = { Error: 'States.TaskFailed', Cause: 'HIVE_X: "no"' }
const PLACE = 's3://${ArchiveBucketName}/${S3PrefixSlash}parquet/log_group=/ecs/web/year=2026/month=03/UUID/'
const IN_MONTH = "log_group = '/ecs/web' AND year = 2026 AND month = 3"

const row = (...values) => ({ Data: values.map(value => value === undefined ? {} : { VarCharValue: value }) })
const item = (name, changes = {}) => ({ log_group: name, year: '2026', month: '3', tasks: 'task', objects: '3', problem: '', ...changes })
const uuids = text => text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')

// Each look finds the next list of `looks`, and after the last one nothing. `counts` are `[exported, written, objects]`.
function compact (looks, { months = ['2026-03'], counts = ['7', '7', '3'], fail = () => false, tasks = {} } = {}) {
  const queries = []
  const children = []
  let look = -1
  const query = state => async ({ QueryString, WorkGroup, QueryExecutionContext, ClientRequestToken }) => {
    assert.equal(ClientRequestToken, state === 'WriteParquet' ? QueryString.match(/([0-9a-f-]{36})\/' WITH/)[1] : undefined)
    assert.deepEqual([WorkGroup, QueryExecutionContext], ['${CompactionWorkGroup}', { Database: '${DatabaseName}' }])
    queries.push(QueryString)
    if (state === 'ListLogGroups') look += 1
    if (fail(state, QueryString)) throw FAILED
    const OutputLocation = `s3://work-bucket/compaction/${look}.csv`
    return { QueryExecution: { QueryExecutionId: `q${look}`, ResultConfiguration: { OutputLocation } } }
  }
  const states = ['ListLogGroups', 'WriteParquet', 'CountRows', 'AddPartition', 'MovePartition', 'RemovePartition']
  const well = {
    ...Object.fromEntries(states.map(state => [state, query(state)])),
    ReadLogGroups: async request => {
      assert.deepEqual(request, { QueryExecutionId: `q${look}`, MaxResults: 51 })
      const found = looks[look] ?? []
      const rows = found.slice(0, 50).map(one => row(`${one.log_group} 2026-03`, String(found.length), one.log_group, '2026', '3', one.tasks, one.objects, one.problem || undefined))
      return { ResultSet: { Rows: [row('name', 'total', 'log_group', 'year', 'month', 'tasks', 'objects', 'problem'), ...rows] } }
    },
    ReadCounts: async ({ QueryExecutionId }) => {
      assert.equal(QueryExecutionId, `q${look}`)
      return { ResultSet: { Rows: [row('lines', 'lines', 'objects'), row(...counts)] } }
    },
    items: ({ bucket, key }) => {
      assert.deepEqual([bucket, key], ['work-bucket', `compaction/${look}.csv`])
      return looks[look]
    },
    ended: ends => children.push(...ends)
  }
  return walk(definition, { months }, { ...well, ...tasks }).then(ended => ({ ...ended, queries, children }))
}

test('the queries of a log group, in their order', async () => {
  const { output, queries, children } = await compact([[item('/ecs/web', { tasks: 'one,two' })]])
  assert.deepEqual(output, { months: ['2026-03'], compacted: 1 })
  assert.deepEqual(children.map(child => child.output), [{ exported: 7, written: 7, objects: 3 }])
  const list = 'SELECT name, count(*) OVER () AS total, log_group, year, month, tasks, objects, problem FROM uncompacted_months ' +
    'WHERE year IN (2026) AND month IN (3) AND year * 100 + month IN (202603) ORDER BY year, month, log_group'
  const lines = `FROM exported_lines WHERE ${IN_MONTH} AND task_id IN ('one', 'two')`
  assert.deepEqual(queries.map(uuids), [
    list,
    `UNLOAD (SELECT task_id, log_stream, object, line, event_time, message, is_continuation ${lines}) TO '${PLACE}' WITH (format = 'PARQUET', compression = 'ZSTD')`,
    `SELECT exported.lines, written.lines, written.objects FROM (SELECT count(*) AS lines ${lines}) AS exported ` +
      `CROSS JOIN (SELECT count(*) AS lines, count(DISTINCT object) AS objects FROM written_parquet WHERE ${IN_MONTH} AND attempt = 'UUID') AS written`,
    `ALTER TABLE compacted_logs ADD IF NOT EXISTS PARTITION (log_group = '/ecs/web', year = 2026, month = 3) LOCATION '${PLACE}'`,
    `ALTER TABLE compacted_logs PARTITION (log_group = '/ecs/web', year = 2026, month = 3) SET LOCATION '${PLACE}'`,
    list
  ])
  const attempts = new Set(queries.slice(1, 5).map(query => query.match(/[0-9a-f]{8}-[0-9a-f-]{27}/)[0]))
  assert.equal(attempts.size, 1, 'what is counted is what was written, and is published')
})

test('several months, and nothing to compact', async () => {
  const { output, queries } = await compact([], { months: ['2025-12', '2026-03', '2026-01'] })
  assert.ok(queries[0].includes('year IN (2025, 2026) AND month IN (12, 3, 1) AND year * 100 + month IN (202512, 202603, 202601)'), queries[0])
  assert.deepEqual([output, queries.length], [{ months: ['2025-12', '2026-03', '2026-01'], compacted: 0 }, 1])
})

test('what no manifest names any more is taken out', async () => {
  const { output, queries } = await compact([[item('/ecs/web', { tasks: '', objects: '0' })]])
  assert.equal(queries[1], "ALTER TABLE compacted_logs DROP IF EXISTS PARTITION (log_group = '/ecs/web', year = 2026, month = 3)")
  assert.deepEqual([output.compacted, queries.length], [1, 3])
})

test('a manifest that does not fit makes no statement', async () => {
  const { error, queries, children } = await compact(Array(4).fill([item("' OR '", { problem: 'the manifest x does not fit' }), item('/b')]))
  assert.equal(error, 'CompactionFailed')
  assert.deepEqual(children.slice(0, 2).map(child => child.error), ['ManifestInvalid', undefined])
  assert.equal(children[0].cause, 'the manifest x does not fit')
  assert.ok(!queries.join().includes("' OR '"))
})

test('what the listing tells in another way than the view makes no statement', async () => {
  for (const changes of [{ log_group: "/a' OR '" }, { tasks: "one' OR '" }, { year: '' }, { month: '3)' }]) {
    const { error, queries, children } = await compact(Array(4).fill([item('/a', changes)]))
    assert.deepEqual([error, children[0].error], ['CompactionFailed', 'ManifestInvalid'])
    assert.deepEqual(queries.map(query => query.split(' ')[0]), Array(4).fill('SELECT'))
  }
})

test('counts that differ publish nothing', async () => {
  for (const counts of [['7', '6', '3'], ['6', '7', '3'], ['0', '0', '0'], ['5', '5', '2']]) {
    const { children, queries } = await compact([[item('/ecs/web')]], { counts })
    const said = `the export has ${counts[0]} rows in 3 objects, and its Parquet ${counts[1]} rows of ${counts[2]} objects, at ${PLACE}`
    assert.deepEqual([children[0].error, uuids(children[0].cause)], ['CompactionRowsDiffer', said])
    assert.deepEqual(queries.map(query => query.split(' ')[0]), ['SELECT', 'UNLOAD', 'SELECT', 'SELECT'])
  }
})

test('a child that fails has its turn again, three rounds in all, each in a place of its own', async () => {
  const failures = state => { let left = 2; return (name) => name === state && left-- > 0 }
  for (const state of ['WriteParquet', 'CountRows', 'AddPartition', 'MovePartition']) {
    const { output, queries, visited } = await compact(Array(3).fill([item('/a')]), { fail: failures(state) })
    assert.deepEqual([output.compacted, visited.filter(name => name === 'WaitForNextRound').length], [1, 2], state)
    const places = queries.filter(query => query.startsWith('UNLOAD')).map(query => query.match(/TO '([^']*)'/)[1])
    assert.equal(new Set(places).size, 3)
  }
  const names = Array.from({ length: 60 }, (_, index) => item(`/g/${index}`))
  const { error, cause, visited } = await compact(Array(4).fill(names), { fail: state => state === 'WriteParquet' })
  assert.equal(error, 'CompactionFailed')
  assert.ok(cause.startsWith('60 of 60 log-group-months are not compacted: /g/0 2026-03; /g/1 2026-03; '), cause)
  assert.ok(cause.endsWith('; /g/49 2026-03; .... The failed executions of the last map run say why: {"MapRunArn":"arn:of:the:map:run"}'), cause)
  assert.equal(visited.filter(name => name === 'ListLogGroups').length, 4)
})

test('a map that fails is told where something is left', async () => {
  const ended = await compact(Array(4).fill([item('/a')]), { tasks: { mapError: { Error: 'States.ItemReaderFailed', Cause: 'y' } } })
  assert.equal(ended.cause, '1 of 1 log-group-months are not compacted: /a 2026-03. The failed executions of the last map run say why: {"Error":"States.ItemReaderFailed","Cause":"y"}')
})

test('a listing that fails is a failure, and a month that is none is refused', async () => {
  for (const tasks of [{ ListLogGroups: async () => { throw FAILED } }, { ReadLogGroups: async () => { throw FAILED } }]) {
    const unlisted = await compact([[item('/a')]], { tasks })
    assert.deepEqual([unlisted.error, unlisted.cause], ['CompactionFailed', 'the log groups to compact could not be listed: States.TaskFailed: HIVE_X: "no"'])
  }
  const timedOut = await compact([], { tasks: { ListLogGroups: async () => { throw { Error: 'States.Timeout' } } } })
  assert.equal(timedOut.cause, 'the log groups to compact could not be listed: States.Timeout: ')
  for (const months of [['2026-13'], ['26-01'], '2026-10', [7], ["2026-10' OR"], ['2026-10', '2026-1'], [], Array(1201).fill('2026-10')]) {
    const refused = await walk(definition, { months }, {})
    assert.equal(refused.error, 'InvalidInput')
    const said = (typeof months === 'string' ? months : JSON.stringify(months)).slice(0, 1000)
    assert.equal(refused.cause, `months is ${said}: give a list of 1 to 1200 archived months, each as YYYY-MM, such as 2026-10`)
  }
  assert.ok((await walk(definition, {}, {})).cause.startsWith('months is missing'))
})
