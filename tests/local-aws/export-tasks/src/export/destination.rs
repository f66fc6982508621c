//! The bucket an export goes to: whether it exists, where, whose it is, and whether its policy lets CloudWatch Logs in.

use bytes::Bytes;
use resource_policy::{Access, Context, allows};

use crate::error::ApiError;
use crate::local::Local;
use crate::scope::Caller;
use crate::upstream::{BucketHead, UpstreamError};

/// The bucket and the account that owns it, which may not be the caller's.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) bucket: String,
    owner: Caller,
}

/// Why an object was not written.
pub(crate) enum PutError {
    /// The bucket policy does not let the service write this object.
    NotAllowed,
    Upstream(UpstreamError),
}

impl Destination {
    /// Finds the bucket, in the caller's account or in any other that has called before.
    pub(crate) async fn find(local: &Local, caller: &Caller, bucket: &str) -> Result<Self, ApiError> {
        let missing = || ApiError::invalid_parameter("The given bucket does not exist. Please make sure the bucket is valid.");
        let own = Self { bucket: bucket.to_owned(), owner: caller.clone() };
        match local.upstream.head_bucket(caller, bucket).await? {
            BucketHead::Missing => Err(missing()),
            BucketHead::Own { region } | BucketHead::Elsewhere { region } if region.as_ref().is_some_and(|r| *r != caller.region) => {
                Err(ApiError::invalid_parameter(format!(
                    "The given bucket is in a different region ({}). Please use a bucket in region {}.",
                    region.unwrap_or_default(),
                    caller.region
                )))
            }
            BucketHead::Own { .. } => Ok(own),
            BucketHead::Elsewhere { .. } => {
                let mut accounts = local.state().accounts.clone();
                accounts.insert(local.upstream.default_account(&caller.region).await?);
                for account in accounts {
                    let owner = Caller { account, region: caller.region.clone() };
                    let head = local.upstream.head_bucket(&owner, bucket).await?;
                    if matches!(head, BucketHead::Own { .. }) {
                        return Ok(Self { owner, ..own });
                    }
                }
                // Its policy cannot be read, hence cannot be shown to allow anything.
                Err(refused("GetBucketAcl"))
            }
        }
    }

    /// The first check AWS makes: may the service look at the bucket?
    pub(crate) async fn check_readable(&self, local: &Local, caller: &Caller, log_group: &str) -> Result<(), ApiError> {
        let context = Context::new(&caller.account, &caller.region, log_group, false);
        let resource = format!("arn:aws:s3:::{}", self.bucket);
        let access = Access { action: "s3:GetBucketAcl", resource: &resource, context: &context };
        match self.policy(local).await? {
            Some(policy) if allows(&policy, &access) => Ok(()),
            _ => Err(refused("GetBucketAcl")),
        }
    }

    /// Writes an object, if the policy allows it at this moment.
    pub(crate) async fn put(&self, local: &Local, caller: &Caller, log_group: &str, key: &str, body: Bytes) -> Result<(), PutError> {
        let context = Context::new(&caller.account, &caller.region, log_group, true);
        let resource = format!("arn:aws:s3:::{}/{key}", self.bucket);
        let access = Access { action: "s3:PutObject", resource: &resource, context: &context };
        match self.policy(local).await.map_err(PutError::Upstream)? {
            Some(policy) if allows(&policy, &access) => {}
            _ => return Err(PutError::NotAllowed),
        }
        local.upstream.put_object(&self.owner, &self.bucket, key, body).await.map_err(PutError::Upstream)
    }

    async fn policy(&self, local: &Local) -> Result<Option<String>, UpstreamError> {
        local.upstream.bucket_policy(&self.owner, &self.bucket).await
    }
}

/// AWS's words for a bucket policy that does not let CloudWatch Logs make a call.
pub(crate) fn refused(call: &str) -> ApiError {
    ApiError::invalid_parameter(refusal(call))
}

pub(crate) fn refusal(call: &str) -> String {
    format!(
        "{call} call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform \
         this operation."
    )
}
