//! An export task that is never done. The longest scenario, and the first by its name, so that others run beside it.

use e2e::FROM;
use local_aws::Engine;
use serde_json::json;

use crate::faults::stage;

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
    let execution = archive.run(&archive.input(json!(["/stuck", "/next"]))).await;
    assert_eq!(execution.error.as_deref(), Some("ExportsFailed"));
    let cause = execution.cause.expect("a run that failed has a cause");
    assert!(cause.starts_with("1 of 2 log groups failed: /stuck: ExportTaskTimedOut: export task "), "{cause}");
    let tasks = archive.local.export_tasks().await.expect("the tasks can be listed");
    let ends: Vec<_> = tasks.iter().map(|task| (task.log_group_name.as_str(), task.status.as_str())).collect();
    assert_eq!(ends, [("/next", "COMPLETED"), ("/stuck", "CANCELLED")]);
    let looks = archive.calls("DescribeExportTasks").await;
    let looks = looks.iter().filter(|call| call["request"]["taskId"] == tasks[1].task_id.as_str()).count();
    assert!(looks > 400, "{looks} looks");
    // The engine whose history is like AWS's, where an execution has 25,000 events at most.
    if engine == Engine::Moto {
        let children = archive.local.child_histories(&execution.arn).await.expect("the children's histories");
        let largest = children.iter().map(|child| child.events.len()).max().expect("a child");
        assert!((1_000..25_000 / 4).contains(&largest), "{largest} events");
    }
}
