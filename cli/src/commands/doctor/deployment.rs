//! What CloudFormation made of the stack and of the stacks nested in it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::{
    Client,
    types::{ResourceStatus, StackResourceSummary, StackStatus},
};
use serde_json::Value as Json;

use super::{
    finding::{Asked, Call, Findings, Name},
    fix,
    template::{self, Template},
};
use crate::{context::Context, failure::Failure, stack::DeployedStack};

pub struct Deployment {
    pub root: Template,
    pub archive: Template,
    /// `None`: CloudFormation does not tell, or the stack has it not. Each is a finding of its own.
    pub monitoring: Option<Template>,
    pub functions: Option<Template>,
}

impl Deployment {
    pub async fn read(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<Self, Failure> {
        let client = context.cloudformation();
        let common = common(stack);
        let of = &stack.stack;
        let arn = format!("arn:{}:cloudformation:{}:{}:stack/{}/*", of.partition, of.region, of.account, stack.name);
        let resources = resources(&client, &stack.name, &arn, findings).await?;
        let mut nested = BTreeMap::new();
        for (name, text) in [("MonitoringStack", template::MONITORING), ("Functions", template::FUNCTIONS)] {
            let Some(resources) = &resources else { break };
            let read = match resources.get(name) {
                Some(resource) => nested_template(&client, &resource.id, text, &common, findings).await?,
                None => Asked::Absent,
            };
            match read {
                Asked::Is(template) => drop(nested.insert(name, template)),
                Asked::Absent => incomplete(stack, format!("The nested stack {name} does not exist"), findings),
                Asked::Refused => {}
            }
        }
        let is_listed = resources.is_some();
        let mut values = values(resources.unwrap_or_default(), &common);
        values.extend(stack.parameters.clone());
        values.extend(of_root(stack));
        let root = Template::new(template::ROOT, values);
        let deployment = Self {
            archive: Template::new(template::ARCHIVE, of_archive(stack, &root, common)),
            root,
            monitoring: nested.remove("MonitoringStack"),
            functions: nested.remove("Functions"),
        };
        let Self { root, archive, monitoring, functions } = &deployment;
        let lacking: Vec<&str> = [Some(root).filter(|_| is_listed), Some(archive), monitoring.as_ref(), functions.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(Template::not_compared)
            .collect();
        if !lacking.is_empty() {
            incomplete(
                stack,
                format!("The stack is of another version than the tool: it lacks what belongs to {}", lacking.join(", ")),
                findings,
            );
        }
        Ok(deployment)
    }
}

fn incomplete(stack: &DeployedStack, what: String, findings: &mut Findings) {
    let what = format!("{what}. Use the tool of the stack's version, or deploy the tool's version from the folder infra of its source.");
    findings.add(Name::StackIncomplete, &stack.name, what, fix::deploy(stack));
}

fn common(stack: &DeployedStack) -> BTreeMap<String, String> {
    let of = &stack.stack;
    let values =
        [("AWS::Region", &of.region), ("AWS::AccountId", &of.account), ("AWS::Partition", &of.partition), ("AWS::StackName", &stack.name)];
    values.map(|(name, value)| (name.to_owned(), value.clone())).into()
}

/// What the root template gets from its resources and nested stacks, as far as the roles need it.
fn of_root(stack: &DeployedStack) -> Vec<(String, String)> {
    let (region, account, partition) = (&stack.stack.region, &stack.stack.account, &stack.stack.partition);
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
fn of_archive(stack: &DeployedStack, root: &Template, common: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let bucket = stack.stack.bucket.as_str();
    let arn = format!("arn:{}:s3:::{bucket}", stack.stack.partition);
    let mut values = common;
    let parameters = root.property("Archive", "Parameters");
    let parameters = parameters.iter().filter_map(Json::as_object).flatten();
    values.extend(parameters.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))));
    let work = stack.work_bucket();
    values.extend([
        ("ArchiveBucket".to_owned(), bucket.to_owned()),
        ("ArchiveBucket.Arn".to_owned(), arn),
        ("WorkBucket".to_owned(), work.to_owned()),
        ("WorkBucket.Arn".to_owned(), format!("arn:{}:s3:::{work}", stack.stack.partition)),
    ]);
    values
}

/// The same for every role of the stack.
const PATH_OF_ROLES: &str = "/cloudwatch-logs-archive/";

async fn nested_template(
    client: &Client,
    id: &str,
    text: &str,
    common: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Result<Asked<Template>, Failure> {
    // Its id is right: this error can only mean that it does not exist.
    let call = Call { operation: "DescribeStacks", action: "cloudformation:DescribeStacks", resource: id, absent: &["ValidationError"] };
    let described = match findings.ask(call, client.describe_stacks().stack_name(id).send().await)? {
        Asked::Is(described) => described.stacks.unwrap_or_default().into_iter().next(),
        Asked::Absent => None,
        Asked::Refused => return Ok(Asked::Refused),
    };
    // By its id, CloudFormation describes a deleted stack, too.
    let Some(described) = described.filter(|stack| stack.stack_status() != Some(&StackStatus::DeleteComplete)) else {
        return Ok(Asked::Absent);
    };
    let Some(resources) = resources(client, id, id, findings).await? else { return Ok(Asked::Refused) };
    let mut values = values(resources, common);
    let parameters = described.parameters.unwrap_or_default().into_iter();
    values.extend(parameters.filter_map(|parameter| Some((parameter.parameter_key?, parameter.parameter_value?))));
    values.insert("AWS::StackName".to_owned(), described.stack_name.unwrap_or_default());
    Ok(Asked::Is(Template::new(text, values)))
}

/// What `Ref` and `Fn::GetAtt` give for resources.
fn values(resources: BTreeMap<String, Resource>, common: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut values = common.clone();
    let (region, account, partition) = (&common["AWS::Region"], &common["AWS::AccountId"], &common["AWS::Partition"]);
    for (name, Resource { kind, id }) in resources {
        let arn = match kind.as_str() {
            "AWS::IAM::Role" => format!("arn:{partition}:iam::{account}:role{PATH_OF_ROLES}{id}"),
            "AWS::Logs::LogGroup" => format!("arn:{partition}:logs:{region}:{account}:log-group:{id}:*"),
            // The id of a queue is its URL.
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
    kind: String,
    /// The physical one.
    id: String,
}

/// A stack's resources by their logical ids. `arn`: the stack's, for IAM.
async fn resources(
    client: &Client,
    stack: &str,
    arn: &str,
    findings: &mut Findings,
) -> Result<Option<BTreeMap<String, Resource>>, Failure> {
    let call = Call { operation: "ListStackResources", action: "cloudformation:ListStackResources", resource: arn, absent: &[] };
    let listed: Result<Vec<_>, _> = client.list_stack_resources().stack_name(stack).into_paginator().items().send().collect().await;
    let Some(listed) = findings.ask(call, listed)?.known() else { return Ok(None) };
    let resource = |one: StackResourceSummary| {
        Some((one.logical_resource_id?, Resource { kind: one.resource_type.unwrap_or_default(), id: one.physical_resource_id? }))
    };
    let there = listed.into_iter().filter(|one| one.resource_status() != Some(&ResourceStatus::DeleteComplete));
    Ok(Some(there.filter_map(resource).collect()))
}
