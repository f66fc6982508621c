// Walks a state machine of this folder with the reference JSONata, in AWS's version.
//
// It has only the parts of the States Language that these files use. It has no retries, timeouts or limits.

'use strict'

const assert = require('node:assert/strict')
const { randomUUID } = require('node:crypto')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const jsonata = require('jsonata')

const context = { State: { EnteredTime: '2026-11-01T05:00:00Z' } }

// The definition keeps its placeholders.
const readDefinition = name => JSON.parse(readFileSync(join(__dirname, `${name}.asl.json`), 'utf8'))

const copy = value => JSON.parse(JSON.stringify(value))

async function evaluate (template, variables, states) {
  if (Array.isArray(template)) return Promise.all(template.map(item => evaluate(item, variables, states)))
  if (template !== null && typeof template === 'object') {
    const fields = Object.entries(template).map(async ([key, value]) => [key, await evaluate(value, variables, states)])
    return Object.fromEntries(await Promise.all(fields))
  }
  const expression = typeof template === 'string' && template.match(/^\{%([\s\S]*)%\}$/)
  if (!expression) return template
  const compiled = jsonata(expression[1])
  compiled.registerFunction('uuid', () => randomUUID(), '<:s>')
  const value = await compiled.evaluate(null, { ...copy(variables), states: copy(states) })
  assert.notEqual(value, undefined, `Step Functions fails on an undefined value: ${expression[1]}`)
  return copy(value)
}

// `tasks` has a function for each Task state, by name. It can throw an AWS error: `{ Error, Cause }`.
async function walk (scope, input, tasks, visited = []) {
  const variables = {}
  let name = scope.StartAt
  let data = input
  for (;;) {
    const state = scope.States[name]
    visited.push(name)
    const states = { input: data, context }
    if (state.Type === 'Succeed') return { output: state.Output ? await evaluate(state.Output, variables, states) : data, visited }
    if (state.Type === 'Fail') {
      return { error: await evaluate(state.Error, variables, states), cause: await evaluate(state.Cause, variables, states), visited }
    }
    if (state.Type === 'Map') {
      data = { ...data, map: await map(state, data, tasks) }
      name = state.Next
      continue
    }
    let rule = state
    if (state.Type === 'Choice') {
      rule = { Next: state.Default }
      for (const choice of state.Choices.toReversed()) {
        if (await evaluate(choice.Condition, variables, states) === true) rule = choice
      }
    }
    if (state.Type === 'Task') {
      try {
        states.result = await tasks[name](await evaluate(state.Arguments, variables, states))
      } catch (error) {
        if (!error.Error) throw error
        if (!state.Catch) return { error: error.Error, cause: error.Cause, visited }
        states.errorOutput = error
        rule = state.Catch.find(({ ErrorEquals: names }) => names.includes(error.Error) || names.includes('States.ALL'))
      }
    }
    const output = 'Output' in rule ? await evaluate(rule.Output, variables, states) : data
    Object.assign(variables, await evaluate(rule.Assign ?? {}, variables, states))
    data = output
    if (rule.End) return { output: data, visited }
    name = rule.Next
  }
}

// `tasks.items` returns the items. The result of a failed map is its error.
async function map (state, data, tasks) {
  if (tasks.mapError) return tasks.mapError
  const ends = []
  for (const item of tasks.items(data)) ends.push(await walk(state.ItemProcessor, item, tasks))
  tasks.onMapEnd?.(ends)
  return { MapRunArn: 'arn:of:the:map:run' }
}

module.exports = { readDefinition, walk }
