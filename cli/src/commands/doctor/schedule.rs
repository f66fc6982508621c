//! The schedule: when it starts runs, in which zone, what it starts, with which input, and the starts that failed.

use aws_sdk_scheduler::types::ScheduleState;
use aws_sdk_sqs::types::QueueAttributeName;
use export_core::{
    place::Stack,
    schedule::{meaning, parameter_of},
};
use serde_json::{Value, json};

use super::{
    deployment::Deployment,
    finding::{Call, Findings, Name},
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

const RESOURCE: &str = "ExportLogsSchedule";

/// `None`: there is no schedule, or nobody may see it.
pub async fn check(
    context: &Context,
    stack: &DeployedStack,
    deployment: &Deployment,
    findings: &mut Findings,
) -> Result<Option<Schedule>, Failure> {
    let name = stack.output("ScheduleName");
    let of = &stack.stack;
    let arn = format!("arn:{}:scheduler:{}:{}:schedule/default/{name}", of.partition, of.region, of.account);
    let call = Call { operation: "GetSchedule", action: "scheduler:GetSchedule", resource: &arn, absent: &["ResourceNotFoundException"] };
    let asked = findings.ask(call, context.scheduler().get_schedule().name(name).send().await)?;
    dead_letters(context, stack, findings).await?;
    let Some(described) = asked.or_absent() else { return Ok(None) };
    let template = &deployment.root;
    let Some(described) = described else {
        let fix = create(template).unwrap_or_else(|| fix::deploy(stack));
        findings.add(Name::ScheduleNotFound, &arn, "The stack's schedule does not exist.", fix);
        return Ok(None);
    };
    let schedule = Schedule { described };
    timing(stack, template, &schedule, &arn, findings);
    target(stack, template, &schedule, &arn, findings);
    input(stack, &schedule, &arn, findings);
    Ok(Some(schedule))
}

fn create(template: &Template) -> Option<String> {
    let properties = template.properties(RESOURCE)?;
    Some(format!("aws scheduler create-schedule --cli-input-json {}", quoted(&properties.to_string())))
}

fn timing(stack: &DeployedStack, template: &Template, schedule: &Schedule, arn: &str, findings: &mut Findings) {
    let described = &schedule.described;
    let asked_for = stack.parameters.get("Schedule").map_or("", String::as_str);
    if described.state() == Some(&ScheduleState::Disabled) && asked_for != "OFF" {
        let what = format!("The schedule is disabled, and the stack's parameter Schedule is {asked_for}.");
        findings.add(Name::ScheduleDisabled, arn, what, fix::edit_schedule(schedule, r#".State = "ENABLED""#));
    }
    if asked_for != "OFF" {
        let bounds = [
            (described.end_date().filter(|end| is_past(end)), "ended at", "del(.EndDate)"),
            (described.start_date().filter(|start| !is_past(start)), "does not begin before", "del(.StartDate)"),
        ];
        for (bound, verb, edit) in bounds.into_iter().filter_map(|(bound, verb, edit)| Some((bound?, verb, edit))) {
            let what = format!("The schedule {verb} {bound}, and the stack's parameter Schedule is {asked_for}.");
            findings.add(Name::ScheduleDisabled, arn, what, fix::edit_schedule(schedule, edit));
        }
    }
    if let Some(Value::String(expected)) = template.property(RESOURCE, "ScheduleExpression")
        && described.schedule_expression() != Some(expected.as_str())
    {
        let what = format!("The schedule's expression is {}, not {expected}.", described.schedule_expression().unwrap_or_default());
        findings.add(
            Name::ScheduleExpressionDiffers,
            arn,
            what,
            fix::edit_schedule(schedule, &format!(".ScheduleExpression = {}", json!(expected))),
        );
    }
    let (zone, expected) = (described.schedule_expression_timezone().unwrap_or("UTC"), stack.stack.timezone.name());
    if zone != expected {
        let what = format!("The schedule's time zone is {zone}, and the stack's TimeZone is {expected}.");
        findings.add(
            Name::ScheduleTimeZoneDiffers,
            arn,
            what,
            fix::edit_schedule(schedule, &format!(".ScheduleExpressionTimezone = {}", json!(expected))),
        );
    }
}

fn target(stack: &DeployedStack, template: &Template, schedule: &Schedule, arn: &str, findings: &mut Findings) {
    let target = schedule.described.target();
    let starts = target.map_or("nothing", |target| target.arn());
    if starts != stack.state_machine_arn() {
        let what = format!("The schedule starts {starts}, not {}.", stack.state_machine_arn());
        let edit = format!(".Target.Arn = {}", json!(stack.state_machine_arn()));
        findings.add(Name::ScheduleTargetDiffers, arn, what, fix::edit_schedule(schedule, &edit));
    }
    let Some(expected) = template.property(RESOURCE, "Target") else { return };
    let role = target.map_or("", |target| target.role_arn());
    if role != expected["RoleArn"] {
        let expected = &expected["RoleArn"];
        let what = format!("EventBridge Scheduler starts runs with the role {role}, not {}.", expected.as_str().unwrap_or_default());
        findings.add(Name::ScheduleRoleDiffers, arn, what, fix::edit_schedule(schedule, &format!(".Target.RoleArn = {expected}")));
    }
    let queue = target.and_then(|target| target.dead_letter_config()).and_then(|config| config.arn());
    let expected = &expected["DeadLetterConfig"];
    if queue.is_none_or(|queue| queue != expected["Arn"]) {
        let what = match queue {
            Some(queue) => format!("The schedule's dead-letter queue is {queue}, which the alarm StartFailed does not look at."),
            None => "The schedule has no dead-letter queue.".to_owned(),
        };
        findings.add(
            Name::DeadLetterQueueMissing,
            arn,
            what,
            fix::edit_schedule(schedule, &format!(".Target.DeadLetterConfig = {expected}")),
        );
    }
}

fn input(stack: &DeployedStack, schedule: &Schedule, arn: &str, findings: &mut Findings) {
    let value: Value = serde_json::from_str(schedule.input()).unwrap_or_default();
    let run = match schedule::parse(schedule.input(), &stack.stack) {
        Ok(run) => run,
        Err(error) => {
            let fix = fix::edit_schedule(schedule, &format!(".Target.Input = {}", json!(repaired(&value, stack).to_string())));
            return findings.add(Name::ScheduleInputInvalid, arn, format!("A run refuses the schedule's input: {}.", error.message), fix);
        }
    };
    if value["scheduledTime"] != SCHEDULED_TIME {
        let what =
            format!("The input's scheduledTime is {}, not {SCHEDULED_TIME}, which EventBridge Scheduler replaces.", value["scheduledTime"]);
        findings.add(
            Name::ScheduledTimeMissing,
            arn,
            what,
            fix::edit_input(schedule, &format!(".scheduledTime = {}", json!(SCHEDULED_TIME))),
        );
    }
    if run.timezone != stack.stack.timezone {
        let what = format!("The input's timezone is {}, and the stack's TimeZone is {}.", run.timezone, stack.stack.timezone);
        findings.add(Name::ScheduleTimeZoneDiffers, arn, what, fix::edit_input(schedule, "del(.timezone)"));
    }
    if run.settle_days != stack.stack.settle_days {
        let (days, expected) = (run.settle_days.days(), stack.stack.settle_days.days());
        let what = format!("The input's settleDays is {days}, and the stack's SettleDays is {expected}.");
        findings.add(Name::SettleDaysDiffer, arn, what, fix::edit_input(schedule, &format!(".settleDays = {expected}")));
    }
    let entries = value["logGroups"].as_array().map_or(&[][..], Vec::as_slice);
    if stack.list().as_deref() != Some(entries)
        && parameter_of(entries).is_some()
        && let Some(parameter) = parameter_of(&distinct(entries, &stack.stack))
    {
        let what = format!("The schedule's list has {} entries that are not those of the stack's parameter LogGroups.", entries.len());
        findings.add(Name::ListDiffers, arn, what, fix::set_parameters(stack, &[("LogGroups", &parameter)]));
    }
}

/// The guard of the schedule refuses an entry that is given twice.
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

/// An input that a run takes: of the list what can stay, else the stack's own.
fn repaired(value: &Value, stack: &DeployedStack) -> Value {
    let input = |entries: &[Value]| {
        let of = |name: &str| stack.parameters.get(name).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
        let days = stack.stack.settle_days.days();
        json!({"scheduledTime": SCHEDULED_TIME, "settleDays": days, "compact": of("Compact") == true, "logGroups": entries})
    };
    let is_taken = |entries: &[Value], stack: &Stack| schedule::parse(&input(entries).to_string(), stack).is_ok();
    let entries = value["logGroups"].as_array().cloned().unwrap_or_default();
    let right: Vec<Value> = entries.into_iter().filter(|entry| is_taken(std::slice::from_ref(entry), &stack.stack)).collect();
    if is_taken(&right, &stack.stack) {
        return input(&right);
    }
    input(&stack.list().unwrap_or_default())
}

async fn dead_letters(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<(), Failure> {
    let url = stack.output("DeadLetterQueueUrl");
    let of = &stack.stack;
    let arn = format!("arn:{}:sqs:{}:{}:{}", of.partition, of.region, of.account, url.rsplit('/').next().unwrap_or_default());
    let absent = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
    let call = Call { operation: "GetQueueAttributes", action: "sqs:GetQueueAttributes", resource: &arn, absent: &absent };
    let asked = context.sqs().get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
    let Some(answer) = findings.ask(call, asked.send().await)?.known() else { return Ok(()) };
    let messages =
        answer.attributes.and_then(|attributes| attributes.get(&QueueAttributeName::ApproximateNumberOfMessages)?.parse::<u64>().ok());
    if let Some(count) = messages.filter(|count| *count > 0) {
        let what = format!(
            "{count} starts of runs have failed. To read why: aws sqs receive-message --queue-url {url} --message-attribute-names All. \
             The next run looks at everything that these would have."
        );
        findings.add(Name::DeadLetterQueueNotEmpty, &arn, what, format!("aws sqs purge-queue --queue-url {url}"));
    }
    Ok(())
}
