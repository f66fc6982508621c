//! Checks whether the policy of a bucket or key allows the access that the archive needs.

use resource_policy::{Access, Context as Request, Ruling, judge};
use serde_json::{Value, json};

use super::{
    finding::{FindingName, Findings},
    template::one_or_more,
};
use crate::shell::quoted;

pub struct Need {
    pub action: String,
    pub resource: String,
    /// Who needs the access, for a message.
    pub caller: String,
    /// Whether the caller is CloudWatch Logs, and not a role.
    pub is_service: bool,
    pub request: Request,
}

/// The owner of the policy: a bucket by its name, or a key by its ARN.
pub enum PolicyOwner<'a> {
    Bucket(&'a str),
    Key(&'a str),
}

impl PolicyOwner<'_> {
    fn noun(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "bucket policy",
            Self::Key(_) => "key policy",
        }
    }

    fn names(&self) -> (FindingName, FindingName) {
        match self {
            Self::Bucket(_) => (FindingName::BucketPolicyLacksStatement, FindingName::BucketPolicyDenies),
            Self::Key(_) => (FindingName::KeyPolicyLacksStatement, FindingName::KeyPolicyDenies),
        }
    }

    /// The command that puts a policy. `policy` is a word of the shell.
    fn put_command(&self, policy: &str) -> String {
        match self {
            Self::Bucket(bucket) => format!("aws s3api put-bucket-policy --bucket {bucket} --policy {policy}"),
            Self::Key(key) => format!("aws kms put-key-policy --key-id {key} --policy-name default --policy {policy}"),
        }
    }

    /// The command that edits the policy with jq.
    fn edit_command(&self, edit: &str) -> String {
        let get = match self {
            Self::Bucket(bucket) => format!("aws s3api get-bucket-policy --bucket {bucket}"),
            Self::Key(key) => format!("aws kms get-key-policy --key-id {key} --policy-name default"),
        };
        self.put_command(&format!(r#""$({get} --query Policy --output text | jq -c {})""#, quoted(edit)))
    }

    /// The command that removes a statement, by its value, because other commands may change its position.
    fn remove_command(&self, policy: &Value, index: usize, arn: &str) -> String {
        let statements = statements_of(policy);
        match (&statements[..], self) {
            // S3 and KMS refuse a policy without a statement. A bucket needs no policy. A key gets the default policy of KMS.
            ([_], Self::Bucket(bucket)) => format!("aws s3api delete-bucket-policy --bucket {bucket}"),
            ([_], Self::Key(_)) => {
                let [partition, account] = [1, 4].map(|part| arn.split(':').nth(part).unwrap_or_default());
                let root = format!("arn:{partition}:iam::{account}:root");
                let statement = json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"});
                self.edit_command(&format!(".Statement = [{statement}]"))
            }
            _ => self.edit_command(&format!(".Statement |= map(select(. != {}))", statements.get(index).unwrap_or(&Value::Null))),
        }
    }

    /// The command that adds a statement. It replaces a statement with the same Sid, which must be unique.
    fn add_command(&self, statement: &Value) -> String {
        self.edit_command(&format!(".Statement = ([.Statement] | flatten | map(select(.Sid != {}))) + [{statement}]", statement["Sid"]))
    }
}

fn statements_of(policy: &Value) -> Vec<Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        single => vec![single.clone()],
    }
}

/// `expected`: the statements of the stack's templates. `text`: the policy, or `None` without a policy.
pub fn check(owner: &PolicyOwner, arn: &str, text: Option<&str>, expected: &[Value], needs: &[Need], findings: &mut Findings) {
    let (noun, (lacks, denies)) = (owner.noun(), owner.names());
    let Some(text) = text else {
        if !expected.is_empty() {
            let what = format!("There is no {noun}, so CloudWatch Logs may not write here.");
            findings.add(
                lacks,
                arn,
                what,
                owner.put_command(&quoted(&json!({"Version": "2012-10-17", "Statement": expected}).to_string())),
            );
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
                let what = format!("{statement} of the {noun} denies {} to {}.", need.action, need.caller);
                findings.add(denies, arn, what, owner.remove_command(&policy, index, arn));
            }
        }
    }
    for statement in expected {
        let allows = one_or_more(&statement["Action"]);
        let is_service = statement["Principal"]["Service"].is_string();
        let lacking: Vec<&&Need> = lacking.iter().filter(|need| need.is_service == is_service && allows.contains(&need.action)).collect();
        if let Some(first) = lacking.first() {
            let mut actions: Vec<&str> =
                lacking.iter().filter(|need| need.caller == first.caller).map(|need| need.action.as_str()).collect();
            actions.dedup();
            findings.add(
                lacks,
                arn,
                format!("The {noun} does not allow {} to {}.", actions.join(" and "), first.caller),
                owner.add_command(statement),
            );
        }
    }
}
