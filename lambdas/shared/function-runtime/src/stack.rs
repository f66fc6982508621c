//! The stack that a function belongs to, as the template tells it in the environment.

use chrono::TimeDelta;
use export_core::{BucketName, Prefix, SettleDays, input::RUN_TIME_LIMIT, place::Stack};

/// Every function needs these; without one it cannot start, and says which is wrong.
pub fn stack_from_environment() -> Result<Stack, String> {
    let timezone = variable("TIME_ZONE", |text| text.parse().map_err(|_| "give an IANA time zone name".to_owned()))?;
    let settle_days =
        variable("SETTLE_DAYS", |text| text.parse().ok().and_then(SettleDays::new).ok_or_else(|| SettleDays::FIX.to_owned()))?;
    Ok(Stack { timezone, settle_days, ..stack_in_utc()? })
}

/// For what no time zone and no days to settle matter to.
pub fn stack_in_utc() -> Result<Stack, String> {
    Ok(Stack {
        account: variable("ACCOUNT_ID", |text| Ok(text.to_owned()))?,
        region: variable("AWS_REGION", |text| Ok(text.to_owned()))?,
        partition: variable("PARTITION", |text| Ok(text.to_owned()))?,
        bucket: variable("ARCHIVE_BUCKET", BucketName::parse)?,
        s3_prefix: variable("S3_PREFIX", Prefix::parse)?,
        timezone: "UTC".parse().expect("a time zone"),
        settle_days: SettleDays::default(),
    })
}

pub fn variable<T>(name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    let text = std::env::var(name).map_err(|_| format!("the environment variable {name} is missing"))?;
    read(&text).map_err(|fix| format!("the environment variable {name} is {text:?}: {fix}"))
}

/// For how long a run starts windows. The template leaves it alone; a test makes it short.
pub fn run_time_limit() -> Result<TimeDelta, String> {
    if std::env::var_os("RUN_TIME_LIMIT_SECONDS").is_none() {
        return Ok(RUN_TIME_LIMIT);
    }
    let seconds = |text: &str| text.parse().ok().and_then(TimeDelta::try_seconds).ok_or_else(|| "give a number of seconds".to_owned());
    variable("RUN_TIME_LIMIT_SECONDS", seconds)
}
