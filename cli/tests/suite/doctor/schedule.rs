//! The schedule.

use aws_sdk_scheduler::{
    operation::update_schedule::builders::UpdateScheduleFluentBuilder,
    primitives::DateTime,
    types::{DeadLetterConfig, ScheduleState},
};
use serde_json::json;

use super::{finds, finds_and_fixes, healthy, physical_id, shell};
use crate::schedule::{get, name, scheduler, update};

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule() {
    // The schedule starts runs on two days a month.
    let (archive, tool) = healthy(&[("Schedule", "MONTHLY")]).await;
    update(
        &archive,
        |input| {
            input["scheduledTime"] = json!("2026-01-01T00:00:00Z");
            input["timezone"] = json!("UTC");
            input["settleDays"] = json!(3);
        },
        |request| {
            let mut target = request.get_target().clone().expect("a target");
            target.arn = target.arn.replace("ExportLogs", "Other");
            target.dead_letter_config = None;
            target.role_arn += "-other";
            request
                .target(target)
                .end_date(DateTime::from_secs(1_767_225_600))
                .state(ScheduleState::Disabled)
                .schedule_expression("rate(1 day)")
                .schedule_expression_timezone("Europe/Berlin")
        },
    )
    .await;
    let expected = [
        ("ScheduleDisabled", "is disabled, and the stack's parameter Schedule is MONTHLY"),
        ("ScheduleDisabled", "The schedule ended at 2026-01-01T00:00:00Z, and the stack's parameter Schedule is MONTHLY."),
        ("ScheduleExpressionDiffers", "expression is rate(1 day), not cron(0 13 1,16 * ? *)"),
        ("ScheduleTimeZoneDiffers", "The schedule's time zone is Europe/Berlin, and the stack's TimeZone is Asia/Tokyo"),
        ("ScheduleTimeZoneDiffers", "The input's timezone is UTC"),
        ("ScheduleTargetDiffers", "The schedule starts arn:aws:states:"),
        ("ScheduleRoleDiffers", "EventBridge Scheduler starts runs with the role arn:aws:iam::000000000000:role/cloudwatch-logs-archive/"),
        ("DeadLetterQueueMissing", "has no dead-letter queue"),
        ("ScheduledTimeMissing", r#"scheduledTime is "2026-01-01T00:00:00Z""#),
        ("SettleDaysDiffer", "settleDays is 3, and the stack's SettleDays is 0"),
    ];
    finds_and_fixes(&archive, &tool, &expected).await;
    assert_eq!(get(&archive).await.end_date(), None);

    let in_a_year = DateTime::from_secs(chrono::Utc::now().timestamp() + 31_536_000);
    let other = |request: UpdateScheduleFluentBuilder| {
        let mut target = request.get_target().clone().expect("a target");
        target.dead_letter_config = DeadLetterConfig::builder().arn("arn:aws:sqs:ap-northeast-1:000000000000:other").build().into();
        request.target(target).start_date(in_a_year)
    };
    update(&archive, |_| (), other).await;
    let expected = [
        ("ScheduleDisabled", "The schedule does not begin before "),
        ("DeadLetterQueueMissing", "dead-letter queue is arn:aws:sqs:ap-northeast-1:000000000000:other, which the alarm"),
    ];
    finds_and_fixes(&archive, &tool, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_input_dead_letters_and_a_missing_schedule() {
    let (archive, tool) = healthy(&[]).await;
    let before = get(&archive).await;
    update(
        &archive,
        |input| {
            input["logGroup"] = json!("/typo");
            input["logGroups"] = json!(["/aws/lambda/orders", "/aws/lambda/*"]);
        },
        |request| request,
    )
    .await;
    let invalid = [("ScheduleInputInvalid", r#"A run refuses the schedule's input: logGroup is"#)];
    finds_and_fixes(&archive, &tool, &invalid).await;
    assert_eq!(crate::schedule::input_of(&get(&archive).await), crate::schedule::input_of(&before));

    let sqs = aws_sdk_sqs::Client::new(&archive.local.sdk_config());
    let queue = physical_id(&archive, "ExportLogsScheduleDeadLetterQueue").await;
    sqs.send_message().queue_url(queue).message_body("{}").send().await.expect("the queue takes it");
    finds_and_fixes(&archive, &tool, &[("DeadLetterQueueNotEmpty", "1 starts of runs have failed")]).await;

    scheduler(&archive).delete_schedule().name(name(&archive).await).send().await.expect("it is deleted");
    let found = finds(&tool, &[("ScheduleNotFound", "does not exist")]).await;
    shell(&archive, &tool, found[0]["fix"].as_str().expect("a command")).await;
    finds(&tool, &[]).await;
    let after = get(&archive).await;
    assert_eq!((after.target(), after.schedule_expression_timezone()), (before.target(), before.schedule_expression_timezone()));
}
