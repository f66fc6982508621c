//! Reads and changes the stack's schedule.

use aws_sdk_scheduler::operation::{get_schedule::GetScheduleOutput, update_schedule::builders::UpdateScheduleFluentBuilder};
use e2e::Archive;
use serde_json::Value;

pub fn scheduler(archive: &Archive) -> aws_sdk_scheduler::Client {
    aws_sdk_scheduler::Client::new(&archive.local.sdk_config())
}

pub async fn name(archive: &Archive) -> String {
    let listed = scheduler(archive).list_schedules().send().await.expect("the schedules");
    let [only] = &listed.schedules[..] else { panic!("{:?}", listed.schedules) };
    only.name.clone().expect("a name")
}

pub async fn get(archive: &Archive) -> GetScheduleOutput {
    scheduler(archive).get_schedule().name(name(archive).await).send().await.expect("the schedule")
}

pub fn input_of(schedule: &GetScheduleOutput) -> Value {
    serde_json::from_str(schedule.target().and_then(|target| target.input()).expect("an input")).expect("it is JSON")
}

/// Changes the schedule. `edit_input` changes the input, and `edit` all other fields.
pub async fn update(
    archive: &Archive,
    edit_input: impl FnOnce(&mut Value),
    edit: impl FnOnce(UpdateScheduleFluentBuilder) -> UpdateScheduleFluentBuilder,
) {
    let current = get(archive).await;
    let mut input = input_of(&current);
    edit_input(&mut input);
    let mut target = current.target.expect("a target");
    target.input = Some(input.to_string());
    let request = (scheduler(archive).update_schedule())
        .set_name(current.name)
        .set_state(current.state)
        .set_schedule_expression(current.schedule_expression)
        .set_schedule_expression_timezone(current.schedule_expression_timezone)
        .set_flexible_time_window(current.flexible_time_window)
        .target(target);
    edit(request).send().await.expect("the schedule is changed");
}

/// Gives the schedule this list.
pub async fn put_list(archive: &Archive, list: Value) {
    update(archive, |input| input["logGroups"] = list, |request| request).await;
}
