//! The `Condition` element: the operators and keys that this crate can judge.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{one_or_many, wildcard};

/// What is known about a request and its principal.
pub struct Context {
    /// The element of `Principal` that names the principal: `Service` or `AWS`.
    kind: &'static str,
    /// Each name of the principal in a statement.
    names: Vec<String>,
    /// Condition keys in lower case. `None`: the request certainly does not have the key.
    facts: BTreeMap<&'static str, Option<String>>,
    /// Whether a Deny counts if its condition cannot be judged.
    unknown_denies: bool,
}

impl Context {
    /// The context of an export of `log_group`. Object writes have the canned ACL, bucket reads have no ACL.
    pub fn new(account: &str, region: &str, log_group: &str, writes: bool) -> Self {
        Self::in_partition("aws", account, region, log_group, writes)
    }

    pub fn in_partition(partition: &str, account: &str, region: &str, log_group: &str, writes: bool) -> Self {
        let principal = format!("logs.{region}.amazonaws.com");
        let known = |text: &str| Some(text.to_owned());
        let facts = [
            ("aws:sourceaccount", known(account)),
            ("aws:sourcearn", Some(format!("arn:{partition}:logs:{region}:{account}:log-group:{log_group}:*"))),
            ("aws:securetransport", known("true")),
            ("aws:principalisawsservice", known("true")),
            ("aws:principalservicename", known(&principal)),
            ("s3:tlsversion", known("1.3")),
            ("s3:x-amz-acl", writes.then(|| "bucket-owner-full-control".to_owned())),
            // The service does not request an encryption: the bucket's default applies.
            ("s3:x-amz-server-side-encryption", None),
            ("s3:x-amz-server-side-encryption-aws-kms-key-id", None),
        ];
        Self { kind: "Service", names: vec![principal], facts: facts.into(), unknown_denies: true }
    }

    /// The context of a function with this role: a request over TLS, without a VPC endpoint. Only a Deny that certainly applies counts,
    /// because policies of an organization often deny by keys that are not known here.
    pub fn of_role(role: &str) -> Self {
        let [_, partition, _, _, account, _] = role.splitn(6, ':').collect::<Vec<_>>()[..] else {
            panic!("{role} is not the ARN of a role")
        };
        let known = |text: &str| Some(text.to_owned());
        let facts = [
            ("aws:principalarn", known(role)),
            ("aws:principalaccount", known(account)),
            ("aws:principaltype", known("AssumedRole")),
            ("aws:principalisawsservice", known("false")),
            ("aws:principalservicename", None),
            ("aws:securetransport", known("true")),
            ("aws:sourceaccount", None),
            ("aws:sourcearn", None),
            ("aws:sourcevpc", None),
            ("aws:sourcevpce", None),
            ("s3:tlsversion", known("1.3")),
            ("s3:x-amz-server-side-encryption", None),
            ("s3:x-amz-server-side-encryption-aws-kms-key-id", None),
        ];
        let names = vec![role.to_owned(), account.to_owned(), format!("arn:{partition}:iam::{account}:root")];
        Self { kind: "AWS", names, facts: facts.into(), unknown_denies: false }
    }

    /// The request to the bucket's key, which S3 makes for the principal that writes or reads.
    #[must_use]
    pub fn at_key(mut self, object: &str, via_service: &str) -> Self {
        self.facts.retain(|key, _| key.starts_with("aws:"));
        self.facts.insert("kms:encryptioncontext:aws:s3:arn", Some(object.to_owned()));
        self.facts.insert("kms:viaservice", Some(via_service.to_owned()));
        if let Some(account) = self.facts.get("aws:principalaccount").cloned() {
            self.facts.insert("kms:calleraccount", account);
        }
        self
    }

    /// Whether a `Principal` or `NotPrincipal` names the principal of the request.
    pub(super) fn is_named(&self, principal: &Value) -> bool {
        let has = |kind: &str, wanted: &str| one_or_many(&principal[kind]).iter().any(|name| **name == wanted);
        principal == "*" || has("AWS", "*") || has(self.kind, "*") || self.names.iter().any(|name| has(self.kind, name))
    }

    pub(super) fn unknown_denies(&self) -> bool {
        self.unknown_denies
    }

    fn look_up(&self, key: &str) -> Fact<'_> {
        match self.facts.get(key.to_ascii_lowercase().as_str()) {
            Some(Some(value)) => Fact::Is(value),
            Some(None) => Fact::Absent,
            None => Fact::Unknown,
        }
    }
}

enum Fact<'a> {
    Is(&'a str),
    Absent,
    Unknown,
}

/// Whether all conditions hold. `None`: one of them cannot be judged, and no other one fails.
pub(super) fn conditions_hold(conditions: &Value, context: &Context) -> Option<bool> {
    let Value::Object(operators) = conditions else {
        return conditions.is_null().then_some(true);
    };
    let mut verdict = Some(true);
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else {
            verdict = None;
            continue;
        };
        for (key, expected) in keys {
            match condition_holds(operator, context.look_up(key), expected) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => verdict = None,
            }
        }
    }
    verdict
}

fn condition_holds(operator: &str, fact: Fact<'_>, expected: &Value) -> Option<bool> {
    let expected: Vec<String> = one_or_many(expected)
        .into_iter()
        .map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    // Policy variables are not supported.
    if expected.is_empty() || expected.iter().any(|value| value.contains("${")) {
        return None;
    }
    if operator == "Null" {
        let absent = match fact {
            Fact::Is(_) => "false",
            Fact::Absent => "true",
            Fact::Unknown => return None,
        };
        return Some(expected.iter().any(|value| value == absent));
    }
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(bare) => (bare, true),
        None => (operator, false),
    };
    let comparison = Comparison::of(operator)?;
    match fact {
        Fact::Unknown => None,
        Fact::Absent => Some(if_exists || comparison.negated),
        Fact::Is(actual) => {
            let mut any = false;
            for value in &expected {
                any |= (comparison.matches)(value, actual)?;
            }
            Some(any != comparison.negated)
        }
    }
}

struct Comparison {
    negated: bool,
    /// Compares the expected and the actual value. `None`: they cannot be compared.
    matches: fn(&str, &str) -> Option<bool>,
}

impl Comparison {
    fn of(operator: &str) -> Option<Self> {
        let plain = |matches| Some(Self { negated: false, matches });
        let negated = |matches| Some(Self { negated: true, matches });
        match operator {
            "StringEquals" => plain(equal),
            "StringNotEquals" => negated(equal),
            "StringEqualsIgnoreCase" | "Bool" => plain(equal_ignoring_case),
            "StringNotEqualsIgnoreCase" => negated(equal_ignoring_case),
            "StringLike" => plain(like),
            "StringNotLike" => negated(like),
            // AWS gives ArnEquals and ArnLike the same meaning.
            "ArnEquals" | "ArnLike" => plain(arn_like),
            "ArnNotEquals" | "ArnNotLike" => negated(arn_like),
            "NumericEquals" => plain(|e, a| numbers(e, a, |e, a| a == e)),
            "NumericNotEquals" => negated(|e, a| numbers(e, a, |e, a| a == e)),
            "NumericLessThan" => plain(|e, a| numbers(e, a, |e, a| a < e)),
            "NumericLessThanEquals" => plain(|e, a| numbers(e, a, |e, a| a <= e)),
            "NumericGreaterThan" => plain(|e, a| numbers(e, a, |e, a| a > e)),
            "NumericGreaterThanEquals" => plain(|e, a| numbers(e, a, |e, a| a >= e)),
            _ => None,
        }
    }
}

fn equal(expected: &str, actual: &str) -> Option<bool> {
    Some(expected == actual)
}

fn equal_ignoring_case(expected: &str, actual: &str) -> Option<bool> {
    Some(expected.eq_ignore_ascii_case(actual))
}

fn like(expected: &str, actual: &str) -> Option<bool> {
    Some(wildcard(expected, actual))
}

/// Compares each of the six parts alone, so that a wildcard does not match a colon. The last part may contain colons.
fn arn_like(expected: &str, actual: &str) -> Option<bool> {
    let (expected, actual): (Vec<&str>, Vec<&str>) = (expected.splitn(6, ':').collect(), actual.splitn(6, ':').collect());
    Some(expected.len() == 6 && actual.len() == 6 && expected.iter().zip(&actual).all(|(e, a)| wildcard(e, a)))
}

fn numbers(expected: &str, actual: &str, compare: fn(f64, f64) -> bool) -> Option<bool> {
    Some(compare(expected.parse().ok()?, actual.parse().ok()?))
}
