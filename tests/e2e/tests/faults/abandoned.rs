//! An export task that is never done. The longest scenario, and the first by its name, so that others run beside it.

use e2e::FROM;
use local_aws::Engine;
use serde_json::json;

use crate::stage;

e2e::on_both_engines! {
    a_task_that_is_never_done_is_cancelled_and_the_next_log_group_exported,
}

async fn a_task_that_is_never_done_is_cancelled_and_the_next_log_group_exported(engine: Engine) {
    // All of the polling, with no delay between its 400 looks.
    let archive = stage::deploy(engine, 0.0).await;
    for name in ["/stuck", "/next"] {
        archive.log_group(name, &[(FROM, "hello")]).await;
    }
    let stuck = json!({"logGroupName": "/stuck", "status": "RUNNING", "message": "Started successfully"});
    archive.local.add_fault(&stuck).await.expect("the stand-in takes the fault");
    let throttled = json!({"operation": "CancelExportTask", "error": "ThrottlingException", "times": 5});
    archive.local.add_fault(&throttled).await.expect("the stand-in takes the fault");
    let (error, cause) = archive.run_badly(&archive.input(json!(["/stuck", "/next"]))).await;
    assert_eq!(error, "ExportsFailed");
    assert!(cause.starts_with("1 of 2 log groups failed: /stuck: ExportTaskTimedOut: export task "), "{cause}");
    let tasks = archive.local.export_tasks().await.expect("the tasks can be listed");
    let ends: Vec<_> = tasks.iter().map(|task| (task.log_group_name.as_str(), task.status.as_str())).collect();
    assert_eq!(ends, [("/next", "COMPLETED"), ("/stuck", "CANCELLED")]);
    let looks = archive.calls("DescribeExportTasks").await;
    let looks = looks.iter().filter(|call| call["request"]["taskId"] == tasks[1].task_id.as_str()).count();
    assert!(looks > 400, "{looks} looks");
}
