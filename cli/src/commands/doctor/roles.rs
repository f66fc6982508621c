//! Checks the roles: whether they exist, trust their service, and have the permissions of the templates.
//!
//! IAM simulates each action of the templates' statements (SimulatePrincipalPolicy). Only IAM knows all policies that apply: the role's own
//! and attached policies, its permissions boundary, and the organization's policies.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType, Role as IamRole};
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    finding::{Answer, Call, FindingName, Findings},
    grants::{Grant, Policy, Role},
    template::one_or_more,
};
use crate::{context::Context, failure::Failure, shell::quoted};

/// IAM allows some ten simulations a second.
const CONCURRENCY: usize = 4;

pub async fn check(context: &Context, roles: &[Role], findings: &mut Findings) -> Result<(), Failure> {
    for role in roles {
        check_role(context, role, findings).await?;
    }
    Ok(())
}

async fn check_role(context: &Context, role: &Role, findings: &mut Findings) -> Result<(), Failure> {
    let Role { name, arn, properties, policies } = role;
    let call = Call { operation: "GetRole", action: "iam:GetRole", resource: arn, absent: &["NoSuchEntity"] };
    let Some(answer) = findings.answer_of(call, context.iam().get_role().role_name(name).send().await)?.unless_refused() else {
        return Ok(());
    };
    let trust = &properties["AssumeRolePolicyDocument"];
    let Some(found) = answer.and_then(|answer| answer.role) else {
        findings.add(FindingName::RoleNotFound, arn, "The role does not exist.", create_command(role));
        return Ok(());
    };
    let services = |document: &Value| -> Vec<String> {
        let statements = document["Statement"].as_array().into_iter().flatten().filter(|statement| statement["Effect"] == "Allow");
        statements.flat_map(|statement| one_or_more(&statement["Principal"]["Service"])).collect()
    };
    let trusted = services(&parse_document(found.assume_role_policy_document().unwrap_or_default()));
    if let Some(service) = services(trust).into_iter().find(|service| !trusted.contains(service)) {
        let fix = format!("aws iam update-assume-role-policy --role-name {name} --policy-document {}", quoted(&trust.to_string()));
        findings.add(FindingName::RoleNotTrusted, arn, format!("The role does not trust {service}."), fix);
    }
    for policy in policies {
        let Some(refused) = simulate(context, arn, policy, findings).await? else { return Ok(()) };
        let by = |why: RefusalReason| -> Vec<&RefusedAction> { refused.iter().filter(|refused| refused.why == why).collect() };
        let lacking = by(RefusalReason::NotAllowed);
        if !lacking.is_empty() {
            let what = format!("The role does not allow what its policy {} should: {}.", policy.name, format_actions(&lacking));
            findings.add(FindingName::RoleLacksPermission, arn, what, put_policy_command(name, policy));
        }
        check_limits(&found, arn, &refused, findings);
        if let Some(first) = by(RefusalReason::Denied).first() {
            report_denied(context, role, first, findings).await?;
        }
    }
    Ok(())
}

fn create_command(Role { name, properties, policies, .. }: &Role) -> String {
    let path = properties["Path"].as_str().unwrap_or("/");
    let boundary = properties["PermissionsBoundary"].as_str().map_or_else(String::new, |arn| format!(" --permissions-boundary {arn}"));
    let trust = quoted(&properties["AssumeRolePolicyDocument"].to_string());
    let create = format!("aws iam create-role --role-name {name} --path {path}{boundary} --assume-role-policy-document {trust}");
    policies.iter().fold(create, |fix, policy| format!("{fix} && {}", put_policy_command(name, policy)))
}

fn put_policy_command(role: &str, Policy { name, document }: &Policy) -> String {
    format!("aws iam put-role-policy --role-name {role} --policy-name {name} --policy-document {}", quoted(&document.to_string()))
}

/// IAM returns percent-encoded documents.
fn parse_document(text: &str) -> Value {
    serde_json::from_str(&percent_decode_str(text).decode_utf8_lossy()).unwrap_or_default()
}

struct RefusedAction {
    action: String,
    resource: String,
    why: RefusalReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefusalReason {
    /// No policy of the role allows the action.
    NotAllowed,
    Denied,
    /// The permissions boundary does not allow the action, or denies it. The role's policies do not matter.
    Boundary,
    /// The same for the organization's policies.
    Organization,
}

impl RefusalReason {
    /// `None`: IAM allows the action.
    fn of(result: &EvaluationResult) -> Option<Self> {
        let is_limited = |allowed: Option<bool>| allowed == Some(false);
        Some(match result.eval_decision() {
            PolicyEvaluationDecisionType::Allowed => return None,
            _ if is_limited(result.permissions_boundary_decision_detail().map(|detail| detail.allowed_by_permissions_boundary())) => {
                Self::Boundary
            }
            _ if is_limited(result.organizations_decision_detail().map(|detail| detail.allowed_by_organizations())) => Self::Organization,
            PolicyEvaluationDecisionType::ExplicitDeny => Self::Denied,
            _ => Self::NotAllowed,
        })
    }
}

fn format_actions(refused: &[&RefusedAction]) -> String {
    let texts: Vec<String> = refused.iter().map(|RefusedAction { action, resource, .. }| format!("{action} on {resource}")).collect();
    texts.join(", ")
}

/// The statement that allows these actions.
fn allow_statement(refused: &[&RefusedAction]) -> Value {
    let distinct = |of: fn(&RefusedAction) -> &String| {
        let mut texts: Vec<&String> = refused.iter().map(|refused| of(refused)).collect();
        texts.sort_unstable();
        texts.dedup();
        json!(texts)
    };
    json!({"Effect": "Allow", "Action": distinct(|refused| &refused.action), "Resource": distinct(|refused| &refused.resource)})
}

/// Reports actions that the permissions boundary or the organization does not allow.
fn check_limits(found: &IamRole, arn: &str, refused: &[RefusedAction], findings: &mut Findings) {
    let by = |why: RefusalReason| -> Vec<&RefusedAction> { refused.iter().filter(|refused| refused.why == why).collect() };
    let organization = by(RefusalReason::Organization);
    if !organization.is_empty() {
        let what =
            format!("The organization's policies do not allow {}. Their administrator has to allow it.", format_actions(&organization));
        findings.add(FindingName::RoleLimited, arn, what, allow_statement(&organization).to_string());
    }
    let lacking = by(RefusalReason::Boundary);
    if !lacking.is_empty() {
        let boundary = found.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn()).unwrap_or_default();
        let what = format!("The role's permissions boundary {boundary} does not allow {}.", format_actions(&lacking));
        let add = quoted(&format!(".Statement = ([.Statement] | flatten) + [{}]", allow_statement(&lacking)));
        let fix = format!(
            r#"aws iam create-policy-version --set-as-default --policy-arn {boundary} --policy-document "$(aws iam get-policy-version --policy-arn {boundary} --version-id "$(aws iam get-policy --policy-arn {boundary} --query Policy.DefaultVersionId --output text)" --query PolicyVersion.Document --output json | jq -c {add})""#
        );
        findings.add(FindingName::RoleLimited, arn, what, fix);
    }
}

/// The actions of a policy that IAM would refuse. `None`: the operator lacks the permission to simulate.
async fn simulate(context: &Context, role: &str, policy: &Policy, findings: &mut Findings) -> Result<Option<Vec<RefusedAction>>, Failure> {
    let client = &context.iam();
    let ask = |grant: Grant| {
        let entries: Vec<ContextEntry> = (grant.conditions.as_object().into_iter().flatten())
            .map(|(key, value)| {
                let entry = ContextEntry::builder().context_key_name(key).context_key_type(ContextKeyTypeEnum::String);
                entry.set_context_key_values(Some(one_or_more(value))).build()
            })
            .collect();
        let example = grant.example();
        let simulated = client.simulate_principal_policy().policy_source_arn(role).set_action_names(Some(grant.actions));
        let simulated = simulated.set_context_entries(Some(entries).filter(|entries| !entries.is_empty()));
        let simulated = if grant.resource == "*" { simulated } else { simulated.resource_arns(example) };
        async move {
            let results: Vec<EvaluationResult> = simulated.into_paginator().items().send().collect::<Result<_, _>>().await?;
            Ok((grant.resource, results))
        }
    };
    let answers: Result<Vec<_>, _> = stream::iter(policy.grants().map(ask)).buffered(CONCURRENCY).try_collect().await;
    let call = Call { operation: "SimulatePrincipalPolicy", action: "iam:SimulatePrincipalPolicy", resource: role, absent: &[] };
    let Some(answers) = findings.answer_of(call, answers)?.found() else { return Ok(None) };
    let refused = answers.into_iter().flat_map(|(resource, results)| {
        let refused = results.into_iter().filter_map(|result| Some((RefusalReason::of(&result)?, result)));
        refused.map(move |(why, result)| RefusedAction { action: result.eval_action_name, resource: resource.clone(), why })
    });
    Ok(Some(refused.collect()))
}

/// Reports a denied action with the inline policy that denies it.
async fn report_denied(context: &Context, role: &Role, refused: &RefusedAction, findings: &mut Findings) -> Result<(), Failure> {
    let Role { name: role, arn, policies: expected, .. } = role;
    let RefusedAction { action, resource, .. } = refused;
    let client = context.iam();
    let call = Call { operation: "ListRolePolicies", action: "iam:ListRolePolicies", resource: arn, absent: &[] };
    let listed: Result<Vec<String>, _> = client.list_role_policies().role_name(role).into_paginator().items().send().collect().await;
    let Some(listed) = findings.answer_of(call, listed)?.found() else { return Ok(()) };
    for name in &listed {
        let call = Call { operation: "GetRolePolicy", action: "iam:GetRolePolicy", resource: arn, absent: &[] };
        let answer = findings.answer_of(call, client.get_role_policy().role_name(role).policy_name(name).send().await)?;
        let Answer::Found(policy) = answer else { return Ok(()) };
        let document = parse_document(policy.policy_document());
        let statements = document["Statement"].as_array().cloned().unwrap_or_else(|| vec![document["Statement"].clone()]);
        let covers = |pattern: &String| resource_policy::wildcard(&pattern.to_lowercase(), &action.to_lowercase());
        let denies = |statement: &&Value| statement["Effect"] == "Deny" && one_or_more(&statement["Action"]).iter().any(covers);
        if let Some(statement) = statements.iter().find(denies) {
            let sid = statement["Sid"].as_str().map_or(String::new(), |sid| format!(" {sid:?}"));
            let what = format!("The statement{sid} of the role's policy {name} denies {action} on {resource}.");
            let fix = match expected.iter().find(|policy| policy.name == *name) {
                Some(policy) => put_policy_command(role, policy),
                None => format!("aws iam delete-role-policy --role-name {role} --policy-name {name}"),
            };
            if !findings.list.iter().any(|finding| finding.name == FindingName::RoleDenied && finding.fix == fix) {
                findings.add(FindingName::RoleDenied, arn, what, fix);
            }
            return Ok(());
        }
    }
    let what = format!(
        "A policy that is attached to the role denies {action} on {resource}. Its owner has to remove the Deny, and to allow the statement."
    );
    findings.add(FindingName::RoleDenied, arn, what, allow_statement(&[refused]).to_string());
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::types::{OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail};

    use super::*;

    #[test]
    fn the_reason_of_a_refusal_is_found() {
        use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
        let boundary = |allows| PermissionsBoundaryDecisionDetail::builder().allowed_by_permissions_boundary(allows).build();
        let organization = |allows| OrganizationsDecisionDetail::builder().allowed_by_organizations(allows).build();
        for (decision, by_boundary, by_organization, expected) in [
            (Allowed, Some(true), Some(true), None),
            (ImplicitDeny, None, None, Some(RefusalReason::NotAllowed)),
            (ImplicitDeny, Some(true), Some(true), Some(RefusalReason::NotAllowed)),
            (ImplicitDeny, Some(false), Some(true), Some(RefusalReason::Boundary)),
            (ImplicitDeny, Some(true), Some(false), Some(RefusalReason::Organization)),
            (ExplicitDeny, Some(true), None, Some(RefusalReason::Denied)),
            (ExplicitDeny, Some(false), None, Some(RefusalReason::Boundary)),
            (ExplicitDeny, None, Some(false), Some(RefusalReason::Organization)),
        ] {
            let result = EvaluationResult::builder().eval_action_name("sns:Publish").eval_decision(decision.clone());
            let result = result.set_permissions_boundary_decision_detail(by_boundary.map(boundary));
            let result = result.set_organizations_decision_detail(by_organization.map(organization)).build().expect("a result");
            assert_eq!(RefusalReason::of(&result), expected, "{decision:?} {by_boundary:?} {by_organization:?}");
        }
    }
}
