//! The stack of this template in an account and Region.
//!
//! A stack is of this template if it has every output that the tool needs. Tags, names and descriptions are an operator's to change;
//! no other template, and none of the nested stacks, has these outputs.

use std::collections::BTreeMap;

use archive::service_failure;
use aws_sdk_cloudformation::{
    Client,
    types::{Stack as Described, StackStatus},
};
use export_core::{BucketName, Prefix, SettleDays, place::Stack};

use crate::failure::Failure;

/// What the tool needs of a stack.
pub const OUTPUTS: [&str; 10] = [
    "StateMachineArn",
    "ArchiveBucketName",
    "ArchivePrefix",
    "WorkBucketName",
    "NotificationTopicArn",
    "PlanExportsFunctionName",
    "CreateExportTaskFunctionName",
    "CheckExportTaskFunctionName",
    "ReportArchiveFunctionName",
    "ScheduleName",
];

/// A stack of this template, as CloudFormation describes it.
#[derive(Debug, Clone)]
pub struct DeployedStack {
    pub name: String,
    pub stack: Stack,
    pub parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

impl DeployedStack {
    /// One of the outputs of the template that have no condition.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    pub fn state_machine_arn(&self) -> &str {
        self.output("StateMachineArn")
    }

    pub fn work_bucket(&self) -> &str {
        self.output("WorkBucketName")
    }

    fn read(described: Described) -> Result<Self, String> {
        let name = described.stack_name.unwrap_or_default();
        let outputs: BTreeMap<String, String> =
            described.outputs.unwrap_or_default().into_iter().filter_map(|output| output.output_key.zip(output.output_value)).collect();
        let parameters: BTreeMap<String, String> = (described.parameters.unwrap_or_default().into_iter())
            .filter_map(|parameter| parameter.parameter_key.zip(parameter.parameter_value))
            .collect();
        let output = |name: &str| outputs.get(name).cloned().unwrap_or_default();
        let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
        let stack_id = described.stack_id.unwrap_or_default();
        let ["arn", partition, "cloudformation", region, account, _] = stack_id.splitn(6, ':').collect::<Vec<_>>()[..] else {
            return Err(format!("its id is {stack_id:?}, which is no ARN"));
        };
        let prefix = output("ArchivePrefix");
        let stack = Stack {
            account: account.to_owned(),
            region: region.to_owned(),
            partition: partition.to_owned(),
            bucket: BucketName::parse(&output("ArchiveBucketName"))?,
            s3_prefix: Prefix::parse(prefix.strip_suffix('/').unwrap_or(&prefix))?,
            timezone: parameter("TimeZone").parse().map_err(|_| "its TimeZone is no IANA time zone name".to_owned())?,
            settle_days: parameter("SettleDays").parse().ok().and_then(SettleDays::new).ok_or(SettleDays::EXPECTED)?,
        };
        Ok(Self { name, stack, parameters, outputs })
    }
}

/// The stack of that name; without one, the only stack of this template.
pub async fn find(client: &Client, name: Option<&str>, region: &str) -> Result<DeployedStack, Failure> {
    let described = describe(client, name, region).await?;
    let is_named = name.is_some();
    let mut found: Vec<Described> = described.into_iter().filter(|stack| is_named || missing_output(stack).is_none()).collect();
    let usage = |message: String| Err(Failure::Usage(message));
    match (found.pop(), found.is_empty()) {
        (None, _) => usage(format!(
            "no stack of cloudwatch-logs-archive is in this account in {region}: give another --region or --profile, or deploy one as docs/deploy.md says"
        )),
        (Some(last), false) => {
            let mut names: Vec<_> = found.iter().chain([&last]).filter_map(|stack| stack.stack_name()).collect();
            names.sort_unstable();
            usage(format!("several stacks of cloudwatch-logs-archive are in {region}: choose one with --stack\n  {}", names.join("\n  ")))
        }
        (Some(only), true) => {
            let name = only.stack_name().unwrap_or_default().to_owned();
            if let Some(output) = missing_output(&only) {
                let status = only.stack_status().map_or("", StackStatus::as_str);
                return usage(format!(
                    "stack {name} is {status} and has no output {output}: name a stack of cloudwatch-logs-archive, or finish its deployment"
                ));
            }
            DeployedStack::read(only)
                .or_else(|why| usage(format!("stack {name} cannot be used: {why}; deploy this version of the template")))
        }
    }
}

fn missing_output(stack: &Described) -> Option<&'static str> {
    OUTPUTS.into_iter().find(|name| !stack.outputs().iter().any(|output| output.output_key() == Some(name)))
}

async fn describe(client: &Client, name: Option<&str>, region: &str) -> Result<Vec<Described>, Failure> {
    let mut pages = client.describe_stacks().set_stack_name(name.map(str::to_owned)).into_paginator().send();
    let mut described = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match (page, name) {
            (Ok(page), _) => page,
            (Err(error), Some(name)) => {
                let failure = service_failure("DescribeStacks", &error);
                if failure.has_code("ValidationError") && failure.message.contains("does not exist") {
                    return Err(Failure::Usage(format!(
                        "no stack {name} is in this account in {region}: leave --stack out to take the only one of cloudwatch-logs-archive"
                    )));
                }
                return Err(Failure::of("cloudformation", &failure));
            }
            (Err(error), None) => return Err(Failure::of("cloudformation", &service_failure("DescribeStacks", &error))),
        };
        described.extend(page.stacks.unwrap_or_default());
    }
    described.retain(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete));
    Ok(described)
}
