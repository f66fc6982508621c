//! The stack's roles, and the permissions that the templates grant them.

use resource_policy::Context as Request;
use serde_json::Value;

use super::{
    deployment::Deployment,
    policy::Need,
    template::{Template, one_or_more},
};

pub struct Role {
    pub name: String,
    pub arn: String,
    pub properties: Value,
    /// The role's inline policies, and the policies that are separate resources.
    pub policies: Vec<Policy>,
}

pub struct Policy {
    pub name: String,
    pub document: Value,
}

/// The actions that a statement allows on a resource.
pub struct Grant {
    pub actions: Vec<String>,
    pub resource: String,
    /// The condition keys and values of the request.
    pub conditions: Value,
}

impl Grant {
    /// An ARN that matches the statement's pattern.
    pub fn example(&self) -> String {
        self.resource.replace('*', "doctor")
    }
}

impl Policy {
    pub fn grants(&self) -> impl Iterator<Item = Grant> {
        self.document["Statement"].as_array().into_iter().flatten().flat_map(|statement| {
            let grant = |resource| Grant {
                actions: one_or_more(&statement["Action"]),
                resource,
                conditions: statement["Condition"]["StringEquals"].clone(),
            };
            one_or_more(&statement["Resource"]).into_iter().map(grant)
        })
    }
}

pub fn roles(deployment: &Deployment) -> Vec<Role> {
    let templates = [deployment.functions.as_ref(), Some(&deployment.root)];
    let roles_of = |template| Template::resources(template, "AWS::IAM::Role").into_iter().filter_map(|resource| role(template, resource));
    templates.into_iter().flatten().flat_map(roles_of).collect()
}

fn role(template: &Template, resource: &str) -> Option<Role> {
    let (name, arn) = (template.values.get(resource)?, template.values.get(&format!("{resource}.Arn"))?);
    let properties = template.properties(resource)?;
    let inline = properties["Policies"].as_array().cloned().unwrap_or_default();
    let attached = template.resources("AWS::IAM::Policy").into_iter().filter_map(|policy| template.properties(policy));
    let attached = attached.filter(|policy| one_or_more(&policy["Roles"]).contains(name));
    let policy = |policy: Value| Policy {
        name: policy["PolicyName"].as_str().unwrap_or_default().to_owned(),
        document: policy["PolicyDocument"].clone(),
    };
    let policies = inline.into_iter().chain(attached).map(policy).collect();
    Some(Role { name: name.clone(), arn: arn.clone(), properties, policies })
}

/// The access that the roles need to a bucket and its objects, or to a key.
pub fn needs(roles: &[Role], arn: &str, request: impl Fn(&Role) -> Request) -> Vec<Need> {
    let objects = format!("{arn}/");
    let mut needs = Vec::new();
    for role in roles {
        let grants = role.policies.iter().flat_map(Policy::grants);
        for grant in grants.filter(|grant| grant.resource == arn || grant.resource.starts_with(&objects)) {
            let resource = grant.example();
            needs.extend(grant.actions.into_iter().map(|action| Need {
                action,
                resource: resource.clone(),
                caller: format!("the role {}", role.name),
                is_service: false,
                request: request(role),
            }));
        }
    }
    needs
}
