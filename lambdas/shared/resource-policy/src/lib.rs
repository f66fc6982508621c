//! Decides whether the policy of a bucket or a key allows an access by an AWS service or a role.
//!
//! It evaluates a deployed policy as IAM does: an explicit Deny wins, an Allow must match, and nothing is allowed by default.
//!
//! **Invariant:** a condition that this crate cannot judge never satisfies an Allow. For a service, it always satisfies a Deny. So this
//! crate never allows more than AWS.

mod condition;

use serde_json::Value;

pub use condition::Context;
use condition::conditions_hold;

/// One access by a service or a role.
pub struct Access<'a> {
    /// Such as `s3:PutObject`.
    pub action: &'a str,
    /// The ARN of the bucket, the object or the key.
    pub resource: &'a str,
    pub context: &'a Context,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// The statement with this index denies it.
    Denied {
        index: usize,
        sid: Option<String>,
    },
}

/// Whether the policy allows the access. A document that is not a policy allows nothing.
pub fn allows(policy: &str, access: &Access<'_>) -> bool {
    judge(policy, access) == Ruling::Allowed
}

pub fn judge(policy: &str, access: &Access<'_>) -> Ruling {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let mut ruling = Ruling::NotAllowed;
    for (index, statement) in one_or_many(&document["Statement"]).into_iter().enumerate() {
        let deny = statement["Effect"] == "Deny";
        if !deny && statement["Effect"] != "Allow" {
            continue;
        }
        let matches = principal_matches(statement, access.context, deny)
            && element_matches(statement, "Action", "NotAction", |pattern| {
                wildcard(&pattern.to_ascii_lowercase(), &access.action.to_ascii_lowercase())
            })
            && element_matches(statement, "Resource", "NotResource", |pattern| wildcard(pattern, access.resource))
            && match conditions_hold(&statement["Condition"], access.context) {
                Some(holds) => holds,
                None => deny && access.context.unknown_denies(),
            };
        match (matches, deny) {
            (true, true) => return Ruling::Denied { index, sid: statement["Sid"].as_str().map(str::to_owned) },
            (true, false) => ruling = Ruling::Allowed,
            (false, _) => {}
        }
    }
    ruling
}

/// `NotPrincipal` counts in a Deny only. In an Allow, it would allow everybody else.
fn principal_matches(statement: &Value, context: &Context, deny: bool) -> bool {
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principal), None) => context.is_named(principal),
        (None, Some(principal)) => deny && !context.is_named(principal),
        _ => deny,
    }
}

fn element_matches(statement: &Value, element: &str, negated: &str, matches: impl Fn(&str) -> bool) -> bool {
    let any = |value: &Value| one_or_many(value).iter().filter_map(|pattern| pattern.as_str()).any(&matches);
    match (statement.get(element), statement.get(negated)) {
        (Some(value), None) => any(value),
        (None, Some(value)) => !any(value),
        _ => false,
    }
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        single => vec![single],
    }
}

/// IAM's wildcards: `*` for any run of characters, `?` for one.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // The position of the last `*`, and how much it matches so far: enough to backtrack without recursion.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, matched)) => {
                    star = Some((at, matched + 1));
                    p = at + 1;
                    t = matched + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests;
