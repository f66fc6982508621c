//! An export's bucket: its existence, its Region, its owner, and the permissions of CloudWatch Logs in its policy.

use bytes::Bytes;
use resource_policy::{Access, Context, allows};

use crate::error::ApiError;
use crate::local::Local;
use crate::scope::Caller;
use crate::upstream::{BucketHead, UpstreamError};

/// The bucket and its owner, which can be another account than the caller.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) bucket: String,
    owner: Caller,
}

pub(crate) enum PutError {
    /// The bucket policy does not allow the service to write this object.
    NotAllowed,
    Upstream(UpstreamError),
}

impl Destination {
    /// Finds the bucket in the caller's account, or in another account that has called before.
    pub(crate) async fn find(local: &Local, caller: &Caller, bucket: &str) -> Result<Self, ApiError> {
        let missing = || ApiError::invalid_parameter("The given bucket does not exist. Please make sure the bucket is valid.");
        let of_caller = Self { bucket: bucket.to_owned(), owner: caller.clone() };
        match local.upstream.head_bucket(caller, bucket).await? {
            BucketHead::Missing => Err(missing()),
            BucketHead::Readable { region } | BucketHead::NotReadable { region }
                if region.as_ref().is_some_and(|r| *r != caller.region) =>
            {
                Err(ApiError::invalid_parameter(format!(
                    "The given bucket is in a different region ({}). Please use a bucket in region {}.",
                    region.unwrap_or_default(),
                    caller.region
                )))
            }
            BucketHead::Readable { .. } => Ok(of_caller),
            BucketHead::NotReadable { .. } => {
                let mut accounts = local.state().accounts.clone();
                accounts.insert(local.upstream.default_account(&caller.region).await?);
                for account in accounts {
                    let owner = Caller { account, region: caller.region.clone() };
                    let head = local.upstream.head_bucket(&owner, bucket).await?;
                    if matches!(head, BucketHead::Readable { .. }) {
                        return Ok(Self { owner, ..of_caller });
                    }
                }
                // Without an owner, the policy cannot be read, so it allows nothing.
                Err(permission_error("GetBucketAcl"))
            }
        }
    }

    /// AWS's first check: the service must be able to read the bucket's ACL.
    pub(crate) async fn check_readable(&self, local: &Local, caller: &Caller, log_group: &str) -> Result<(), ApiError> {
        let context = Context::new(&caller.account, &caller.region, log_group, false);
        let resource = format!("arn:aws:s3:::{}", self.bucket);
        let access = Access { action: "s3:GetBucketAcl", resource: &resource, context: &context };
        match self.policy(local).await? {
            Some(policy) if allows(&policy, &access) => Ok(()),
            _ => Err(permission_error("GetBucketAcl")),
        }
    }

    /// Writes an object if the present policy allows it.
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

/// AWS's error for a bucket policy that does not allow CloudWatch Logs to make a call.
pub(crate) fn permission_error(call: &str) -> ApiError {
    ApiError::invalid_parameter(permission_error_message(call))
}

pub(crate) fn permission_error_message(call: &str) -> String {
    format!(
        "{call} call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform \
         this operation."
    )
}
