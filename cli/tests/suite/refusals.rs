//! What AWS refuses: the message names the action, and the exit code is 3.

use std::net::Ipv4Addr;

use e2e::MONTH;
use local_aws::Engine;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use crate::list::{everything, stage};

/// An endpoint that refuses every call.
pub async fn refusing(code: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let mut connection = BufReader::new(connection);
            let (mut line, mut length) = (String::new(), 0);
            while connection.read_line(&mut line).await.is_ok_and(|bytes| bytes > 2) {
                let header = line.to_ascii_lowercase();
                length = header.strip_prefix("content-length:").and_then(|value| value.trim().parse().ok()).unwrap_or(length);
                line.clear();
            }
            let _ = connection.read_exact(&mut vec![0; length]).await;
            let body = json!({"__type": code, "message": "not you"}).to_string();
            let head = format!(
                "HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: {code}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    endpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_action_to_allow() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/denied"])).await;
    stage.hello("/denied").await;
    let before = everything(&stage).await;
    let denied = json!({"operation": "DescribeExportTasks", "error": "AccessDeniedException", "message": "not you"});
    for (operation, arguments) in [("DescribeExportTasks", &["plan", "--month", MONTH][..]), ("DescribeLogGroups", &["plan"])] {
        let mut denied = denied.clone();
        denied["operation"] = json!(operation);
        stage.fault(denied).await;
        let ran = tool.run(arguments).await;
        let says = format!("{operation} answered AccessDeniedException: not you");
        assert!(ran.code == 3 && ran.stderr.contains(&says) && ran.stderr.contains(&format!("Allow logs:{operation} ")), "{ran:#?}");
        stage.assert_no_faults_left().await;
    }
    let endpoint = refusing("AccessDeniedException").await;
    let (no_scheduler, no_step_functions) = ("AWS_ENDPOINT_URL_SCHEDULER", "AWS_ENDPOINT_URL_SFN");
    for (service, arguments, action) in [
        (no_scheduler, &["plan"][..], "scheduler:GetSchedule"),
        (no_step_functions, &["run", "--month", MONTH], "states:StartExecution"),
        (no_step_functions, &["watch"], "states:ListExecutions"),
        (no_step_functions, &["watch", "some-run"], "states:DescribeExecution"),
    ] {
        let ran = crate::tool::Tool::of(&stage.local).with(service, &endpoint).run(arguments).await;
        let says = format!("\nAllow {action} to the identity that you are signed in as.\n");
        assert!(ran.code == 3 && ran.stderr.contains(&says) && ran.stdout.is_empty(), "{ran:#?}");
    }
    assert_eq!(everything(&stage).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_throttled_is_asked_again_and_then_says_so() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/throttled"])).await;
    stage.hello("/throttled").await;
    let throttled =
        |times: u32| json!({"operation": "DescribeLogGroups", "error": "ThrottlingException", "message": "slow", "times": times});
    stage.fault(throttled(2)).await;
    let rows = tool.json(0, &["plan", "--month", MONTH]).await;
    assert_eq!(rows[0]["outcome"], "export");
    stage.assert_no_faults_left().await;
    stage.fault(throttled(1_000)).await;
    let ran = tool.run(&["plan", "--month", MONTH]).await;
    assert!(ran.code == 3 && ran.stderr.contains("DescribeLogGroups answered ThrottlingException: slow"), "{ran:#?}");
    assert!(ran.stderr.contains("Wait a minute, then repeat the command."), "{ran:#?}");
}
