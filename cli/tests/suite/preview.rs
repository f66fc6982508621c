//! Plans with other time zones, stale metadata, and more windows than one round, which the local AWS does not support.

use std::{cell::Cell, collections::BTreeSet};

use archive::Archive;
use export_core::{ExecutionArn, contract::plan::ROUND_SIZE, input::RunInput};
use fake_aws::{Aws, EXECUTION, FROM, NOW, stack};
use logs_archive::commands::plan::preview::{Row, preview};
use serde_json::{Value, json};

/// The rows of a plan, and the number of compared windows.
async fn plan(aws: &Aws, input: Value) -> (Vec<Row>, usize) {
    let archive = Archive::new(stack(), &aws.config());
    let input = RunInput::parse(&input, &archive.stack).expect("an input");
    let execution = ExecutionArn::parse(EXECUTION).expect("an ARN");
    let begun = archive.begin_run(&execution, NOW.parse().expect("an instant"), input).await;
    let (run, groups, memory) = begun.expect("it begins");
    let compared = Cell::new(0);
    let planned = preview(&archive, &run, &groups, &memory, || compared.set(compared.get() + 1)).await.expect("a plan");
    (planned.rows, compared.get())
}

#[tokio::test(start_paused = true)]
async fn all_rounds_are_planned() {
    let count = 2 * ROUND_SIZE + 3;
    let aws = Aws::default();
    aws.state().log_groups = (0..count).map(|number| json!({"logGroupName": format!("/many/{number:04}")})).collect();
    aws.state().log_streams = vec![json!({"logStreamName": "s", "lastEventTimestamp": FROM})];
    let (rows, compared) = plan(&aws, json!({"month": "2026-10", "logGroups": [{"logGroupNamePrefix": "/many/"}]})).await;
    let exports: BTreeSet<&str> = rows.iter().filter(|row| row.outcome == "export").map(|row| row.log_group.as_str()).collect();
    assert_eq!((rows.len(), exports.len(), compared), (count, count, count));
}

#[tokio::test(start_paused = true)]
async fn a_month_in_which_the_clocks_change_has_an_hour_less_or_more() {
    let aws = Aws::default();
    aws.state().log_groups = vec![json!({"logGroupName": "/g"})];
    for (month, timezone, from, to, hours) in [
        ("2024-03", "Europe/Berlin", "2024-03-01T00:00:00.000+01:00", "2024-03-31T23:59:59.999+02:00", 31 * 24 - 1),
        ("2024-10", "Europe/Berlin", "2024-10-01T00:00:00.000+02:00", "2024-10-31T23:59:59.999+01:00", 31 * 24 + 1),
        ("2024-11", "America/New_York", "2024-11-01T00:00:00.000-04:00", "2024-11-30T23:59:59.999-05:00", 30 * 24 + 1),
        ("2024-03", "Asia/Tokyo", "2024-03-01T00:00:00.000+09:00", "2024-03-31T23:59:59.999+09:00", 31 * 24),
    ] {
        let (rows, _) = plan(&aws, json!({"month": month, "timezone": timezone, "logGroups": ["/g"]})).await;
        let [row] = &rows[..] else { panic!("{} rows", rows.len()) };
        assert_eq!((row.from_local.as_str(), row.to_local.as_str()), (from, to), "{month} {timezone}");
        assert_eq!(row.to + 1 - row.from, hours * 3_600_000, "{month} {timezone}");
    }
}

/// `lastEventTimestamp` is late or absent. Only a log stream that was quiet long before the month has no events in it.
#[tokio::test(start_paused = true)]
async fn stale_metadata_skips_no_log_stream() {
    const DAY: i64 = 86_400_000;
    let aws = Aws::default();
    aws.state().log_groups = vec![json!({"logGroupName": "/g"})];
    for (last_event, outcome) in [
        (None, "export"),
        (Some(FROM + DAY), "export"),
        (Some(FROM - DAY), "export"),
        (Some(FROM - 14 * DAY), "export"),
        (Some(FROM - 16 * DAY), "skipped"),
    ] {
        let stream = last_event.map_or(json!({"logStreamName": "s"}), |at| json!({"logStreamName": "s", "lastEventTimestamp": at}));
        aws.state().log_streams = vec![stream];
        let (rows, _) = plan(&aws, json!({"month": "2026-10", "logGroups": ["/g"]})).await;
        assert_eq!(rows.iter().map(|row| row.outcome).collect::<Vec<_>>(), [outcome], "{last_event:?}");
    }
}
