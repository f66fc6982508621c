//! The stack's schedule, whose input has the list of log groups.

use archive::service_failure;
use aws_sdk_scheduler::{Client, operation::get_schedule::GetScheduleOutput};
pub use export_core::schedule::{SCHEDULED_TIME, parse};
use export_core::service::ServiceFailure;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{context::Context, failure::Failure, stack::DeployedStack};

/// An execution takes 256 KiB of input, and the workflow adds some.
const INPUT_LIMIT: usize = 220 * 1024;

pub struct Schedule {
    pub described: GetScheduleOutput,
}

#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow, rename = "logGroups")]
    log_groups: &'a RawValue,
}

impl Schedule {
    /// The schedule of a stack.
    pub async fn read(context: &Context, stack: &DeployedStack) -> Result<Self, Failure> {
        let name = stack.output("ScheduleName");
        Self::get(&context.scheduler(), name).await.map_err(|failure| {
            if failure.has_code("ResourceNotFoundException") {
                return Failure::Usage(format!("schedule {name} of stack {} is gone: deploy the stack again", stack.name));
            }
            Failure::of("scheduler", &failure)
        })
    }

    async fn get(client: &Client, name: &str) -> Result<Self, ServiceFailure> {
        let described = client.get_schedule().name(name).send().await.map_err(|error| service_failure("GetSchedule", &error))?;
        Ok(Self { described })
    }

    pub fn name(&self) -> &str {
        self.described.name().unwrap_or_default()
    }

    pub fn input(&self) -> &str {
        self.described.target().and_then(|target| target.input()).unwrap_or_default()
    }

    /// The elements of `logGroups`, each as it is written.
    pub fn entries(&self) -> Result<Vec<&RawValue>, Failure> {
        let wrong = |error| {
            let name = self.name();
            Failure::Usage(format!(
                "the input of schedule {name} has no list logGroups ({error}): `logs-archive doctor` has the command that mends it"
            ))
        };
        serde_json::from_str(list_of(self.input()).map_err(wrong)?.get()).map_err(wrong)
    }

    /// The input with another list; the rest of the text stays as it is.
    pub fn input_with(&self, entries: &[&str]) -> Result<String, Failure> {
        let input = self.input();
        let list = list_of(input).map_err(|error| Failure::Usage(format!("the schedule's input cannot be read: {error}")))?.get();
        let start = list.as_ptr() as usize - input.as_ptr() as usize;
        let changed = format!("{}[{}]{}", &input[..start], entries.join(", "), &input[start + list.len()..]);
        if changed.len() > INPUT_LIMIT {
            return Err(Failure::Usage(format!(
                "the schedule's input would have {} bytes and may have {INPUT_LIMIT}: replace names by an entry with logGroupNamePrefix",
                changed.len()
            )));
        }
        Ok(changed)
    }

    /// Puts an input into the schedule as it is now, unless somebody has changed it since it was read. UpdateSchedule replaces all fields.
    pub async fn put_input(self, client: &Client, input: String) -> Result<(), Failure> {
        let Self { described: read } = self;
        let again = Self::get(client, read.name().unwrap_or_default()).await;
        let Self { described: now } = again.map_err(|failure| Failure::of("scheduler", &failure))?;
        if (now.target(), now.last_modification_date()) != (read.target(), read.last_modification_date()) {
            return Err(Failure::Usage("somebody has changed the schedule meanwhile: repeat the command".into()));
        }
        let mut target = now.target;
        if let Some(target) = &mut target {
            target.input = Some(input);
        }
        let update = client
            .update_schedule()
            .set_name(now.name)
            .set_group_name(now.group_name)
            .set_description(now.description.filter(|description| !description.is_empty()))
            .set_state(now.state)
            .set_schedule_expression(now.schedule_expression)
            .set_schedule_expression_timezone(now.schedule_expression_timezone)
            .set_start_date(now.start_date)
            .set_end_date(now.end_date)
            .set_flexible_time_window(now.flexible_time_window)
            .set_kms_key_arn(now.kms_key_arn)
            .set_action_after_completion(now.action_after_completion)
            .set_target(target);
        let updated = update.send().await;
        updated.map(drop).map_err(|error| Failure::of("scheduler", &service_failure("UpdateSchedule", &error)))
    }
}

fn list_of(input: &str) -> serde_json::Result<&RawValue> {
    serde_json::from_str::<Input>(input).map(|input| input.log_groups)
}
