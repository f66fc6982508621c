//! `cargo local-aws`: the local AWS with the stack deployed, until it is interrupted.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use lexopt::prelude::*;
use local_aws::cli::{self, Interruption};
use local_aws::progress::Progress;
use local_aws::set_up::set_up;
use local_aws::{LocalAws, Options};
use serde::Serialize;

const USAGE: &str = "\
Starts a local AWS with the stack deployed, and keeps it until it is interrupted.

Usage: cargo local-aws [--wait-scale <factor>]

  --wait-scale <factor>  multiply Step Functions' Wait and Retry delays by this (0 to 1, default 0.01)
  --help                 print this

When the stack is ready, one line of JSON goes to stdout:
  {\"endpoint\",\"region\",\"accountId\",\"stateMachineArn\",\"bucket\",\"topicArn\",\"createFunctionName\",\"checkFunctionName\"}
Any AWS SDK or CLI works against `endpoint` and `region`, with any credentials; Athena's workgroup is cloudwatch-logs-archive, its database
cloudwatch_logs_archive. Everything else goes to stderr.
Ctrl-C or SIGTERM ends it: exit code 0 once it was ready, 128 + the signal's number before.";

/// How often it is looked at whether ministack still runs.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    endpoint: &'a str,
    region: &'a str,
    account_id: &'a str,
    state_machine_arn: &'a str,
    bucket: &'a str,
    topic_arn: &'a str,
    create_function_name: &'a str,
    check_function_name: &'a str,
}

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
    let ready = Ready {
        endpoint: local.endpoint(),
        region: local.region(),
        account_id: local.account_id(),
        state_machine_arn: &deployment.state_machine_arn,
        bucket: &deployment.bucket,
        topic_arn: &deployment.topic_arn,
        create_function_name: &deployment.create_function_name,
        check_function_name: &deployment.check_function_name,
    };
    cli::print(&serde_json::to_string(&ready)?);
    eprintln!("Ready. Ctrl-C ends it and removes everything.");
    tokio::select! {
        error = watch(&local) => Err(error),
        _ = interruption.received() => Ok(ExitCode::SUCCESS),
    }
}

/// Returns when the local AWS has ended by itself, with the reason.
async fn watch(local: &LocalAws) -> anyhow::Error {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        if let Err(error) = local.check_alive().await {
            return error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Option<Options>, String> {
        super::arguments(lexopt::Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_wait_scale_is_a_number_from_0_to_1() {
        for (text, scale) in [("0", 0.0), ("0.5", 0.5), ("1", 1.0)] {
            let options = parse(&["--wait-scale", text]).unwrap().unwrap();
            assert_eq!(options.wait_scale, scale);
        }
        for text in ["-1", "2", "NaN", "fast"] {
            let error = parse(&["--wait-scale", text]).unwrap_err();
            assert!(error.contains("--wait-scale must be a number from 0 to 1"), "{text}: {error}");
        }
    }

    #[test]
    fn an_unknown_argument_is_named() {
        assert_eq!(parse(&["--month"]).unwrap_err(), "invalid option '--month'");
        assert_eq!(parse(&["2026-10"]).unwrap_err(), "unexpected argument \"2026-10\"");
    }

    #[test]
    fn help_is_all_that_it_does() {
        assert!(parse(&["--help", "--unknown"]).unwrap().is_none());
    }
}
