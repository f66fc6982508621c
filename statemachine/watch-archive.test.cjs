// The expressions of watch-archive.asl.json, and the arithmetic of the alarm that reads its metric: over many schedules, time zones and
// dates it stays quiet while a run succeeds every month, and fires when one does not, or when none ever started.

'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { context, definitionOf, walk } = require('./walk.cjs')

const definition = definitionOf('watch-archive', { StateMachineArn: 'arn:machine', ArchiveStackName: 'archive' })

// The alarm NoSuccessfulRun: its threshold, and how many hourly data points above it make an alarm. A contract test holds them to the template.
const DAYS = 32
const POINTS = 3

const HOUR = 3_600_000
const DAY = 24 * HOUR
const KEPT = 90 * DAY
const iso = time => new Date(time).toISOString()

// What the watcher publishes at an instant, where the state machine was created at `created` and has these runs: `{start, stop, failed}`.
async function publish ({ created, runs }, now, tasks = {}) {
  context.State.EnteredTime = iso(now)
  let published
  const ended = await walk(definition, {}, {
    ListSuccesses: async ({ StateMachineArn, StatusFilter, MaxResults }) => {
      assert.deepEqual([StateMachineArn, StatusFilter], ['arn:machine', 'SUCCEEDED'])
      const listed = runs.filter(run => !run.failed && run.stop <= now && run.stop > now - KEPT)
      listed.sort((a, b) => b.start - a.start)
      const item = ({ start, stop, arn = 'arn:aws:states:r:1:execution:export-logs:x' }) => ({ ExecutionArn: arn, StartDate: iso(start), StopDate: iso(stop) })
      return { Executions: listed.slice(0, MaxResults).map(item) }
    },
    ReadCreationDate: async request => {
      assert.deepEqual(request, { StateMachineArn: 'arn:machine', IncludedData: 'METADATA_ONLY' })
      return { CreationDate: iso(created) }
    },
    PublishDays: async request => { published = request },
    ...tasks
  })
  return { ...ended, published }
}

async function days (world, now) {
  const { published } = await publish(world, now)
  return published.MetricData[0].Value
}

// The alarm of a watcher that reports every hour, its first time `phase` after the creation.
async function alarms (world, phase, now) {
  const last = world.created + phase + Math.floor((now - world.created - phase) / HOUR) * HOUR
  for (let point = 0; point < POINTS; point++) {
    const at = last - point * HOUR
    if (at < world.created || await days(world, at) <= DAYS) return false
  }
  return true
}

// ---- schedules ----------------------------------------------------------------------------------------------------------

const formats = new Map()
function offset (zone, time) {
  if (!formats.has(zone)) {
    const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }
    formats.set(zone, new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', ...fields }))
  }
  const part = Object.fromEntries(formats.get(zone).formatToParts(time).map(({ type, value }) => [type, Number(value)]))
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - Math.floor(time / 1000) * 1000
}

function local (zone, year, month, day, hour) {
  const wall = Date.UTC(year, month, day, hour)
  const guess = wall - offset(zone, wall)
  return wall - offset(zone, guess)
}

// Lengths of 31 days and an hour (clocks set back), of 28 days, and a calendar that has lost a day (Apia, December 2011).
const ZONES = ['Asia/Tokyo', 'UTC', 'Europe/Berlin', 'America/New_York', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Pacific/Apia', 'Asia/Kathmandu']

// xorshift: the same schedules every time.
function random (seed) {
  let state = seed * 2654435761 >>> 0 || 1
  return limit => {
    state ^= state << 13; state >>>= 0
    state ^= state >>> 17
    state ^= state << 5; state >>>= 0
    return state % limit
  }
}

// A monthly schedule: when the runs are due, for two years and a month.
function schedule (pick) {
  const zone = ZONES[pick(ZONES.length)]
  const [year, month, day, hour] = [1999 + pick(36), pick(12), pick(4) === 0 ? 1 + pick(28) : 1, 12 + pick(12)]
  return Array.from({ length: 26 }, (_, index) => local(zone, year, month + index, day, hour))
}

test('months are 28 to 31 days long, give or take the hour that clocks are set by', () => {
  const lengths = new Set()
  for (let seed = 1; seed <= 400; seed++) {
    const due = schedule(random(seed))
    for (let index = 1; index < due.length; index++) lengths.add((due[index] - due[index - 1]) / HOUR)
  }
  const sorted = [...lengths].sort((a, b) => a - b)
  assert.ok(sorted[0] >= 28 * 24 - 1, sorted[0])
  assert.equal(sorted.at(-1), 31 * 24 + 1)
  for (const length of [28, 29, 30, 31]) assert.ok(lengths.has(length * 24), `${length} days`)
})

// ---- the arithmetic -----------------------------------------------------------------------------------------------------

test('monthly runs that succeed within 22 hours never alarm, whenever the archive was deployed', async () => {
  for (let seed = 1; seed <= 120; seed++) {
    const pick = random(seed)
    const due = schedule(pick)
    // From the instant after a run was due on: the first run is then a whole month away.
    const created = due[0] + (pick(2) ? 1 : pick(due[1] - due[0]))
    const runs = due.slice(1).map(start => ({ start: start + pick(60_000), stop: start + 60_000 + pick(22 * HOUR) }))
    // Runs by hand, failures, and months that are exported again change nothing for the worse.
    for (let extra = pick(4); extra > 0; extra--) {
      const start = created + pick(600) * DAY
      runs.push({ start, stop: start + pick(3 * DAY), failed: pick(2) === 0 })
    }
    const world = { created, runs }
    assert.ok(await days(world, created + HOUR) <= 1 / 24 + 1e-9, 'no alarm after the deployment')
    // The value grows until a success shows, so the highest is the one just before.
    for (const { stop } of runs) {
      const highest = await days(world, stop - 1)
      assert.ok(highest <= DAYS, `${highest} days at ${iso(stop)}, seed ${seed}`)
    }
  }
})

test('runs that last for days never alarm either, once one has succeeded and while none lasts 22 hours longer than the last', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const pick = random(seed)
    const length = pick(20) * DAY
    const runs = schedule(pick).map(start => ({ start, stop: start + length + pick(22 * HOUR) }))
    const world = { created: runs[0].start - DAY, runs }
    for (const { stop } of runs.slice(1)) {
      const highest = await days(world, stop - 1)
      assert.ok(highest <= DAYS, `${highest} days at ${iso(stop)}, seed ${seed}`)
    }
  }
})

test('a month whose run does not succeed alarms, at the latest 4 days and 4 hours after it was due and the last run took', async () => {
  for (let seed = 1; seed <= 120; seed++) {
    const pick = random(seed)
    const due = schedule(pick)
    const missed = 1 + pick(due.length - 1)
    const taken = pick(pick(2) ? 22 * HOUR : 10 * DAY)
    const runs = due.slice(0, missed).map(start => ({ start, stop: start + taken }))
    // From then on runs fail, or there are none.
    if (pick(2)) for (const start of due.slice(missed)) runs.push({ start, stop: start + pick(DAY), failed: true })
    const world = { created: due[0] - pick(27) * DAY - 1, runs }
    const phase = pick(HOUR)
    const quiet = due[missed - 1] + taken + DAYS * DAY
    assert.ok(quiet > due[missed], 'never before it was due')
    assert.equal(await alarms(world, phase, quiet), false)
    assert.equal(await alarms(world, phase, due[missed] + taken + 4 * DAY + 4 * HOUR), true, `seed ${seed}`)
    // It stays, also when Step Functions has forgotten the last success.
    for (const later of [10, 57, 58, 59, 89, 90, 91, 400]) {
      assert.equal(await alarms(world, phase, quiet + later * DAY + (POINTS + 1) * HOUR), true, `${later} days later, seed ${seed}`)
    }
  }
})

test('nothing that ever started alarms 32 days after the deployment, and so do failures alone', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const pick = random(seed)
    const due = schedule(pick)
    const created = due[0] - pick(31 * DAY)
    const runs = pick(2) ? [] : due.map(start => ({ start, stop: start + pick(DAY), failed: true }))
    const world = { created, runs }
    const phase = pick(HOUR)
    assert.equal(await alarms(world, phase, created + DAYS * DAY), false)
    for (const later of [0, 1, 58, 59, 400]) assert.equal(await alarms(world, phase, created + (DAYS + later) * DAY + POINTS * HOUR), true)
  }
})

test('the alarm ends with the first success', async () => {
  const created = Date.UTC(2028, 1, 1)
  const stop = created + 40 * DAY
  const world = { created, runs: [{ start: stop - HOUR, stop }] }
  assert.equal(await alarms(world, 0, stop - 1), true)
  assert.equal(await alarms(world, 0, stop + HOUR), false)
})

test('any threshold that the template takes is reached before Step Functions forgets: what it has forgotten is older', async () => {
  const created = Date.UTC(2026, 0, 1)
  const stop = created + DAY
  const world = { created, runs: [{ start: stop - HOUR, stop }] }
  assert.equal(await days(world, stop + 90 * DAY - 1) > 89, true)
  assert.equal(await days(world, stop + 90 * DAY), 91)
})

// ---- the expressions ----------------------------------------------------------------------------------------------------

test('the end of the last run counts, not its start, and not the order of the list', async () => {
  const at = Date.UTC(2026, 10, 10)
  const long = { start: at - 9 * DAY, stop: at - 2 * DAY }
  const short = { start: at - 8 * DAY, stop: at - 7.5 * DAY }
  assert.equal(await days({ created: 0, runs: [long, short] }, at), 2)
  assert.equal(await days({ created: 0, runs: [short, long] }, at), 2)
  assert.equal(await days({ created: 0, runs: [short] }, at), 7.5)
})

test('the executions of a map are no runs', async () => {
  const at = Date.UTC(2026, 10, 10)
  const child = { start: at - 2 * HOUR, stop: at - HOUR, arn: 'arn:aws:states:r:1:execution:export-logs/ExportLogGroups:x' }
  assert.equal(await days({ created: at - 3 * DAY, runs: [child] }, at), 3)
  assert.equal(await days({ created: at - 9 * DAY, runs: [child, { start: at - 5 * DAY, stop: at - 4 * DAY }] }, at), 4)
})

test('what is published, in two or three steps', async () => {
  const at = Date.UTC(2026, 10, 10, 12)
  const ran = await publish({ created: 0, runs: [{ start: at - DAY, stop: at - DAY / 2 }] }, at)
  assert.deepEqual(ran.published, {
    Namespace: 'CloudWatchLogsArchive',
    MetricData: [{ MetricName: 'DaysSinceSuccessfulRun', Dimensions: [{ Name: 'Archive', Value: 'archive' }], Value: 0.5 }]
  })
  assert.deepEqual([...ran.visited], ['ListSuccesses', 'RouteSuccesses', 'PublishDays'])
  assert.deepEqual(ran.output, { since: '2026-11-10T00:00:00.000Z' })
  const never = await publish({ created: at - 2 * DAY, runs: [] }, at)
  assert.deepEqual([...never.visited], ['ListSuccesses', 'RouteSuccesses', 'ReadCreationDate', 'PublishDays'])
  assert.equal(never.published.MetricData[0].Value, 2)
})

test('a clock that is behind gives zero, not a negative age', async () => {
  const at = Date.UTC(2026, 10, 10)
  const { published } = await publish({ created: at, runs: [] }, at, { ReadCreationDate: async () => ({ CreationDate: iso(at + 400) }) })
  assert.equal(published.MetricData[0].Value, 0)
})

test('whatever fails, nothing is published and the execution fails', async () => {
  for (const state of ['ListSuccesses', 'ReadCreationDate', 'PublishDays']) {
    const fails = async () => { throw { Error: 'Sfn.AccessDeniedException', Cause: 'no' } }
    const ended = await publish({ created: 0, runs: [] }, DAY, { [state]: fails })
    assert.deepEqual([ended.error, ended.cause, ended.published], ['Sfn.AccessDeniedException', 'no', undefined])
  }
})
