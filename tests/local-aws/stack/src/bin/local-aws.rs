//! `cargo local-aws`: the local AWS with the stack deployed, until it is interrupted.

use std::process::ExitCode;

use anyhow::Result;
use lexopt::prelude::*;
use local_aws::Options;
use local_aws::cli::{self, Interruption};
use local_aws::progress::Progress;
use local_aws::set_up::set_up;
use serde_json::json;

const USAGE: &str = "\
Starts a local AWS with the stack deployed, and keeps it until it is interrupted.

Usage: cargo local-aws [--wait-scale <factor>]

  --wait-scale <factor>  multiply Step Functions' Wait and Retry delays by this (0 to 1, default 0.01)
  --help                 print this

When the stack is ready, one line of JSON goes to stdout:
  {\"endpoint\",\"region\",\"accountId\",\"stateMachineArn\",\"bucket\",\"workBucket\",\"topicArn\",
   \"planFunctionName\",\"createFunctionName\",\"checkFunctionName\",\"reportFunctionName\"}
Any AWS SDK or CLI works against `endpoint` and `region`, with any credentials; Athena's workgroup is cloudwatch-logs-archive, its database
cloudwatch_logs_archive. Everything else goes to stderr.
Ctrl-C or SIGTERM ends it: exit code 0 once it was ready, 128 + the signal's number before.";

fn main() -> ExitCode {
    cli::run(USAGE, arguments(lexopt::Parser::from_env()), serve)
}

fn arguments(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("wait-scale") => {
                options.wait_scale = parser.value()?.parse_with(wait_scale)?;
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn wait_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.0..=1.0).contains(&scale) => Ok(scale),
        _ => Err("--wait-scale must be a number from 0 to 1".to_owned()),
    }
}

async fn serve(options: Options, mut interruption: Interruption) -> Result<ExitCode> {
    let progress = Progress::default();
    let (local, deployment) = tokio::select! {
        ready = set_up(&progress, &options) => ready?,
        code = interruption.received() => return Ok(code),
    };
    let ready = json!({
        "endpoint": local.endpoint(),
        "region": local.region(),
        "accountId": local.account_id(),
        "stateMachineArn": deployment.state_machine_arn,
        "bucket": deployment.bucket,
        "workBucket": deployment.work_bucket,
        "topicArn": deployment.topic_arn,
        "planFunctionName": deployment.plan_function_name,
        "createFunctionName": deployment.create_function_name,
        "checkFunctionName": deployment.check_function_name,
        "reportFunctionName": deployment.report_function_name,
    });
    cli::print(&ready.to_string());
    eprintln!("Ready. Ctrl-C ends it and removes everything.");
    tokio::select! {
        error = local.end() => Err(error),
        _ = interruption.received() => Ok(ExitCode::SUCCESS),
    }
}
