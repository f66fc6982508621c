//! Reads the resources of the stack and of its nested stacks, to resolve the templates.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::{
    Client,
    types::{ResourceStatus, StackResourceSummary, StackStatus},
};
use serde_json::Value as Json;

use super::{
    finding::{Answer, Call, FindingName, Findings},
    fix,
    template::{self, Template},
};
use crate::{context::Context, failure::Failure, stack::DeployedStack};

pub struct Deployment {
    pub root: Template,
    pub archive: Template,
    /// `None`: the nested stack does not exist or cannot be read. Both are findings.
    pub monitoring: Option<Template>,
    pub functions: Option<Template>,
}

impl Deployment {
    pub async fn read(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<Self, Failure> {
        let client = context.cloudformation();
        let pseudo_parameters = pseudo_parameters(stack);
        let settings = &stack.settings;
        let arn = format!("arn:{}:cloudformation:{}:{}:stack/{}/*", settings.partition, settings.region, settings.account, stack.name);
        let resources = list_resources(&client, &stack.name, &arn, findings).await?;
        let mut nested = BTreeMap::new();
        for (name, text) in [("MonitoringStack", template::MONITORING), ("Functions", template::FUNCTIONS)] {
            let Some(resources) = &resources else { break };
            let read = match resources.get(name) {
                Some(resource) => nested_template(&client, &resource.physical_id, text, &pseudo_parameters, findings).await?,
                None => Answer::Absent,
            };
            match read {
                Answer::Found(template) => drop(nested.insert(name, template)),
                Answer::Absent => report_incomplete(stack, format!("The nested stack {name} does not exist"), findings),
                Answer::Refused => {}
            }
        }
        let is_listed = resources.is_some();
        let mut values = resource_values(resources.unwrap_or_default(), &pseudo_parameters);
        values.extend(stack.parameters.clone());
        values.extend(root_values(stack));
        let root = Template::new(template::ROOT, values);
        let deployment = Self {
            archive: Template::new(template::ARCHIVE, archive_values(stack, &root, pseudo_parameters)),
            root,
            monitoring: nested.remove("MonitoringStack"),
            functions: nested.remove("Functions"),
        };
        let Self { root, archive, monitoring, functions } = &deployment;
        let lacking: Vec<&str> = [Some(root).filter(|_| is_listed), Some(archive), monitoring.as_ref(), functions.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(Template::unresolved)
            .collect();
        if !lacking.is_empty() {
            report_incomplete(
                stack,
                format!("The stack has another version than the tool: it lacks values for {}", lacking.join(", ")),
                findings,
            );
        }
        Ok(deployment)
    }
}

fn report_incomplete(stack: &DeployedStack, what: String, findings: &mut Findings) {
    let what = format!("{what}. Use the tool of the stack's version, or deploy the tool's version from the folder infra of its source.");
    findings.add(FindingName::StackIncomplete, &stack.name, what, fix::deploy(stack));
}

fn pseudo_parameters(stack: &DeployedStack) -> BTreeMap<String, String> {
    let settings = &stack.settings;
    let values = [
        ("AWS::Region", &settings.region),
        ("AWS::AccountId", &settings.account),
        ("AWS::Partition", &settings.partition),
        ("AWS::StackName", &stack.name),
    ];
    values.map(|(name, value)| (name.to_owned(), value.clone())).into()
}

/// The values of the root template that come from its resources and nested stacks, for the roles.
fn root_values(stack: &DeployedStack) -> Vec<(String, String)> {
    let (region, account, partition) = (&stack.settings.region, &stack.settings.account, &stack.settings.partition);
    let mut values: Vec<_> = ["PlanExports", "CreateExportTask", "CheckExportTask", "ReportArchive"]
        .into_iter()
        .map(|name| {
            let function = stack.output(&format!("{name}FunctionName"));
            (format!("Functions.Outputs.{name}FunctionArn"), format!("arn:{partition}:lambda:{region}:{account}:function:{function}"))
        })
        .collect();
    let last = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let compaction = stack.output("CompactLogsStateMachineArn");
    values.extend([
        ("ExportLogsStateMachine".to_owned(), stack.state_machine_arn().to_owned()),
        ("ExportLogsStateMachine.Name".to_owned(), last(stack.state_machine_arn())),
        ("Compaction.Outputs.StateMachineArn".to_owned(), compaction.to_owned()),
        ("Compaction.Outputs.StateMachineName".to_owned(), last(compaction)),
        ("Archive.Outputs.WorkBucketArn".to_owned(), format!("arn:{partition}:s3:::{}", stack.work_bucket())),
    ]);
    values
}

/// The parameters that the root template gives it, and its buckets.
fn archive_values(stack: &DeployedStack, root: &Template, pseudo_parameters: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let bucket = stack.settings.bucket.as_str();
    let arn = format!("arn:{}:s3:::{bucket}", stack.settings.partition);
    let mut values = pseudo_parameters;
    let parameters = root.property("Archive", "Parameters");
    let parameters = parameters.iter().filter_map(Json::as_object).flatten();
    values.extend(parameters.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))));
    let work = stack.work_bucket();
    values.extend([
        ("ArchiveBucket".to_owned(), bucket.to_owned()),
        ("ArchiveBucket.Arn".to_owned(), arn),
        ("WorkBucket".to_owned(), work.to_owned()),
        ("WorkBucket.Arn".to_owned(), format!("arn:{}:s3:::{work}", stack.settings.partition)),
    ]);
    values
}

/// The path of every role of the stack.
const ROLE_PATH: &str = "/cloudwatch-logs-archive/";

async fn nested_template(
    client: &Client,
    id: &str,
    text: &str,
    pseudo_parameters: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Result<Answer<Template>, Failure> {
    // The id is valid, so this error means that the stack does not exist.
    let call = Call { operation: "DescribeStacks", action: "cloudformation:DescribeStacks", resource: id, absent: &["ValidationError"] };
    let description = match findings.answer_of(call, client.describe_stacks().stack_name(id).send().await)? {
        Answer::Found(description) => description.stacks.unwrap_or_default().into_iter().next(),
        Answer::Absent => None,
        Answer::Refused => return Ok(Answer::Refused),
    };
    // CloudFormation also describes a deleted stack by its id.
    let Some(description) = description.filter(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete)) else {
        return Ok(Answer::Absent);
    };
    let Some(resources) = list_resources(client, id, id, findings).await? else { return Ok(Answer::Refused) };
    let mut values = resource_values(resources, pseudo_parameters);
    let parameters = description.parameters.unwrap_or_default().into_iter();
    values.extend(parameters.filter_map(|parameter| Some((parameter.parameter_key?, parameter.parameter_value?))));
    values.insert("AWS::StackName".to_owned(), description.stack_name.unwrap_or_default());
    Ok(Answer::Found(Template::new(text, values)))
}

/// The values of `Ref` and `Fn::GetAtt` for resources.
fn resource_values(resources: BTreeMap<String, Resource>, pseudo_parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut values = pseudo_parameters.clone();
    let (region, account, partition) =
        (&pseudo_parameters["AWS::Region"], &pseudo_parameters["AWS::AccountId"], &pseudo_parameters["AWS::Partition"]);
    for (name, Resource { resource_type, physical_id: id }) in resources {
        let arn = match resource_type.as_str() {
            "AWS::IAM::Role" => format!("arn:{partition}:iam::{account}:role{ROLE_PATH}{id}"),
            "AWS::Logs::LogGroup" => format!("arn:{partition}:logs:{region}:{account}:log-group:{id}:*"),
            // The physical id of a queue is its URL.
            "AWS::SQS::Queue" => format!("arn:{partition}:sqs:{region}:{account}:{}", id.rsplit('/').next().unwrap_or_default()),
            _ => String::new(),
        };
        if !arn.is_empty() {
            values.insert(format!("{name}.Arn"), arn);
        }
        values.insert(name, id);
    }
    values
}

struct Resource {
    resource_type: String,
    physical_id: String,
}

/// Lists a stack's resources by their logical ids. `arn`: the stack's ARN, for IAM.
async fn list_resources(
    client: &Client,
    stack: &str,
    arn: &str,
    findings: &mut Findings,
) -> Result<Option<BTreeMap<String, Resource>>, Failure> {
    let call = Call { operation: "ListStackResources", action: "cloudformation:ListStackResources", resource: arn, absent: &[] };
    let listed: Result<Vec<_>, _> = client.list_stack_resources().stack_name(stack).into_paginator().items().send().collect().await;
    let Some(listed) = findings.answer_of(call, listed)?.found() else { return Ok(None) };
    let resource = |summary: StackResourceSummary| {
        Some((
            summary.logical_resource_id?,
            Resource { resource_type: summary.resource_type.unwrap_or_default(), physical_id: summary.physical_resource_id? },
        ))
    };
    let existing = listed.into_iter().filter(|summary| summary.resource_status() != Some(&ResourceStatus::DeleteComplete));
    Ok(Some(existing.filter_map(resource).collect()))
}
