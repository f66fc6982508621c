//! Decides whether the policy of a bucket or of a key lets an AWS service, or a role, in.
//!
//! It evaluates the policy that really lies there, as IAM does: an explicit Deny wins,
//! some Allow must match, and nothing is allowed by default. **Fail closed:** a condition this crate cannot judge never
//! satisfies an Allow. For a service it always satisfies a Deny, so that a pass here is never more than AWS would give.

mod condition;

use serde_json::Value;

pub use condition::Context;
use condition::conditions_hold;

/// One access that a service or a role wants.
pub struct Access<'a> {
    /// Such as `s3:PutObject`.
    pub action: &'a str,
    /// ARN of the bucket, the object or the key.
    pub resource: &'a str,
    pub context: &'a Context,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// The statement at this place of the policy denies it.
    Denied {
        index: usize,
        sid: Option<String>,
    },
}

/// Whether the policy allows the access. A document that is no policy allows nothing.
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
            && named(statement, "Action", "NotAction", |pattern| {
                wildcard(&pattern.to_ascii_lowercase(), &access.action.to_ascii_lowercase())
            })
            && named(statement, "Resource", "NotResource", |pattern| wildcard(pattern, access.resource))
            && match conditions_hold(&statement["Condition"], access.context) {
                Some(holds) => holds,
                None => deny && access.context.doubt_denies(),
            };
        match (matches, deny) {
            (true, true) => return Ruling::Denied { index, sid: statement["Sid"].as_str().map(str::to_owned) },
            (true, false) => ruling = Ruling::Allowed,
            (false, _) => {}
        }
    }
    ruling
}

/// `NotPrincipal` is honoured in a Deny only: in an Allow it opens the bucket to everyone else, which nobody means.
fn principal_matches(statement: &Value, context: &Context, deny: bool) -> bool {
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principal), None) => context.is_named(principal),
        (None, Some(principal)) => deny && !context.is_named(principal),
        _ => deny,
    }
}

fn named(statement: &Value, element: &str, negated: &str, matches: impl Fn(&str) -> bool) -> bool {
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
    // Where the last `*` stood and how much it has taken so far: enough to backtrack, without recursion.
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
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests;
