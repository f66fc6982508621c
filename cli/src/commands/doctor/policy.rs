//! The policy of a bucket or of a key: whether it lets through what the archive needs.

use resource_policy::{Access, Context as Request, Ruling, judge};
use serde_json::{Value, json};

use super::{
    finding::{Findings, Name},
    template::one_or_more,
};
use crate::shell::quoted;

/// One access that the archive needs.
pub struct Need {
    pub action: String,
    pub resource: String,
    /// Who makes it, and for what.
    pub by: String,
    pub is_of_service: bool,
    pub request: Request,
}

/// What has the policy: a bucket by its name, or a key by its ARN.
pub enum Subject<'a> {
    Bucket(&'a str),
    Key(&'a str),
}

impl Subject<'_> {
    fn noun(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "bucket policy",
            Self::Key(_) => "key policy",
        }
    }

    fn names(&self) -> (Name, Name) {
        match self {
            Self::Bucket(_) => (Name::BucketPolicyLacksStatement, Name::BucketPolicyDenies),
            Self::Key(_) => (Name::KeyPolicyLacksStatement, Name::KeyPolicyDenies),
        }
    }

    /// The command that puts a policy, which the shell makes of `policy`.
    fn put(&self, policy: &str) -> String {
        match self {
            Self::Bucket(bucket) => format!("aws s3api put-bucket-policy --bucket {bucket} --policy {policy}"),
            Self::Key(key) => format!("aws kms put-key-policy --key-id {key} --policy-name default --policy {policy}"),
        }
    }

    /// The command that edits the policy with jq.
    fn edit(&self, edit: &str) -> String {
        let get = match self {
            Self::Bucket(bucket) => format!("aws s3api get-bucket-policy --bucket {bucket}"),
            Self::Key(key) => format!("aws kms get-key-policy --key-id {key} --policy-name default"),
        };
        self.put(&format!(r#""$({get} --query Policy --output text | jq -c {})""#, quoted(edit)))
    }

    /// Takes a statement out. By its value: other commands may have moved it.
    fn remove(&self, policy: &Value, index: usize, arn: &str) -> String {
        let statements = list(policy);
        match (&statements[..], self) {
            // S3 and KMS refuse a policy without a statement. A key without a policy is nobody's, so it gets the default of KMS.
            ([_], Self::Bucket(bucket)) => format!("aws s3api delete-bucket-policy --bucket {bucket}"),
            ([_], Self::Key(_)) => {
                let [partition, account] = [1, 4].map(|part| arn.split(':').nth(part).unwrap_or_default());
                let root = format!("arn:{partition}:iam::{account}:root");
                let statement = json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"});
                self.edit(&format!(".Statement = [{statement}]"))
            }
            _ => self.edit(&format!(".Statement |= map(select(. != {}))", statements.get(index).unwrap_or(&Value::Null))),
        }
    }

    /// Adds a statement; one of the same Sid, of which a policy has one only, goes.
    fn add(&self, statement: &Value) -> String {
        self.edit(&format!(".Statement = ([.Statement] | flatten | map(select(.Sid != {}))) + [{statement}]", statement["Sid"]))
    }
}

fn list(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        single => vec![single.clone()],
    }
}

/// `expected`: the statements that the stack's templates have for the policy. `text`: `None`, if there is no policy.
pub fn check(subject: &Subject, arn: &str, text: Option<&str>, expected: &[Value], needs: &[Need], findings: &mut Findings) {
    let (noun, (lacks, denies)) = (subject.noun(), subject.names());
    let Some(text) = text else {
        if !expected.is_empty() {
            let what = format!("There is no {noun}, so CloudWatch Logs may not write here.");
            findings.add(lacks, arn, what, subject.put(&quoted(&json!({"Version": "2012-10-17", "Statement": expected}).to_string())));
        }
        return;
    };
    let policy: Value = serde_json::from_str(text).unwrap_or_default();
    let mut lacking: Vec<&Need> = Vec::new();
    let mut denied: Vec<usize> = Vec::new();
    for need in needs {
        match judge(text, &Access { action: &need.action, resource: &need.resource, context: &need.request }) {
            Ruling::Allowed => {}
            Ruling::NotAllowed => lacking.push(need),
            Ruling::Denied { index, .. } if denied.contains(&index) => {}
            Ruling::Denied { index, sid } => {
                denied.push(index);
                let statement = sid.map_or_else(|| format!("Statement {}", index + 1), |sid| format!("The statement {sid:?}"));
                let what = format!("{statement} of the {noun} denies {} to {}.", need.action, need.by);
                findings.add(denies, arn, what, subject.remove(&policy, index, arn));
            }
        }
    }
    for statement in expected {
        let allows = one_or_more(&statement["Action"]);
        let is_of_service = statement["Principal"]["Service"].is_string();
        let lacking: Vec<&&Need> =
            lacking.iter().filter(|need| need.is_of_service == is_of_service && allows.contains(&need.action)).collect();
        if let Some(first) = lacking.first() {
            let mut actions: Vec<&str> = lacking.iter().filter(|need| need.by == first.by).map(|need| need.action.as_str()).collect();
            actions.dedup();
            findings.add(
                lacks,
                arn,
                format!("The {noun} does not allow {} to {}.", actions.join(" and "), first.by),
                subject.add(statement),
            );
        }
    }
}
