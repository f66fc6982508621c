//! The function's stack, from the environment variables that the template sets.

use chrono::TimeDelta;
use export_core::{BucketName, Prefix, SettleDays, input::RUN_TIME_LIMIT, parse_timezone, place::Stack};

/// The error names the variable that is missing or wrong. The function does not start then.
pub fn stack_from_environment() -> Result<Stack, String> {
    let settle_days = |text: &str| text.parse().ok().and_then(SettleDays::new).ok_or_else(|| SettleDays::EXPECTED.to_owned());
    Ok(Stack {
        timezone: read_variable("TIME_ZONE", parse_timezone)?,
        settle_days: read_variable("SETTLE_DAYS", settle_days)?,
        ..stack_in_utc()?
    })
}

/// For uses to which time zone and days to settle do not matter.
pub fn stack_in_utc() -> Result<Stack, String> {
    let text = |text: &str| Ok(text.to_owned());
    Ok(Stack {
        account: read_variable("ACCOUNT_ID", text)?,
        region: read_variable("AWS_REGION", text)?,
        partition: read_variable("PARTITION", text)?,
        bucket: read_variable("ARCHIVE_BUCKET", BucketName::parse)?,
        s3_prefix: read_variable("S3_PREFIX", Prefix::parse)?,
        timezone: "UTC".parse().expect("a time zone"),
        settle_days: SettleDays::default(),
    })
}

/// Reads a variable through `parse`, whose error says what to give instead.
pub fn read_variable<T>(name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    let text = std::env::var(name).map_err(|_| format!("the environment variable {name} is missing"))?;
    parse(&text).map_err(|fix| format!("the environment variable {name} is {text:?}: {fix}"))
}

/// How long a run starts windows. The template does not set the variable; a test makes the time short.
pub fn run_time_limit() -> Result<TimeDelta, String> {
    if std::env::var_os("RUN_TIME_LIMIT_SECONDS").is_none() {
        return Ok(RUN_TIME_LIMIT);
    }
    let seconds = |text: &str| text.parse().ok().and_then(TimeDelta::try_seconds).ok_or_else(|| "give a number of seconds".to_owned());
    read_variable("RUN_TIME_LIMIT_SECONDS", seconds)
}
