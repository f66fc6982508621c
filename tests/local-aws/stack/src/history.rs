//! What an execution left behind: its events, those of the children of its map runs, and how large its payloads were.

use anyhow::{Context, Result};
use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};

use crate::stack::LocalAws;

/// The most that GetExecutionHistory and ListExecutions give at a time.
const PAGE: i32 = 1000;

/// All events of one execution, the oldest first.
#[derive(Clone, Debug)]
pub struct History {
    pub execution_arn: String,
    pub events: Vec<HistoryEvent>,
}

/// A payload, or the variables that a state assigned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payload {
    /// Of the JSON text in UTF-8, which is what AWS counts.
    pub bytes: usize,
    pub event: HistoryEventType,
    pub state: Option<String>,
}

impl History {
    pub fn count(&self, event: &HistoryEventType) -> usize {
        self.events.iter().filter(|candidate| candidate.r#type == *event).count()
    }

    /// The largest input, argument, result or output of the execution, its states and its tasks.
    pub fn largest_payload(&self) -> Option<Payload> {
        self.largest(payload)
    }

    /// The most that one state assigned to variables; moto alone tells.
    pub fn largest_assignment(&self) -> Option<Payload> {
        self.largest(|event| {
            let assigned = event.state_exited_event_details.as_ref()?.assigned_variables.as_ref()?;
            Some(assigned.values().map(String::len).sum())
        })
    }

    fn largest(&self, bytes: impl Fn(&HistoryEvent) -> Option<usize>) -> Option<Payload> {
        let mut state = None;
        let mut largest: Option<Payload> = None;
        for event in &self.events {
            if let Some(entered) = &event.state_entered_event_details {
                state = Some(entered.name.clone());
            }
            if let Some(bytes) = bytes(event)
                && largest.as_ref().is_none_or(|largest| largest.bytes < bytes)
            {
                largest = Some(Payload { bytes, event: event.r#type.clone(), state: state.clone() });
            }
        }
        largest
    }
}

fn payload(event: &HistoryEvent) -> Option<usize> {
    let text = [
        event.execution_started_event_details.as_ref().and_then(|details| details.input.as_ref()),
        event.execution_succeeded_event_details.as_ref().and_then(|details| details.output.as_ref()),
        event.state_entered_event_details.as_ref().and_then(|details| details.input.as_ref()),
        event.state_exited_event_details.as_ref().and_then(|details| details.output.as_ref()),
        event.task_scheduled_event_details.as_ref().map(|details| &details.parameters),
        event.task_succeeded_event_details.as_ref().and_then(|details| details.output.as_ref()),
    ];
    text.into_iter().flatten().map(String::len).next()
}

impl LocalAws {
    /// The whole history of an execution, on whichever engine it ran.
    pub async fn history(&self, execution_arn: &str) -> Result<History> {
        let client = self.step_functions();
        let mut events = Vec::new();
        let mut token = None;
        loop {
            let page = client
                .get_execution_history()
                .execution_arn(execution_arn)
                .max_results(PAGE)
                .set_next_token(token)
                .send()
                .await
                .with_context(|| format!("cannot read the history of {execution_arn}"))?;
            events.extend(page.events);
            token = page.next_token;
            if token.is_none() {
                return Ok(History { execution_arn: execution_arn.to_owned(), events });
            }
        }
    }

    /// The ARNs of the child executions of an execution's map runs, in the order in which the map runs and then the children started.
    pub async fn children(&self, execution_arn: &str) -> Result<Vec<String>> {
        let client = self.step_functions();
        let mut runs = client
            .list_map_runs()
            .execution_arn(execution_arn)
            .send()
            .await
            .with_context(|| format!("cannot list the map runs of {execution_arn}"))?
            .map_runs;
        runs.sort_by_key(|run| run.start_date);
        let mut children = Vec::new();
        for run in runs {
            let mut of_run = Vec::new();
            let mut token = None;
            loop {
                let page = client
                    .list_executions()
                    .map_run_arn(&run.map_run_arn)
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
                    .await
                    .with_context(|| format!("cannot list the children of {}", run.map_run_arn))?;
                of_run.extend(page.executions);
                token = page.next_token;
                if token.is_none() {
                    break;
                }
            }
            of_run.sort_by_key(|child| child.start_date);
            children.extend(of_run.into_iter().map(|child| child.execution_arn));
        }
        Ok(children)
    }

    /// The histories of the child executions of an execution's map runs, in the order of [`LocalAws::children`].
    pub async fn child_histories(&self, execution_arn: &str) -> Result<Vec<History>> {
        let mut histories = Vec::new();
        for child in self.children(execution_arn).await? {
            histories.push(self.history(&child).await?);
        }
        Ok(histories)
    }
}
