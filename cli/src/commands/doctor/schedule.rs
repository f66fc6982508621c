//! Checks the schedule: its times, target and input, and the starts that failed.

use aws_sdk_scheduler::types::ScheduleState;
use aws_sdk_sqs::types::QueueAttributeName;
use export_core::{
    input::RunInput,
    place::Stack,
    schedule::{meaning, parameter_of},
};
use serde_json::{Value, json};

use super::{
    deployment::Deployment,
    finding::{Call, FindingName, Findings},
    fix::{self, is_past},
    template::Template,
};
use crate::{
    context::Context,
    failure::Failure,
    schedule::{self, SCHEDULED_TIME, Schedule},
    shell::quoted,
    stack::DeployedStack,
};

const SCHEDULE: &str = "ExportLogsSchedule";

/// Returns the schedule and its input. `None`: the schedule cannot be read, or a run would refuse its input.
pub async fn check(
    context: &Context,
    stack: &DeployedStack,
    deployment: &Deployment,
    findings: &mut Findings,
) -> Result<Option<(Schedule, RunInput)>, Failure> {
    let name = stack.output("ScheduleName");
    let settings = &stack.settings;
    let arn = format!("arn:{}:scheduler:{}:{}:schedule/default/{name}", settings.partition, settings.region, settings.account);
    let call = Call { operation: "GetSchedule", action: "scheduler:GetSchedule", resource: &arn, absent: &["ResourceNotFoundException"] };
    let answer = findings.answer_of(call, context.scheduler().get_schedule().name(name).send().await)?;
    check_dead_letter_queue(context, stack, findings).await?;
    let Some(details) = answer.unless_refused() else { return Ok(None) };
    let template = &deployment.root;
    let Some(details) = details else {
        let fix = create_command(template).unwrap_or_else(|| fix::deploy(stack));
        findings.add(FindingName::ScheduleNotFound, &arn, "The stack's schedule does not exist.", fix);
        return Ok(None);
    };
    let schedule = Schedule { details };
    check_timing(stack, template, &schedule, &arn, findings);
    check_target(stack, template, &schedule, &arn, findings);
    let input = check_input(stack, &schedule, &arn, findings);
    Ok(input.map(|input| (schedule, input)))
}

fn create_command(template: &Template) -> Option<String> {
    let properties = template.properties(SCHEDULE)?;
    Some(format!("aws scheduler create-schedule --cli-input-json {}", quoted(&properties.to_string())))
}

fn check_timing(stack: &DeployedStack, template: &Template, schedule: &Schedule, arn: &str, findings: &mut Findings) {
    let details = &schedule.details;
    let parameter = stack.parameters.get("Schedule").map_or("", String::as_str);
    if details.state() == Some(&ScheduleState::Disabled) && parameter != "OFF" {
        let what = format!("The schedule is disabled, and the stack's parameter Schedule is {parameter}.");
        findings.add(FindingName::ScheduleDisabled, arn, what, fix::edit_schedule(schedule, r#".State = "ENABLED""#));
    }
    if parameter != "OFF" {
        let bounds = [
            (details.end_date().filter(|end| is_past(end)), "ended at", "del(.EndDate)"),
            (details.start_date().filter(|start| !is_past(start)), "does not begin before", "del(.StartDate)"),
        ];
        for (bound, verb, edit) in bounds.into_iter().filter_map(|(bound, verb, edit)| Some((bound?, verb, edit))) {
            let what = format!("The schedule {verb} {bound}, and the stack's parameter Schedule is {parameter}.");
            findings.add(FindingName::ScheduleDisabled, arn, what, fix::edit_schedule(schedule, edit));
        }
    }
    if let Some(Value::String(expected)) = template.property(SCHEDULE, "ScheduleExpression")
        && details.schedule_expression() != Some(expected.as_str())
    {
        let what = format!("The schedule's expression is {}, not {expected}.", details.schedule_expression().unwrap_or_default());
        findings.add(
            FindingName::ScheduleExpressionDiffers,
            arn,
            what,
            fix::edit_schedule(schedule, &format!(".ScheduleExpression = {}", json!(expected))),
        );
    }
    let (zone, expected) = (details.schedule_expression_timezone().unwrap_or("UTC"), stack.settings.timezone.name());
    if zone != expected {
        let what = format!("The schedule's time zone is {zone}, and the stack's TimeZone is {expected}.");
        findings.add(
            FindingName::ScheduleTimeZoneDiffers,
            arn,
            what,
            fix::edit_schedule(schedule, &format!(".ScheduleExpressionTimezone = {}", json!(expected))),
        );
    }
}

fn check_target(stack: &DeployedStack, template: &Template, schedule: &Schedule, arn: &str, findings: &mut Findings) {
    let target = schedule.details.target();
    let starts = target.map_or("nothing", |target| target.arn());
    if starts != stack.state_machine_arn() {
        let what = format!("The schedule starts {starts}, not {}.", stack.state_machine_arn());
        let edit = format!(".Target.Arn = {}", json!(stack.state_machine_arn()));
        findings.add(FindingName::ScheduleTargetDiffers, arn, what, fix::edit_schedule(schedule, &edit));
    }
    let Some(expected) = template.property(SCHEDULE, "Target") else { return };
    let role = target.map_or("", |target| target.role_arn());
    if role != expected["RoleArn"] {
        let expected = &expected["RoleArn"];
        let what = format!("EventBridge Scheduler starts runs with the role {role}, not {}.", expected.as_str().unwrap_or_default());
        findings.add(FindingName::ScheduleRoleDiffers, arn, what, fix::edit_schedule(schedule, &format!(".Target.RoleArn = {expected}")));
    }
    let queue = target.and_then(|target| target.dead_letter_config()).and_then(|config| config.arn());
    let expected = &expected["DeadLetterConfig"];
    if queue.is_none_or(|queue| queue != expected["Arn"]) {
        let what = match queue {
            Some(queue) => format!("The schedule's dead-letter queue is {queue}, which the alarm StartFailed does not watch."),
            None => "The schedule has no dead-letter queue.".to_owned(),
        };
        findings.add(
            FindingName::DeadLetterQueueMissing,
            arn,
            what,
            fix::edit_schedule(schedule, &format!(".Target.DeadLetterConfig = {expected}")),
        );
    }
}

/// Returns the parsed input. `None`: a run would refuse the input.
fn check_input(stack: &DeployedStack, schedule: &Schedule, arn: &str, findings: &mut Findings) -> Option<RunInput> {
    let value: Value = serde_json::from_str(schedule.input()).unwrap_or_default();
    let run = match schedule::parse(schedule.input(), &stack.settings) {
        Ok(run) => run,
        Err(error) => {
            let fix = fix::edit_schedule(schedule, &format!(".Target.Input = {}", json!(repaired_input(&value, stack).to_string())));
            findings.add(FindingName::ScheduleInputInvalid, arn, format!("A run refuses the schedule's input: {}.", error.message), fix);
            return None;
        }
    };
    if value["scheduledTime"] != SCHEDULED_TIME {
        let what =
            format!("The input's scheduledTime is {}, not {SCHEDULED_TIME}, which EventBridge Scheduler replaces.", value["scheduledTime"]);
        findings.add(
            FindingName::ScheduledTimeMissing,
            arn,
            what,
            fix::edit_input(schedule, &format!(".scheduledTime = {}", json!(SCHEDULED_TIME))),
        );
    }
    if run.timezone != stack.settings.timezone {
        let what = format!("The input's timezone is {}, and the stack's TimeZone is {}.", run.timezone, stack.settings.timezone);
        findings.add(FindingName::ScheduleTimeZoneDiffers, arn, what, fix::edit_input(schedule, "del(.timezone)"));
    }
    if run.settle_days != stack.settings.settle_days {
        let (days, expected) = (run.settle_days.days(), stack.settings.settle_days.days());
        let what = format!("The input's settleDays is {days}, and the stack's SettleDays is {expected}.");
        findings.add(FindingName::SettleDaysDiffer, arn, what, fix::edit_input(schedule, &format!(".settleDays = {expected}")));
    }
    let entries = value["logGroups"].as_array().map_or(&[][..], Vec::as_slice);
    if stack.parameter_entries().as_deref() != Some(entries)
        && parameter_of(entries).is_some()
        && let Some(parameter) = parameter_of(&distinct(entries, &stack.settings))
    {
        let what = format!("The schedule's list has {} entries that are not those of the stack's parameter LogGroups.", entries.len());
        findings.add(FindingName::ListDiffers, arn, what, fix::set_parameters(stack, &[("LogGroups", &parameter)]));
    }
    Some(run)
}

/// The entries without repeated ones, which the schedule's guard refuses.
fn distinct(entries: &[Value], stack: &Stack) -> Vec<Value> {
    let mut meanings = Vec::new();
    let is_first = |entry: &&Value| {
        let meaning = meaning(entry, stack);
        let is_new = !meanings.contains(&meaning);
        if is_new {
            meanings.push(meaning);
        }
        is_new
    };
    entries.iter().filter(is_first).cloned().collect()
}

/// An input that a run accepts: with the valid entries of the list. Without any, with the list of the stack's parameter.
fn repaired_input(value: &Value, stack: &DeployedStack) -> Value {
    let input = |entries: &[Value]| {
        let parameter =
            |name: &str| stack.parameters.get(name).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
        let days = stack.settings.settle_days.days();
        json!({"scheduledTime": SCHEDULED_TIME, "settleDays": days, "compact": parameter("Compact") == true, "logGroups": entries})
    };
    let is_accepted = |entries: &[Value], stack: &Stack| schedule::parse(&input(entries).to_string(), stack).is_ok();
    let entries = value["logGroups"].as_array().cloned().unwrap_or_default();
    let accepted: Vec<Value> = entries.into_iter().filter(|entry| is_accepted(std::slice::from_ref(entry), &stack.settings)).collect();
    if is_accepted(&accepted, &stack.settings) {
        return input(&accepted);
    }
    input(&stack.parameter_entries().unwrap_or_default())
}

async fn check_dead_letter_queue(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let url = stack.output("DeadLetterQueueUrl");
    let settings = &stack.settings;
    let arn =
        format!("arn:{}:sqs:{}:{}:{}", settings.partition, settings.region, settings.account, url.rsplit('/').next().unwrap_or_default());
    let absent = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
    let call = Call { operation: "GetQueueAttributes", action: "sqs:GetQueueAttributes", resource: &arn, absent: &absent };
    let request = context.sqs().get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
    let Some(answer) = findings.answer_of(call, request.send().await)?.found() else { return Ok(()) };
    let messages =
        answer.attributes.and_then(|attributes| attributes.get(&QueueAttributeName::ApproximateNumberOfMessages)?.parse::<u64>().ok());
    if let Some(count) = messages.filter(|count| *count > 0) {
        let what = format!(
            "{count} starts of runs have failed. To read why: aws sqs receive-message --queue-url {url} --message-attribute-names All. \
             The next run covers everything that these runs would have covered."
        );
        findings.add(FindingName::DeadLetterQueueNotEmpty, &arn, what, format!("aws sqs purge-queue --queue-url {url}"));
    }
    Ok(())
}
