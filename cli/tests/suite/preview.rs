//! A plan of more windows than a round of a run has.

use std::{cell::Cell, collections::BTreeSet};

use archive::Archive;
use export_core::{ExecutionArn, contract::plan::ROUND_SIZE, input::RunInput};
use fake_aws::{Aws, EXECUTION, FROM, NOW, stack};
use logs_archive::commands::plan::preview::preview;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn all_rounds_are_planned() {
    let count = 2 * ROUND_SIZE + 3;
    let aws = Aws::default();
    aws.state().log_groups = (0..count).map(|number| json!({"logGroupName": format!("/many/{number:04}")})).collect();
    aws.state().log_streams = vec![json!({"logStreamName": "s", "lastEventTimestamp": FROM})];
    let archive = Archive::new(stack(), &aws.config());
    let input = RunInput::parse(&json!({"month": "2026-10", "logGroups": [{"logGroupNamePrefix": "/many/"}]}), &archive.stack);
    let execution = ExecutionArn::parse(EXECUTION).expect("an ARN");
    let begun = archive.begin_run(&execution, NOW.parse().expect("an instant"), input.expect("an input")).await;
    let (run, groups, memory) = begun.expect("it begins");
    let compared = Cell::new(0);
    let planned = preview(&archive, &run, &groups, &memory, || compared.set(compared.get() + 1)).await.expect("a plan");
    let exports: BTreeSet<&str> = planned.rows.iter().filter(|row| row.outcome == "export").map(|row| row.log_group.as_str()).collect();
    assert_eq!((planned.rows.len(), exports.len(), compared.get()), (count, count, count));
}
