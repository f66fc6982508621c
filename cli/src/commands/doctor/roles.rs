//! The roles: whether they exist, may be taken, and allow what the templates give them.
//!
//! IAM itself is asked (SimulatePrincipalPolicy), because only it knows everything that counts: the role's own and attached
//! policies, its permissions boundary, the organization's. What is asked for is each action of the templates' own statements.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    deployment::Deployment,
    finding::{Asked, Call, Findings, Name},
    template::{Template, one_or_more},
};
use crate::{context::Context, deploy::quoted, failure::Failure};

/// IAM allows some ten simulations a second.
const AT_ONCE: usize = 4;

pub async fn check(context: &Context, deployment: &Deployment, findings: &mut Findings) -> Result<(), Failure> {
    let templates = [deployment.roles.as_ref(), deployment.schedule.as_ref(), Some(&deployment.root)];
    for template in templates.into_iter().flatten() {
        for resource in template.resources("AWS::IAM::Role") {
            if let (Some(name), Some(properties)) = (template.values.get(resource), template.properties(resource)) {
                let policies = policies(template, resource, &properties);
                check_role(context, name, &properties, &policies, findings).await?;
            }
        }
    }
    Ok(())
}

/// A policy's name and document.
type Policy = (String, Value);

/// Those of the role itself, and those that are attached to it as resources of their own.
fn policies(template: &Template, role: &str, properties: &Value) -> Vec<Policy> {
    let own = properties["Policies"].as_array().cloned().unwrap_or_default();
    let attached = template.resources("AWS::IAM::Policy").into_iter().filter_map(|name| template.properties(name));
    let physical = template.values.get(role);
    let attached = attached
        .filter(|policy| policy["Roles"].as_array().into_iter().flatten().any(|role| role.as_str() == physical.map(String::as_str)));
    let named = |policy: Value| (policy["PolicyName"].as_str().unwrap_or_default().to_owned(), policy["PolicyDocument"].clone());
    own.into_iter().chain(attached).map(named).collect()
}

async fn check_role(
    context: &Context,
    name: &str,
    properties: &Value,
    policies: &[Policy],
    findings: &mut Findings,
) -> Result<(), Failure> {
    let client = context.iam();
    let call = Call { operation: "GetRole", action: "iam:GetRole", resource: name, absent: &["NoSuchEntity"] };
    let Some(answer) = findings.ask(call, client.get_role().role_name(name).send().await)?.or_absent() else { return Ok(()) };
    let trust = &properties["AssumeRolePolicyDocument"];
    let Some(role) = answer.and_then(|answer| answer.role) else {
        let path = properties["Path"].as_str().unwrap_or("/");
        let create =
            format!("aws iam create-role --role-name {name} --path {path} --assume-role-policy-document {}", quoted(&trust.to_string()));
        let fix = policies.iter().fold(create, |fix, policy| format!("{fix} && {}", put_policy(name, policy)));
        findings.add(Name::RoleNotFound, name, "The role does not exist.", fix);
        return Ok(());
    };
    let services = |document: &Value| -> Vec<String> {
        let statements = document["Statement"].as_array().into_iter().flatten().filter(|statement| statement["Effect"] == "Allow");
        statements.flat_map(|statement| one_or_more(&statement["Principal"]["Service"])).collect()
    };
    let trusted = services(&document_of(role.assume_role_policy_document().unwrap_or_default()));
    if let Some(service) = services(trust).into_iter().find(|service| !trusted.contains(service)) {
        let fix = format!("aws iam update-assume-role-policy --role-name {name} --policy-document {}", quoted(&trust.to_string()));
        findings.add(Name::RoleNotTrusted, role.arn(), format!("The role does not trust {service}."), fix);
    }
    for policy in policies {
        let Some(refused) = simulate(context, role.arn(), &policy.1, findings).await? else { return Ok(()) };
        let lacking = refused.iter().filter(|(_, _, is_denied)| !is_denied).map(|(action, resource, _)| format!("{action} on {resource}"));
        let lacking: Vec<String> = lacking.collect();
        if !lacking.is_empty() {
            let what = format!("The role does not allow what its policy {} should: {}.", policy.0, lacking.join(", "));
            findings.add(Name::RoleLacksPermission, role.arn(), what, put_policy(name, policy));
        }
        if let Some((action, resource, _)) = refused.iter().find(|(_, _, is_denied)| *is_denied) {
            denied(context, name, role.arn(), (action, resource), policies, findings).await?;
        }
    }
    Ok(())
}

fn put_policy(role: &str, (name, document): &Policy) -> String {
    format!("aws iam put-role-policy --role-name {role} --policy-name {name} --policy-document {}", quoted(&document.to_string()))
}

/// IAM gives documents percent-encoded.
fn document_of(text: &str) -> Value {
    serde_json::from_str(&percent_decode_str(text).decode_utf8_lossy()).unwrap_or_default()
}

/// The actions that IAM would refuse, each with its resource and whether a statement denies it. `None`: nobody may ask.
async fn simulate(
    context: &Context,
    role: &str,
    policy: &Value,
    findings: &mut Findings,
) -> Result<Option<Vec<(String, String, bool)>>, Failure> {
    let client = context.iam();
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let questions = statements.flat_map(|statement| {
        let actions = one_or_more(&statement["Action"]);
        one_or_more(&statement["Resource"])
            .into_iter()
            .map(move |resource| (actions.clone(), resource, &statement["Condition"]["StringEquals"]))
    });
    let client = &client;
    let ask = |(actions, resource, conditions): (Vec<String>, String, &Value)| {
        let entries: Vec<ContextEntry> = (conditions.as_object().into_iter().flatten())
            .map(|(key, value)| {
                let entry = ContextEntry::builder().context_key_name(key).context_key_type(ContextKeyTypeEnum::String);
                entry.set_context_key_values(Some(one_or_more(value))).build()
            })
            .collect();
        let simulated = client.simulate_principal_policy().policy_source_arn(role).set_action_names(Some(actions));
        let simulated = simulated.set_context_entries(Some(entries).filter(|entries| !entries.is_empty()));
        // An ARN that the statement's pattern stands for.
        let example = resource.replace('*', "doctor");
        let simulated = if resource == "*" { simulated } else { simulated.resource_arns(example) };
        async move { simulated.send().await.map(|answer| (resource, answer.evaluation_results.unwrap_or_default())) }
    };
    let answers: Result<Vec<(String, Vec<EvaluationResult>)>, _> = stream::iter(questions.map(ask)).buffered(AT_ONCE).try_collect().await;
    let call = Call { operation: "SimulatePrincipalPolicy", action: "iam:SimulatePrincipalPolicy", resource: role, absent: &[] };
    let Some(answers) = findings.ask(call, answers)?.known() else { return Ok(None) };
    let refused = answers.into_iter().flat_map(|(resource, results)| {
        let refused = results.into_iter().filter(|result| result.eval_decision() != &PolicyEvaluationDecisionType::Allowed);
        refused.map(move |result| {
            let is_denied = result.eval_decision() == &PolicyEvaluationDecisionType::ExplicitDeny;
            (result.eval_action_name, resource.clone(), is_denied)
        })
    });
    Ok(Some(refused.collect()))
}

/// Finds the inline policy whose statement denies, to name it.
async fn denied(
    context: &Context,
    role: &str,
    arn: &str,
    (action, resource): (&str, &str),
    own: &[Policy],
    findings: &mut Findings,
) -> Result<(), Failure> {
    let client = context.iam();
    let call = Call { operation: "ListRolePolicies", action: "iam:ListRolePolicies", resource: arn, absent: &[] };
    let Some(listed) = findings.ask(call, client.list_role_policies().role_name(role).send().await)?.known() else { return Ok(()) };
    for name in listed.policy_names() {
        let call = Call { operation: "GetRolePolicy", action: "iam:GetRolePolicy", resource: arn, absent: &[] };
        let asked = findings.ask(call, client.get_role_policy().role_name(role).policy_name(name).send().await)?;
        let Asked::Is(policy) = asked else { return Ok(()) };
        let document = document_of(policy.policy_document());
        let statements = document["Statement"].as_array().cloned().unwrap_or_else(|| vec![document["Statement"].clone()]);
        let covers = |pattern: &String| resource_policy::wildcard(&pattern.to_lowercase(), &action.to_lowercase());
        let denies = |statement: &&Value| statement["Effect"] == "Deny" && one_or_more(&statement["Action"]).iter().any(covers);
        if let Some(statement) = statements.iter().find(denies) {
            let sid = statement["Sid"].as_str().map_or(String::new(), |sid| format!(" {sid:?}"));
            let what = format!("The statement{sid} of the role's policy {name} denies {action} on {resource}.");
            let fix = match own.iter().find(|(own, _)| own == name) {
                Some(policy) => put_policy(role, policy),
                None => format!("aws iam delete-role-policy --role-name {role} --policy-name {name}"),
            };
            if !findings.found.iter().any(|finding| finding.name == Name::RoleDenied && finding.fix == fix) {
                findings.add(Name::RoleDenied, arn, what, fix);
            }
            return Ok(());
        }
    }
    // Not the role's own: an attached policy, its permissions boundary, or the organization's.
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let what = format!(
        "A policy that is attached to the role, its permissions boundary or a policy of the organization denies {action} on {resource}. \
         Its owner has to take the Deny out, and to allow the statement."
    );
    findings.add(Name::RoleDenied, arn, what, statement.to_string());
    Ok(())
}
