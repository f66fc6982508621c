//! Compares the policies of a role with the permissions that its work needs: finds missing permissions and superfluous grants.

use std::fmt;

use serde_json::Value;

/// A needed permission, as a request to IAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub action: String,
    /// An ARN, or `*` if the action has no resources.
    pub resource: String,
    /// The condition keys of the request.
    pub context: Vec<(String, String)>,
}

impl Need {
    pub fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into(), context: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.context.push((key.to_owned(), value.into()));
        self
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// A statement with the effect Allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub sid: String,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    /// The keys and values of `StringEquals`, the only supported operator.
    pub conditions: Vec<(String, String)>,
}

/// The smallest removable part of a policy: one action of a statement on one of its resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub sid: String,
    pub action: String,
    pub resource: String,
    conditions: Vec<(String, String)>,
}

impl Grant {
    fn permits(&self, need: &Need) -> bool {
        // An action without resources needs the wildcard.
        let covers = if need.resource == "*" { self.resource == "*" } else { matches(&self.resource, &need.resource) };
        covers && self.action.eq_ignore_ascii_case(&need.action) && self.conditions.iter().all(|pair| need.context.contains(pair))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} on {}", self.sid, self.action, self.resource)
    }
}

/// The statements of a policy document. Each must have the effect Allow.
pub fn statements(document: &Value) -> Vec<Statement> {
    document["Statement"].as_array().unwrap_or_else(|| panic!("no list of statements: {document}")).iter().map(statement).collect()
}

fn statement(statement: &Value) -> Statement {
    assert_eq!(statement["Effect"], "Allow", "{statement}");
    let members: Vec<&str> = statement.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let is_supported = |name: &&str| ["Sid", "Effect", "Action", "Resource", "Condition"].contains(name);
    assert!(members.iter().all(is_supported), "{members:?} of {statement} are not supported");
    let mut conditions = Vec::new();
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        assert_eq!(operator, "StringEquals", "the condition of {statement} is not supported");
        let pairs = keys.as_object().into_iter().flatten();
        conditions.extend(pairs.map(|(key, value)| (key.clone(), value.as_str().expect("one value").to_owned())));
    }
    Statement {
        sid: statement["Sid"].as_str().unwrap_or_else(|| panic!("no Sid: {statement}")).to_owned(),
        actions: one_or_more(&statement["Action"]),
        resources: one_or_more(&statement["Resource"]),
        conditions,
    }
}

fn one_or_more(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned();
    value.as_array().map_or_else(|| vec![text(value)], |values| values.iter().map(text).collect())
}

/// Whether a pattern with `*` matches a text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = pattern.contains('*').then(|| parts.next_back()).flatten() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

fn grants(statements: &[Statement]) -> Vec<Grant> {
    let grants_of = |statement: &Statement| {
        let pairs = statement.actions.iter().flat_map(|action| statement.resources.iter().map(move |resource| (action, resource)));
        let grant = |(action, resource): (&String, &String)| Grant {
            sid: statement.sid.clone(),
            action: action.clone(),
            resource: resource.clone(),
            conditions: statement.conditions.clone(),
        };
        pairs.map(grant).collect::<Vec<_>>()
    };
    statements.iter().flat_map(grants_of).collect()
}

/// The distinct needs that no statement permits.
pub fn lacking(statements: &[Statement], needs: &[Need]) -> Vec<Need> {
    let grants = grants(statements);
    let mut lacking: Vec<_> = needs.iter().filter(|need| !grants.iter().any(|grant| grant.permits(need))).cloned().collect();
    lacking.sort();
    lacking.dedup();
    lacking
}

/// The grants without which all needs are still permitted.
pub fn superfluous(statements: &[Statement], needs: &[Need]) -> Vec<Grant> {
    let grants = grants(statements);
    let is_indispensable = |at: usize| {
        let others = || grants.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, grant)| grant);
        needs.iter().any(|need| grants[at].permits(need) && !others().any(|other| other.permits(need)))
    };
    (0..grants.len()).filter(|at| !is_indispensable(*at)).map(|at| grants[at].clone()).collect()
}
