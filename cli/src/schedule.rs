//! The stack's schedule. Its input holds the list of log groups.

use archive::service_failure;
use aws_sdk_scheduler::{Client, operation::get_schedule::GetScheduleOutput, types::ScheduleState};
pub use export_core::schedule::{SCHEDULED_TIME, parse};
use export_core::{
    service::ServiceFailure,
    warning::{Warning, WarningName},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{context::Context, failure::Failure, stack::DeployedStack};

/// Step Functions accepts an input of 256 KiB, and the state machine adds to it.
const MAX_SCHEDULE_INPUT_BYTES: usize = 220 * 1024;

pub struct Schedule {
    pub details: GetScheduleOutput,
}

#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow, rename = "logGroups")]
    log_groups: &'a RawValue,
}

impl Schedule {
    pub async fn read(context: &Context, stack: &DeployedStack) -> Result<Self, Failure> {
        let name = stack.output("ScheduleName");
        Self::get(&context.scheduler(), name).await.map_err(|failure| {
            if failure.has_code("ResourceNotFoundException") {
                return Failure::Usage(format!("schedule {name} of stack {} does not exist: deploy the stack again", stack.name));
            }
            Failure::of_call("scheduler", &failure)
        })
    }

    async fn get(client: &Client, name: &str) -> Result<Self, ServiceFailure> {
        let details = client.get_schedule().name(name).send().await.map_err(|error| service_failure("GetSchedule", &error))?;
        Ok(Self { details })
    }

    pub fn name(&self) -> &str {
        self.details.name().unwrap_or_default()
    }

    pub fn is_enabled(&self) -> bool {
        self.details.state() == Some(&ScheduleState::Enabled)
    }

    pub fn input(&self) -> &str {
        self.details.target().and_then(|target| target.input()).unwrap_or_default()
    }

    /// The elements of `logGroups`, each as its original text.
    pub fn entries(&self) -> Result<Vec<&RawValue>, Failure> {
        let not_a_list = |error| {
            let name = self.name();
            Failure::Usage(format!(
                "the input of schedule {name} has no list logGroups ({error}): `logs-archive doctor` prints the command that fixes it"
            ))
        };
        serde_json::from_str(list_of(self.input()).map_err(not_a_list)?.get()).map_err(not_a_list)
    }

    /// The input with another list. The rest of the text does not change.
    pub fn input_with_entries(&self, entries: &[&str]) -> Result<String, Failure> {
        let input = self.input();
        let list = list_of(input).map_err(|error| Failure::Usage(format!("the schedule's input cannot be read: {error}")))?.get();
        let start = list.as_ptr() as usize - input.as_ptr() as usize;
        let changed = format!("{}[{}]{}", &input[..start], entries.join(", "), &input[start + list.len()..]);
        if changed.len() > MAX_SCHEDULE_INPUT_BYTES {
            return Err(Failure::Usage(format!(
                "the schedule's input would have {} bytes, and {MAX_SCHEDULE_INPUT_BYTES} are allowed: replace names by an entry with logGroupNamePrefix",
                changed.len()
            )));
        }
        Ok(changed)
    }

    /// Replaces the schedule's input, unless somebody has changed the schedule meanwhile. UpdateSchedule replaces all fields.
    pub async fn update_input(self, client: &Client, input: String) -> Result<(), Failure> {
        let Self { details: read } = self;
        let current = Self::get(client, read.name().unwrap_or_default()).await;
        let Self { details: current } = current.map_err(|failure| Failure::of_call("scheduler", &failure))?;
        if (current.target(), current.last_modification_date()) != (read.target(), read.last_modification_date()) {
            return Err(Failure::Usage("somebody has changed the schedule meanwhile: repeat the command".into()));
        }
        let mut target = current.target;
        if let Some(target) = &mut target {
            target.input = Some(input);
        }
        let update = client
            .update_schedule()
            .set_name(current.name)
            .set_group_name(current.group_name)
            .set_description(current.description.filter(|description| !description.is_empty()))
            .set_state(current.state)
            .set_schedule_expression(current.schedule_expression)
            .set_schedule_expression_timezone(current.schedule_expression_timezone)
            .set_start_date(current.start_date)
            .set_end_date(current.end_date)
            .set_flexible_time_window(current.flexible_time_window)
            .set_kms_key_arn(current.kms_key_arn)
            .set_action_after_completion(current.action_after_completion)
            .set_target(target);
        let updated = update.send().await;
        updated.map(drop).map_err(|error| Failure::of_call("scheduler", &service_failure("UpdateSchedule", &error)))
    }
}

fn list_of(input: &str) -> serde_json::Result<&RawValue> {
    serde_json::from_str::<Input>(input).map(|input| input.log_groups)
}

/// The index of the entry that a warning `EntryRepeated` is about.
pub fn repeated_index(warning: &Warning) -> Option<usize> {
    let index = warning.message.strip_prefix("logGroups[")?.split_once(']')?.0;
    index.parse().ok().filter(|_| warning.name == WarningName::EntryRepeated)
}
