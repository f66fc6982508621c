// The expressions of export-logs.asl.json, evaluated by the reference JSONata in the version that AWS names, on what no
// local engine can bring about: a listing whose token has ended, a child that dies without an outcome, a map run that fails
// as a whole, lists longer than fifty, a cause that is missing or cut.

'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { DEATH, context, definitionOf, evaluate, walk } = require('./walk.cjs')

const definition = definitionOf('export-logs', { NotifyOnSuccess: 'true' })
// A run over these pages, in which all goes well but for what `fates` says of a log group.
function run (pages, fates = {}, tasks = {}, input = {}, machine = definition) {
  const created = []
  const published = []
  const recorded = []
  const plan = { s3BucketName: 'b', s3Prefix: '', timezone: 'Asia/Tokyo', month: '2026-10', from: 1, to: 2, force: false, allowIncompleteMonth: false, compact: false, pages, ...input }
  const well = {
    ValidateInput: async () => ({ Payload: plan }),
    CreateExportTask: async ({ Payload: { logGroupName } }) => {
      created.push(logGroupName)
      const fate = fates[logGroupName] ?? {}
      if (fate === DEATH || fate.Error) throw fate
      return { Payload: { logGroupName, status: 'CREATED', taskId: 't', reason: null, warnings: [], ...fate } }
    },
    CheckExportTask: async ({ Payload: { logGroupName } }) => exported(logGroupName),
    RecordOutcomes: async ({ LogEvents }) => { recorded.push(...LogEvents); return {} },
    PublishSummary: async message => { published.push(message); return {} }
  }
  return walk(machine, {}, { ...well, ...tasks }).then(ended => ({ ...ended, largest: ended.visited.largest, created, published, recorded }))
}

const exported = logGroupName => ({ Payload: { logGroupName, outcome: 'exported', taskId: 't', objects: 2, bytes: 10, warnings: [] } })

const names = count => Array.from({ length: count }, (_, index) => `/p/${String(index).padStart(3, '0')}`)

// DescribeLogGroups over these names, whose token is refused where `refuse` says so.
const listing = (all, refuse) => async ({ NextToken }) => {
  const from = Number(NextToken ?? 0)
  if (NextToken && refuse(from)) throw { Error: 'CloudWatchLogs.InvalidParameterException', Cause: 'The specified nextToken is invalid.' }
  const page = { LogGroups: all.slice(from, from + 50).map(LogGroupName => ({ LogGroupName })) }
  return from + 50 < all.length ? { ...page, NextToken: String(from + 50) } : page
}

const PREFIX = { logGroupNamePrefix: '/p/', placement: {} }

test('a token that ended is no reason to lose a log group or to export one twice', async () => {
  for (const places of [[50], [100], [50, 100]]) {
    const left = new Set(places)
    const ended = await run([PREFIX, { logGroups: ['/z'] }], {}, { ListLogGroups: listing(names(120), from => left.delete(from)) })
    assert.deepEqual(ended.created, [...names(120), '/z'], String(places))
    assert.equal(ended.output.counts.exported, 121)
  }
})

test('a token that is never taken ends the prefix entry, not the run', async () => {
  const ended = await run([PREFIX, { logGroups: ['/z'] }], {}, { ListLogGroups: listing(names(120), () => true) })
  assert.deepEqual(ended.created, [...names(50), '/z'])
  assert.equal(ended.error, 'ExportsFailed')
  assert.equal(ended.cause, '1 of 52 log groups failed: /p/*: CloudWatchLogs.InvalidParameterException: The log groups of this prefix after /p/049 could not be listed: The specified nextToken is invalid.')
})

test('a prefix that cannot be listed at all is one failure', async () => {
  const ended = await run([PREFIX, { logGroups: ['/z'] }], {}, { ListLogGroups: async () => { throw { Error: 'CloudWatchLogs.AccessDeniedException' } } })
  assert.deepEqual([ended.created, ended.error], [['/z'], 'ExportsFailed'])
  assert.match(ended.cause, /^1 of 2 log groups failed: \/p\/\*: CloudWatchLogs.AccessDeniedException: The log groups of this prefix could not be listed: $/)
})

test('excluded names and prefixes are left out, and all of a page may be', async () => {
  const page = { ...PREFIX, excludeNames: ['/p/007'], excludePrefixes: ['/p/00', '/p/1'] }
  const ended = await run([page], {}, { ListLogGroups: listing(names(110), () => false) })
  assert.deepEqual(ended.created, names(110).slice(10, 100))
})

test('a task that failed or was cancelled is created again twice, and the third failure counts', async () => {
  for (const Error of ['ExportTaskFailed', 'ExportTaskCancelled']) {
    for (const failures of [1, 2, 3, 4]) {
      let left = failures
      const CheckExportTask = async ({ Payload: { logGroupName } }) => {
        if (logGroupName === '/a' && left-- > 0) throw { Error, Cause: '{"errorMessage":"said"}' }
        return exported(logGroupName)
      }
      const ended = await run([{ logGroups: ['/a', '/b'] }], {}, { CheckExportTask })
      assert.deepEqual(ended.created, [...Array(Math.min(failures + 1, 3)).fill('/a'), '/b'])
      assert.equal(ended.cause, failures < 3 ? undefined : `1 of 2 log groups failed: /a: ${Error}: said`)
    }
  }
})

test('a log group that is gone after its task failed is a failure, not a skip', async () => {
  for (const [reason, cause] of [['LogGroupNotFound', '1 of 1 log groups failed: /a: ExportTaskFailed: said'], ['NoEventsInMonth', '1 of 1 log groups failed: /a: ExportTaskFailed: said'], ['AlreadyArchived', undefined]]) {
    let attempt = 0
    const CreateExportTask = async ({ Payload }) => ({ Payload: attempt++ ? { status: 'SKIPPED', reason } : { logGroupName: Payload.logGroupName, status: 'CREATED', taskId: 't' } })
    const CheckExportTask = async () => { throw { Error: 'ExportTaskFailed', Cause: '{"errorMessage":"said"}' } }
    const ended = await run([{ logGroups: ['/a'] }], {}, { CreateExportTask, CheckExportTask })
    assert.equal(ended.cause, cause)
  }
})

test('a task that outlives the polling is cancelled, and counts if it ended just then', async () => {
  const CheckExportTask = async () => { throw { Error: 'ExportTaskRunning', Cause: '{"errorMessage":"still"}' } }
  const asked = []
  const timedOut = async ({ Payload }) => { asked.push(Payload); throw { Error: 'ExportTaskTimedOut', Cause: '{"errorMessage":"cancelled"}' } }
  const failed = await run([{ logGroups: ['/a'] }], {}, { CheckExportTask, CancelExportTask: timedOut })
  assert.deepEqual([asked[0].taskId, asked[0].cancel, failed.created], ['t', true, ['/a']])
  assert.equal(failed.cause, '1 of 1 log groups failed: /a: ExportTaskTimedOut: cancelled')
  const ended = await run([{ logGroups: ['/a'] }], {}, { CheckExportTask, CancelExportTask: async ({ Payload }) => exported(Payload.logGroupName) })
  assert.equal(ended.output.counts.exported, 1)
})

test('an entry says what it says in place of the run, and the run the rest', async () => {
  const events = []
  const CreateExportTask = async ({ Payload }) => { events.push(Payload); return { Payload: { status: 'SKIPPED', reason: 'AlreadyArchived' } } }
  const ended = await run([{ logGroups: ['/a', { logGroupName: '/b', s3Prefix: 'own', logStreamNamePrefix: 'prod/' }] }], {}, { CreateExportTask })
  const common = { s3BucketName: 'b', s3Prefix: '', timezone: 'Asia/Tokyo', month: '2026-10', force: false, allowIncompleteMonth: false, startTime: context.Execution.StartTime, execution: 'arn:run', queuedSince: context.State.EnteredTime }
  assert.deepEqual(events, [{ ...common, logGroupName: '/a' }, { ...common, logGroupName: '/b', s3Prefix: 'own', logStreamNamePrefix: 'prod/' }])
  assert.deepEqual(ended.output.skips.map(skip => skip.logGroupName), ['/a', '/b'])
})

test('a log group whose child ended without an outcome is a failure', async () => {
  const ended = await run([{ logGroups: ['/a', { logGroupName: '/b' }, '/c'] }], { '/b': DEATH })
  assert.equal(ended.error, 'ExportsFailed')
  assert.match(ended.cause, /^1 of 3 log groups failed: \/b: Unexpected: 1 of this page ended without an outcome; see the failed child executions/)
})

test('a map run that fails as a whole fails each of its log groups', async () => {
  for (const [error, said] of [[{ Error: 'States.Runtime', Cause: 'because' }, /States.Runtime: because$/], [{ Error: 'States.Runtime' }, /States.Runtime: $/]]) {
    const ended = await run([{ logGroups: ['/a', '/b'] }], {}, { mapError: error })
    assert.equal(ended.error, 'ExportsFailed')
    assert.match(ended.cause, /^2 of 2 log groups failed: \/a, \/b: Unexpected: 2 of this page ended without an outcome;/)
    assert.match(ended.cause, said)
  }
})

test('lists keep fifty, counts count all, and the notification says that it is cut', async () => {
  const all = names(120)
  const cause = JSON.stringify({ errorType: 'AccessDenied', errorMessage: `"no" \\ ${'x'.repeat(2000)}` })
  const fates = Object.fromEntries(all.map((name, index) => [name, index < 60 ? { Error: 'AccessDenied', Cause: cause } : { status: 'SKIPPED', reason: 'LogGroupNotFound' }]))
  const ended = await run([{ logGroups: all.slice(0, 50) }, { logGroups: all.slice(50, 100) }, { logGroups: all.slice(100) }], fates)
  assert.match(ended.cause, /^60 of 120 log groups failed: \/p\/000: AccessDenied: "no" \\ x{990}/)
  assert.ok(ended.cause.length <= 32000)
  const { Subject, Message } = ended.published[0]
  assert.equal(Subject, 'CloudWatch Logs archive 2026-10: 60 of 120 log groups FAILED')
  assert.match(Message, /\nFailed \(the first 50 of 60\)\n- \/p\/000: AccessDenied: "no" \\ x{993}\n {2}To do: allow what it names to the role, then run the month again\n- /)
  assert.match(Message, /\nSkipped \(the first 50 of 60\)\n- \/p\/060: LogGroupNotFound\n/)
  assert.ok(Buffer.byteLength(Message) < 256 * 1024)
})

test('fifty failures and three warnings for each log group fit into a payload', async () => {
  const all = Array.from({ length: 50 }, (_, index) => String(index).padStart(512, 'g'))
  const failed = await run([{ logGroups: all }], Object.fromEntries(all.map(name => [name, { Error: 'DestinationRejected', Cause: 'c'.repeat(5000) }])))
  const warnings = Array.from({ length: 3 }, () => ({ name: 'RetentionShorterThanMonth', message: 'm'.repeat(5000) }))
  const CheckExportTask = async ({ Payload: { logGroupName } }) => ({ Payload: { ...exported(logGroupName).Payload, warnings } })
  const warned = await run([{ logGroups: all }, { logGroups: all }], {}, { CheckExportTask })
  assert.equal(warned.output.counts.exported, 100)
  for (const { largest } of [failed, warned]) assert.ok(largest < 256 * 1024, `${largest} bytes`)
})

test('a rejected run tells what was said, whatever form the cause has', async () => {
  const wrapped = message => JSON.stringify({ errorType: 'InvalidInput', errorMessage: message, trace: [] })
  for (const [thrown, cause] of [
    [{ Error: 'InvalidInput', Cause: wrapped('month is "2026-13": 月 \\ \n') }, 'month is "2026-13": 月 \\ \n'],
    [{ Error: 'InvalidInput', Cause: wrapped('"'.repeat(14000)) }, '"'.repeat(14000)],
    [{ Error: 'Lambda.Unknown', Cause: '{"errorMessage":"cut of' }, '{"errorMessage":"cut of'],
    [{ Error: 'Lambda.Unknown', Cause: 'text' }, 'text'],
    [{ Error: 'States.Timeout' }, '']
  ]) {
    const ended = await run([], {}, { ValidateInput: async () => { throw thrown } })
    assert.deepEqual([ended.error, ended.cause], [thrown.Error, cause])
    assert.equal(ended.published[0].Subject, `CloudWatch Logs archive: refused: ${thrown.Error}`)
  }
})

test('a notification that cannot be sent is an error of its own, and does not hide another', async () => {
  const PublishSummary = async () => { throw { Error: 'SNS.NotFoundException', Cause: 'no topic' } }
  const well = await run([{ logGroups: ['/a'] }], {}, { PublishSummary })
  assert.deepEqual([well.error, well.cause], ['NotificationFailed', 'All log groups of 2026-10 ended well, but the notification could not be sent: SNS.NotFoundException: no topic'])
  const badly = await run([{ logGroups: ['/a'] }], { '/a': { Error: 'AccessDenied', Cause: 'no' } }, { PublishSummary })
  assert.deepEqual([badly.error, badly.cause], ['ExportsFailed', '1 of 1 log groups failed: /a: AccessDenied: no (and the notification could not be sent: SNS.NotFoundException: no topic)'])
})

test('a run compacts its month only where it is asked to, and after the exports', async () => {
  const asked = []
  const tasks = { CompactLogs: async task => { asked.push(task); return { Output: { year: 2026, month: 10, compacted: 2, rows: 70, outside: 1 } } } }
  const without = await run([{ logGroups: ['/a'] }], {}, tasks)
  assert.deepEqual([without.output.compaction, asked], [{ status: 'NOT_REQUESTED' }, []])
  const ended = await run([{ logGroups: ['/a', '/b'] }], {}, tasks, { compact: true })
  assert.deepEqual(asked, [{ StateMachineArn: '${CompactLogsStateMachineArn}', Input: { month: '2026-10', AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID: 'arn:run' } }])
  assert.deepEqual(ended.output.compaction, { status: 'SUCCEEDED', compacted: 2, rows: 70, outside: 1 })
  assert.ok(ended.published[0].Message.includes('0 failed.\nCompacted: 2 log groups, 70 rows. 1 lie outside the prefix of the stack, which its tables do not cover, and were not compacted.\n'), ended.published[0].Message)
})

test('a compaction that fails is told, and fails the run with its own name or beside the exports', async () => {
  const cause = JSON.stringify({ ExecutionArn: 'arn:c', Status: 'FAILED', Error: 'CompactionFailed', Cause: '1 of 2 log groups were not compacted: /b: "x"' })
  const tasks = { CompactLogs: async () => { throw { Error: 'States.TaskFailed', Cause: cause } } }
  const alone = await run([{ logGroups: ['/a'] }], {}, tasks, { compact: true })
  assert.deepEqual([alone.error, alone.cause], ['CompactionFailed', 'every export ended well, but 1 of 2 log groups were not compacted: /b: "x"'])
  assert.ok(alone.published[0].Subject.endsWith('2026-10: compaction FAILED'), alone.published[0].Subject)
  assert.ok(alone.published[0].Message.includes('CompactionFailed: 1 of 2 log groups were not compacted: /b: "x"\n  To do: correct what it names, then start the compaction'), alone.published[0].Message)
  const both = await run([{ logGroups: ['/a'] }], { '/a': { Error: 'AccessDenied', Cause: 'no' } }, tasks, { compact: true })
  assert.equal(both.error, 'ExportsFailed')
  assert.equal(both.cause, '1 of 1 log groups failed: /a: AccessDenied: no (and the compaction failed: 1 of 2 log groups were not compacted: /b: "x")')
  const refused = await run([{ logGroups: ['/a'] }], {}, { CompactLogs: async () => { throw { Error: 'StepFunctions.AccessDeniedException', Cause: 'no' } } }, { compact: true })
  assert.equal(refused.cause, 'every export ended well, but StepFunctions.AccessDeniedException: no')
})

test('every outcome is one line of the audit, whatever the page is', async () => {
  const long = JSON.stringify({ errorMessage: 'one\ntwo ' + 'x'.repeat(5000) })
  const fates = { '/b': { Error: 'AccessDenied', Cause: long }, '/c': { status: 'SKIPPED', reason: 'AlreadyArchived' }, '/d': DEATH }
  const CheckExportTask = async ({ Payload: { logGroupName } }) => logGroupName === '/e' ? { Payload: { ...exported('/e').Payload, outcome: 'empty', objects: 0, bytes: 0 } } : exported(logGroupName)
  const none = async () => ({ LogGroups: [] })
  const ended = await run([{ logGroups: ['/a', '/b', { logGroupName: '/c' }, '/d', '/e'] }, PREFIX], fates, { CheckExportTask, ListLogGroups: none })
  const at = Date.parse(context.State.EnteredTime)
  assert.deepEqual(ended.recorded.map(event => event.Timestamp), Array(6).fill(at))
  assert.deepEqual(ended.recorded.map(event => event.Message), [
    '/a 2026-10 exported 2 objects 10 bytes task t run arn:run',
    '/e 2026-10 empty 0 objects 0 bytes task t run arn:run',
    '/c 2026-10 skipped AlreadyArchived run arn:run',
    '/b 2026-10 failed AccessDenied run arn:run: one two ' + 'x'.repeat(992),
    '/d 2026-10 failed Unexpected run arn:run: its child execution ended without an outcome',
    '/p/* 2026-10 skipped LogGroupNotFound run arn:run'
  ])
})

test('an audit that cannot be written fails a run that ended well, after it was told', async () => {
  const RecordOutcomes = async () => { throw { Error: 'CloudWatchLogs.ResourceNotFoundException', Cause: 'no stream' } }
  const ended = await run([{ logGroups: ['/a'] }], {}, { RecordOutcomes })
  assert.deepEqual([ended.error, ended.cause], ['AuditFailed', 'All log groups of 2026-10 ended well, but their outcomes could not all be recorded: CloudWatchLogs.ResourceNotFoundException: no stream'])
  assert.equal(ended.published[0].Subject, 'CloudWatch Logs archive 2026-10: audit FAILED')
  assert.ok(ended.published[0].Message.includes('1 exported'), ended.published[0].Message)
  assert.ok(ended.published[0].Message.includes('no stream\n  To do: deploy the stack again'), ended.published[0].Message)
})

test('a run that succeeded is told where that was asked for, or where it has a warning', async () => {
  const quiet = definitionOf('export-logs', { NotifyOnSuccess: 'false' })
  const warned = async ({ Payload: { logGroupName } }) => ({ Payload: { ...exported(logGroupName).Payload, warnings: [{ name: 'RetentionShorterThanMonth', message: 'm' }] } })
  const subjects = async (machine, fates, tasks) => (await run([{ logGroups: ['/a'] }], fates, tasks, {}, machine)).published.map(({ Subject }) => Subject)
  assert.deepEqual(await subjects(quiet), [])
  assert.deepEqual(await subjects(quiet, {}, { CheckExportTask: warned }), ['CloudWatch Logs archive 2026-10: succeeded, with warnings'])
  assert.deepEqual(await subjects(quiet, { '/a': { Error: 'AccessDenied', Cause: 'no' } }), ['CloudWatch Logs archive 2026-10: 1 of 1 log groups FAILED'])
  assert.deepEqual(await subjects(definition), ['CloudWatch Logs archive 2026-10: succeeded'])
})

test('a notification leads to the execution', async () => {
  const message = async arn => {
    const before = context.Execution.Id
    context.Execution.Id = arn
    const { published } = await run([{ logGroups: ['/a'] }]).finally(() => { context.Execution.Id = before })
    return published[0].Message
  }
  const arn = partition => `arn:${partition}:states:eu-central-1:123456789012:execution:export-logs:run-1`
  for (const [partition, host] of [['aws', 'console.aws.amazon.com'], ['aws-cn', 'console.amazonaws.cn'], ['aws-us-gov', 'console.amazonaws-us-gov.com']]) {
    assert.ok((await message(arn(partition))).includes(`\nhttps://eu-central-1.${host}/states/home?region=eu-central-1#/v2/executions/details/${arn(partition)}\n`))
  }
})
