//! Finds the archive's stack in an account and Region.
//!
//! A stack is an archive's stack if it has every output in [`OUTPUTS`]. An operator can change tags, names and descriptions. No other
//! template has these outputs, and no nested stack has them.

use std::collections::BTreeMap;

use archive::service_failure;
use aws_sdk_cloudformation::{
    Client,
    types::{Stack as StackDescription, StackStatus},
};
use export_core::{BucketName, Prefix, SettleDays, parse_timezone, place::Stack, schedule::entries_of_parameter};
use serde_json::Value;

use crate::failure::Failure;

/// The outputs that the tool needs.
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

/// An archive's stack, as CloudFormation describes it.
#[derive(Debug, Clone)]
pub struct DeployedStack {
    pub name: String,
    /// What the functions read from their environment variables.
    pub settings: Stack,
    pub parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

impl DeployedStack {
    /// The parameter `ExistingBucket`, `<name>` or `<name>:<owner's account>`. `None`: the stack created the bucket.
    pub fn existing_bucket(&self) -> Option<&str> {
        self.parameters.get("ExistingBucket").map(String::as_str).filter(|bucket| !bucket.is_empty())
    }

    /// The value of an output, or an empty text.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    /// The entries of the parameter LogGroups. `None`: the parameter is not a list.
    pub fn parameter_entries(&self) -> Option<Vec<Value>> {
        entries_of_parameter(self.parameters.get("LogGroups")?)
    }

    pub fn state_machine_arn(&self) -> &str {
        self.output("StateMachineArn")
    }

    pub fn work_bucket(&self) -> &str {
        self.output("WorkBucketName")
    }

    fn parse(description: StackDescription) -> Result<Self, String> {
        let name = description.stack_name.unwrap_or_default();
        let outputs: BTreeMap<String, String> =
            description.outputs.unwrap_or_default().into_iter().filter_map(|output| output.output_key.zip(output.output_value)).collect();
        let parameters: BTreeMap<String, String> = (description.parameters.unwrap_or_default().into_iter())
            .filter_map(|parameter| parameter.parameter_key.zip(parameter.parameter_value))
            .collect();
        let output = |name: &str| outputs.get(name).cloned().unwrap_or_default();
        let parameter = |name: &str| parameters.get(name).map_or("", String::as_str);
        let stack_id = description.stack_id.unwrap_or_default();
        let ["arn", partition, "cloudformation", region, account, _] = stack_id.splitn(6, ':').collect::<Vec<_>>()[..] else {
            return Err(format!("its id is {stack_id:?}, which is not an ARN"));
        };
        let prefix = output("ArchivePrefix");
        let settings = Stack {
            account: account.to_owned(),
            region: region.to_owned(),
            partition: partition.to_owned(),
            bucket: BucketName::parse(&output("ArchiveBucketName"))?,
            s3_prefix: Prefix::parse(prefix.strip_suffix('/').unwrap_or(&prefix))?,
            timezone: parse_timezone(parameter("TimeZone")).map_err(|fix| format!("its TimeZone is {:?}: {fix}", parameter("TimeZone")))?,
            settle_days: parameter("SettleDays").parse().ok().and_then(SettleDays::new).ok_or(SettleDays::EXPECTED)?,
        };
        Ok(Self { name, settings, parameters, outputs })
    }
}

/// The stack with this name. Without a name: the only archive's stack.
pub async fn find(client: &Client, name: Option<&str>, region: &str) -> Result<DeployedStack, Failure> {
    let descriptions = describe(client, name, region).await?;
    let is_named = name.is_some();
    let mut found: Vec<StackDescription> = descriptions.into_iter().filter(|stack| is_named || missing_output(stack).is_none()).collect();
    let usage = |message: String| Err(Failure::Usage(message));
    match (found.pop(), found.is_empty()) {
        (None, _) => usage(format!(
            "this account has no stack of cloudwatch-logs-archive in {region}: give another --region or --profile, or deploy a stack (docs/deploy.md)"
        )),
        (Some(last), false) => {
            let mut names: Vec<_> = found.iter().chain([&last]).filter_map(|stack| stack.stack_name()).collect();
            names.sort_unstable();
            usage(format!(
                "this account has several stacks of cloudwatch-logs-archive in {region}: choose one with --stack\n  {}",
                names.join("\n  ")
            ))
        }
        (Some(only), true) => {
            let name = only.stack_name().unwrap_or_default().to_owned();
            if let Some(output) = missing_output(&only) {
                let status = only.stack_status().map_or("", StackStatus::as_str);
                return usage(format!(
                    "stack {name} is {status} and has no output {output}: name a stack of cloudwatch-logs-archive, or finish its deployment"
                ));
            }
            DeployedStack::parse(only)
                .or_else(|why| usage(format!("stack {name} cannot be used: {why}; deploy this version of the template")))
        }
    }
}

fn missing_output(stack: &StackDescription) -> Option<&'static str> {
    OUTPUTS.into_iter().find(|name| !stack.outputs().iter().any(|output| output.output_key() == Some(name)))
}

async fn describe(client: &Client, name: Option<&str>, region: &str) -> Result<Vec<StackDescription>, Failure> {
    let mut pages = client.describe_stacks().set_stack_name(name.map(str::to_owned)).into_paginator().send();
    let mut descriptions = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            let failure = service_failure("DescribeStacks", &error);
            match name {
                Some(name) if failure.has_code("ValidationError") && failure.message.contains("does not exist") => Failure::Usage(format!(
                    "this account has no stack {name} in {region}: leave --stack out to use the only stack of cloudwatch-logs-archive"
                )),
                _ => Failure::of_call("cloudformation", &failure),
            }
        })?;
        descriptions.extend(page.stacks.unwrap_or_default());
    }
    descriptions.retain(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete));
    Ok(descriptions)
}
