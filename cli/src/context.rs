//! What each command uses: the AWS configuration, the stack, the clients, and the output.

use std::time::Duration;

use archive::{Archive, http_client, s3_client};
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};

use crate::{
    arguments::Global,
    failure::Failure,
    output::Output,
    shell::quoted,
    stack::{self, DeployedStack},
};

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
/// More than the SDK's default, because AWS throttles some of the calls.
const MAX_ATTEMPTS: u32 = 6;

pub struct Context {
    pub config: SdkConfig,
    pub output: Output,
    pub region: String,
    pub options: AccountOptions,
    stack_name: Option<String>,
}

/// The options that choose account, Region and stack, for the commands that the tool prints. Each is quoted for a shell and follows a space.
#[derive(Debug, Clone, Default)]
pub struct AccountOptions {
    pub logs_archive: String,
    /// The AWS CLI has no option for the stack.
    pub aws_cli: String,
}

impl AccountOptions {
    fn new(global: &Global, region: &str) -> Self {
        let option = |name: &str, value: Option<&String>| value.map_or_else(String::new, |value| format!(" --{name} {}", quoted(value)));
        let both = option("profile", global.profile.as_ref()) + &option("endpoint-url", global.endpoint_url.as_ref());
        let logs_archive = format!("{both}{}{}", option("region", global.region.as_ref()), option("stack", global.stack.as_ref()));
        Self { logs_archive, aws_cli: format!("{both} --region {region}") }
    }
}

impl Context {
    pub async fn new(global: Global) -> Result<Self, Failure> {
        // The SDK panics if it is empty.
        if std::env::var_os("AWS_ENDPOINT_URL").is_some_and(|url| url.is_empty()) {
            return Err(Failure::Usage("AWS_ENDPOINT_URL is empty: unset it, or give --endpoint-url".into()));
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .app_name(AppName::new("logs-archive").expect("letters and hyphens, 50 at most"))
            .http_client(http_client())
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS));
        if let Some(profile) = &global.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &global.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint_url) = &global.endpoint_url {
            loader = loader.endpoint_url(endpoint_url);
        }
        let config = loader.load().await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(Failure::Usage("no Region is set: give --region, or set AWS_REGION or a region in the profile".into()));
        };
        let options = AccountOptions::new(&global, &region);
        Ok(Self { config, output: Output::new(global.output), region, options, stack_name: global.stack })
    }

    /// Finds the stack, with one call of CloudFormation.
    pub async fn stack(&self) -> Result<DeployedStack, Failure> {
        stack::find(&self.cloudformation(), self.stack_name.as_deref(), &self.region).await
    }

    /// The archive of a stack, through the same crate as the functions.
    pub fn archive(&self, stack: &DeployedStack) -> Archive {
        Archive::new(stack.settings.clone(), &self.config)
    }

    pub fn athena(&self) -> aws_sdk_athena::Client {
        aws_sdk_athena::Client::new(&self.config)
    }

    pub fn cloudformation(&self) -> aws_sdk_cloudformation::Client {
        aws_sdk_cloudformation::Client::new(&self.config)
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config)
    }

    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.config)
    }

    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    pub fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config)
    }

    pub fn sns(&self) -> aws_sdk_sns::Client {
        aws_sdk_sns::Client::new(&self.config)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    pub fn scheduler(&self) -> aws_sdk_scheduler::Client {
        aws_sdk_scheduler::Client::new(&self.config)
    }

    pub fn step_functions(&self) -> aws_sdk_sfn::Client {
        aws_sdk_sfn::Client::new(&self.config)
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        s3_client(&self.config)
    }
}
