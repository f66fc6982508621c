// Tests the expressions of compact-logs.asl.json with the reference JSONata: the exact SQL, and the next state for each result.
//
// tests/e2e/sql walks the same definition over the local Athena, and tests/e2e runs it on both engines.

'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { readDefinition, walk } = require('./walk.cjs')

const definition = readDefinition('compact-logs')
const FAILED = { Error: 'States.TaskFailed', Cause: 'HIVE_X: "no"' }
const FOLDER = 's3://${ArchiveBucketName}/${S3PrefixSlash}parquet/log_group=/ecs/web/year=2026/month=03/UUID/'
const IN_MONTH = "log_group = '/ecs/web' AND year = 2026 AND month = 3"

const row = (...values) => ({ Data: values.map(value => value === undefined ? {} : { VarCharValue: value }) })
const item = (name, changes = {}) => ({ log_group: name, year: '2026', month: '3', tasks: 'task', objects: '3', problem: '', ...changes })
const replaceUuids = text => text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')

// Each comparison finds the next list of `comparisons`. After the last list, it finds nothing. `counts` are `[exported, written, objects]`.
function compact (comparisons, { months = ['2026-03'], counts = ['7', '7', '3'], fail = () => false, tasks = {} } = {}) {
  const queries = []
  const children = []
  let index = -1
  const query = state => async ({ QueryString, WorkGroup, QueryExecutionContext, ClientRequestToken }) => {
    assert.equal(ClientRequestToken, state === 'WriteParquet' ? QueryString.match(/([0-9a-f-]{36})\/' WITH/)[1] : undefined)
    assert.deepEqual([WorkGroup, QueryExecutionContext], ['${CompactionWorkGroup}', { Database: '${DatabaseName}' }])
    queries.push(QueryString)
    if (state === 'ListLogGroups') index += 1
    if (fail(state, QueryString)) throw FAILED
    const OutputLocation = `s3://work-bucket/compaction/${index}.csv`
    return { QueryExecution: { QueryExecutionId: `q${index}`, ResultConfiguration: { OutputLocation } } }
  }
  const states = ['ListLogGroups', 'WriteParquet', 'CountRows', 'AddPartition', 'MovePartition', 'RemovePartition']
  const defaults = {
    ...Object.fromEntries(states.map(state => [state, query(state)])),
    ReadLogGroups: async request => {
      assert.deepEqual(request, { QueryExecutionId: `q${index}`, MaxResults: 51 })
      const found = comparisons[index] ?? []
      const rows = found.slice(0, 50).map(item => row(`${item.log_group} 2026-03`, String(found.length), item.log_group, '2026', '3', item.tasks, item.objects, item.problem || undefined))
      return { ResultSet: { Rows: [row('name', 'total', 'log_group', 'year', 'month', 'tasks', 'objects', 'problem'), ...rows] } }
    },
    ReadCounts: async ({ QueryExecutionId }) => {
      assert.equal(QueryExecutionId, `q${index}`)
      return { ResultSet: { Rows: [row('lines', 'lines', 'objects'), row(...counts)] } }
    },
    items: ({ bucket, key }) => {
      assert.deepEqual([bucket, key], ['work-bucket', `compaction/${index}.csv`])
      return comparisons[index]
    },
    onMapEnd: ends => children.push(...ends)
  }
  return walk(definition, { months }, { ...defaults, ...tasks }).then(end => ({ ...end, queries, children }))
}

test('a log group has these queries in this order', async () => {
  const { output, queries, children } = await compact([[item('/ecs/web', { tasks: 'one,two' })]])
  assert.deepEqual(output, { months: ['2026-03'], compacted: 1 })
  assert.deepEqual(children.map(child => child.output), [{ exported: 7, written: 7, objects: 3 }])
  const list = 'SELECT name, count(*) OVER () AS total, log_group, year, month, tasks, objects, problem FROM uncompacted_months ' +
    'WHERE year IN (2026) AND month IN (3) AND year * 100 + month IN (202603) ORDER BY year, month, log_group'
  const lines = `FROM exported_lines WHERE ${IN_MONTH} AND task_id IN ('one', 'two')`
  assert.deepEqual(queries.map(replaceUuids), [
    list,
    `UNLOAD (SELECT task_id, log_stream, object, line, event_time, message, is_continuation ${lines}) TO '${FOLDER}' WITH (format = 'PARQUET', compression = 'ZSTD')`,
    `SELECT exported.lines, written.lines, written.objects FROM (SELECT count(*) AS lines ${lines}) AS exported ` +
      `CROSS JOIN (SELECT count(*) AS lines, count(DISTINCT object) AS objects FROM written_parquet WHERE ${IN_MONTH} AND attempt = 'UUID') AS written`,
    `ALTER TABLE compacted_logs ADD IF NOT EXISTS PARTITION (log_group = '/ecs/web', year = 2026, month = 3) LOCATION '${FOLDER}'`,
    `ALTER TABLE compacted_logs PARTITION (log_group = '/ecs/web', year = 2026, month = 3) SET LOCATION '${FOLDER}'`,
    list
  ])
  const attempts = new Set(queries.slice(1, 5).map(query => query.match(/[0-9a-f]{8}-[0-9a-f-]{27}/)[0]))
  assert.equal(attempts.size, 1, 'all statements have the folder of the same attempt')
})

test('several months, and nothing to compact', async () => {
  const { output, queries } = await compact([], { months: ['2025-12', '2026-03', '2026-01'] })
  assert.ok(queries[0].includes('year IN (2025, 2026) AND month IN (12, 3, 1) AND year * 100 + month IN (202512, 202603, 202601)'), queries[0])
  assert.deepEqual([output, queries.length], [{ months: ['2025-12', '2026-03', '2026-01'], compacted: 0 }, 1])
})

test('a partition without a manifest is removed', async () => {
  const { output, queries } = await compact([[item('/ecs/web', { tasks: '', objects: '0' })]])
  assert.equal(queries[1], "ALTER TABLE compacted_logs DROP IF EXISTS PARTITION (log_group = '/ecs/web', year = 2026, month = 3)")
  assert.deepEqual([output.compacted, queries.length], [1, 3])
})

test('an invalid manifest gets into no statement', async () => {
  const { error, queries, children } = await compact(Array(4).fill([item("' OR '", { problem: 'the manifest x does not fit' }), item('/b')]))
  assert.equal(error, 'CompactionFailed')
  assert.deepEqual(children.slice(0, 2).map(child => child.error), ['ManifestInvalid', undefined])
  assert.equal(children[0].cause, 'the manifest x does not fit')
  assert.ok(!queries.join().includes("' OR '"))
})

test('an invalid value of the listing gets into no statement', async () => {
  for (const changes of [{ log_group: "/a' OR '" }, { tasks: "one' OR '" }, { year: '' }, { month: '3)' }]) {
    const { error, queries, children } = await compact(Array(4).fill([item('/a', changes)]))
    assert.deepEqual([error, children[0].error], ['CompactionFailed', 'ManifestInvalid'])
    assert.deepEqual(queries.map(query => query.split(' ')[0]), Array(4).fill('SELECT'))
  }
})

test('different counts publish nothing', async () => {
  for (const counts of [['7', '6', '3'], ['6', '7', '3'], ['0', '0', '0'], ['5', '5', '2']]) {
    const { children, queries } = await compact([[item('/ecs/web')]], { counts })
    const cause = `the export has ${counts[0]} rows in 3 objects, and its Parquet ${counts[1]} rows of ${counts[2]} objects, at ${FOLDER}`
    assert.deepEqual([children[0].error, replaceUuids(children[0].cause)], ['CompactionRowsDiffer', cause])
    assert.deepEqual(queries.map(query => query.split(' ')[0]), ['SELECT', 'UNLOAD', 'SELECT', 'SELECT'])
  }
})

test('a failed child runs in three rounds, each with a new folder', async () => {
  const failTwice = state => { let left = 2; return name => name === state && left-- > 0 }
  for (const state of ['WriteParquet', 'CountRows', 'AddPartition', 'MovePartition']) {
    const { output, queries, visited } = await compact(Array(3).fill([item('/a')]), { fail: failTwice(state) })
    assert.deepEqual([output.compacted, visited.filter(name => name === 'WaitForNextRound').length], [1, 2], state)
    const folders = queries.filter(query => query.startsWith('UNLOAD')).map(query => query.match(/TO '([^']*)'/)[1])
    assert.equal(new Set(folders).size, 3)
  }
  const names = Array.from({ length: 60 }, (_, index) => item(`/g/${index}`))
  const { error, cause, visited } = await compact(Array(4).fill(names), { fail: state => state === 'WriteParquet' })
  assert.equal(error, 'CompactionFailed')
  assert.ok(cause.startsWith('60 of 60 log-group-months are not compacted: /g/0 2026-03; /g/1 2026-03; '), cause)
  assert.ok(cause.endsWith('; /g/49 2026-03; .... The failed executions of the last map run say why: {"MapRunArn":"arn:of:the:map:run"}'), cause)
  assert.equal(visited.filter(name => name === 'ListLogGroups').length, 4)
})

test('the cause has the error of a failed map', async () => {
  const { cause } = await compact(Array(4).fill([item('/a')]), { tasks: { mapError: { Error: 'States.ItemReaderFailed', Cause: 'y' } } })
  assert.equal(cause, '1 of 1 log-group-months are not compacted: /a 2026-03. The failed executions of the last map run say why: {"Error":"States.ItemReaderFailed","Cause":"y"}')
})

test('a failed listing and invalid months fail the execution', async () => {
  for (const tasks of [{ ListLogGroups: async () => { throw FAILED } }, { ReadLogGroups: async () => { throw FAILED } }]) {
    const failed = await compact([[item('/a')]], { tasks })
    assert.deepEqual([failed.error, failed.cause], ['CompactionFailed', 'the log groups to compact could not be listed: States.TaskFailed: HIVE_X: "no"'])
  }
  const timedOut = await compact([], { tasks: { ListLogGroups: async () => { throw { Error: 'States.Timeout' } } } })
  assert.equal(timedOut.cause, 'the log groups to compact could not be listed: States.Timeout: ')
  for (const months of [['2026-13'], ['26-01'], '2026-10', [7], ["2026-10' OR"], ['2026-10', '2026-1'], [], Array(1201).fill('2026-10')]) {
    const refused = await walk(definition, { months }, {})
    assert.equal(refused.error, 'InvalidInput')
    const value = (typeof months === 'string' ? months : JSON.stringify(months)).slice(0, 1000)
    assert.equal(refused.cause, `months is ${value}: give a list of 1 to 1200 archived months, each as YYYY-MM, such as 2026-10`)
  }
  assert.ok((await walk(definition, {}, {})).cause.startsWith('months is missing'))
})
