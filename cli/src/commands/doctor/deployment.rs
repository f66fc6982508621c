//! What CloudFormation made of the stack and of the stacks nested in it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::{Client, types::StackResourceSummary};

use super::{
    finding::{Call, Findings},
    template::{self, Template},
};
use crate::{context::Context, failure::Failure, stack::DeployedStack};

pub struct Deployment {
    pub root: Template,
    pub archive: Template,
    /// `None`: CloudFormation does not tell, which is a finding of its own.
    pub monitoring: Option<Template>,
    pub roles: Option<Template>,
    pub schedule: Option<Template>,
}

impl Deployment {
    pub async fn read(context: &Context, stack: &DeployedStack, findings: &mut Findings) -> Result<Self, Failure> {
        let client = context.cloudformation();
        let common = common(stack);
        let resources = resources(&client, &stack.name, findings).await?.unwrap_or_default();
        let mut nested = BTreeMap::new();
        for (name, text) in [("Monitoring", template::MONITORING), ("Roles", template::ROLES), ("ScheduleStack", template::SCHEDULE)] {
            if let Some(resource) = resources.get(name) {
                nested.insert(name, nested_template(&client, &resource.id, text, &common, findings).await?);
            }
        }
        let mut values: BTreeMap<_, _> = resources.into_iter().map(|(name, resource)| (name, resource.id)).collect();
        values.extend(stack.parameters.clone());
        values.extend(of_root(stack));
        values.extend(common.clone());
        let mut nested = |name: &str| nested.remove(name).flatten();
        Ok(Self {
            root: Template::new(template::ROOT, values),
            archive: Template::new(template::ARCHIVE, of_archive(stack, common)),
            monitoring: nested("Monitoring"),
            roles: nested("Roles"),
            schedule: nested("ScheduleStack"),
        })
    }
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
            (format!("{name}Function.Arn"), format!("arn:{partition}:lambda:{region}:{account}:function:{function}"))
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

fn of_archive(stack: &DeployedStack, common: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let bucket = stack.stack.bucket.as_str();
    let arn = format!("arn:{}:s3:::{bucket}", stack.stack.partition);
    let mut values = common;
    values.extend(stack.parameters.clone());
    values.extend([("ArchiveBucket".to_owned(), bucket.to_owned()), ("ArchiveBucket.Arn".to_owned(), arn)]);
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
) -> Result<Option<Template>, Failure> {
    let call = Call { operation: "DescribeStacks", action: "cloudformation:DescribeStacks", resource: id, absent: &[] };
    let described = findings.ask(call, client.describe_stacks().stack_name(id).send().await)?.known();
    let Some(described) = described.and_then(|described| described.stacks?.into_iter().next()) else { return Ok(None) };
    let Some(resources) = resources(client, id, findings).await? else { return Ok(None) };
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
        values.extend([(format!("{name}.Arn"), arn), (name, id)]);
    }
    let parameters = described.parameters.unwrap_or_default().into_iter();
    values.extend(parameters.filter_map(|parameter| Some((parameter.parameter_key?, parameter.parameter_value?))));
    values.insert("AWS::StackName".to_owned(), described.stack_name.unwrap_or_default());
    Ok(Some(Template::new(text, values)))
}

struct Resource {
    kind: String,
    /// The physical one.
    id: String,
}

/// A stack's resources by their logical ids.
async fn resources(client: &Client, stack: &str, findings: &mut Findings) -> Result<Option<BTreeMap<String, Resource>>, Failure> {
    let call = Call { operation: "ListStackResources", action: "cloudformation:ListStackResources", resource: stack, absent: &[] };
    let listed: Result<Vec<_>, _> = client.list_stack_resources().stack_name(stack).into_paginator().items().send().collect().await;
    let Some(listed) = findings.ask(call, listed)?.known() else { return Ok(None) };
    let resource = |one: StackResourceSummary| {
        Some((one.logical_resource_id?, Resource { kind: one.resource_type.unwrap_or_default(), id: one.physical_resource_id? }))
    };
    Ok(Some(listed.into_iter().filter_map(resource).collect()))
}
