//! Looks up log groups, by prefix and by name.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::types::{LogGroup as DescribedLogGroup, LogGroupClass};
use export_core::{
    ExportError, LogGroupName,
    decide::LogGroup,
    service::{ServiceFailure, logs_error},
    time::Millis,
};

use crate::{Archive, service_failure};

/// The most log groups that one DescribeLogGroups takes and returns.
const PAGE_SIZE: usize = 50;

impl Archive {
    /// Every log group whose name begins with `prefix`.
    pub async fn log_groups(&self, prefix: &LogGroupName) -> Result<Vec<(LogGroupName, LogGroup)>, ExportError> {
        let listed = self.list(|request| request.log_group_name_prefix(prefix.as_str()), |_| false).await;
        listed.map_err(|failure| logs_error(&failure))
    }

    /// The log groups with these names. One that does not exist is [`LogGroup::Absent`].
    pub async fn named_log_groups(&self, names: &[LogGroupName]) -> Result<HashMap<LogGroupName, LogGroup>, ExportError> {
        let mut known = HashMap::new();
        for names in names.chunks(PAGE_SIZE) {
            let identifiers: Vec<String> = names.iter().map(LogGroupName::to_string).collect();
            match self.list(|request| request.set_log_group_identifiers(Some(identifiers.clone())), |_| false).await {
                Ok(listed) => known.extend(listed.into_iter().filter(|(name, _)| names.contains(name))),
                // AWS does not document the answer for a name that does not exist. So each name is looked up alone.
                Err(failure) if failure.has_code("InvalidParameterException") || failure.has_code("ResourceNotFoundException") => {}
                Err(failure) => return Err(logs_error(&failure)),
            }
        }
        for name in names {
            if !known.contains_key(name) {
                known.insert(name.clone(), self.log_group(name).await?);
            }
        }
        Ok(known)
    }

    /// The log group with exactly this name. DescribeLogGroups finds by prefix, and returns others too.
    pub async fn log_group(&self, name: &LogGroupName) -> Result<LogGroup, ExportError> {
        // They are in the order of their names. So the search ends at the first name that is not before this one.
        let listed = self.list(|request| request.log_group_name_prefix(name.as_str()), |found| found >= name).await;
        let found = listed.map_err(|failure| logs_error(&failure))?.into_iter().find(|(found, _)| found == name);
        Ok(found.map_or(LogGroup::Absent, |(_, log_group)| log_group))
    }

    /// Lists page by page, until there is no token, or `is_last` is true. An empty page is not always the last one.
    async fn list(
        &self,
        ask: impl Fn(
            aws_sdk_cloudwatchlogs::operation::describe_log_groups::builders::DescribeLogGroupsFluentBuilder,
        ) -> aws_sdk_cloudwatchlogs::operation::describe_log_groups::builders::DescribeLogGroupsFluentBuilder,
        is_last: impl Fn(&LogGroupName) -> bool,
    ) -> Result<Vec<(LogGroupName, LogGroup)>, ServiceFailure> {
        let mut listed = Vec::new();
        let mut token = None;
        loop {
            self.describe_log_groups.wait_turn().await;
            let page = ask(self.logs.describe_log_groups()).limit(PAGE_SIZE as i32).set_next_token(token).send().await;
            let page = page.map_err(|error| service_failure("DescribeLogGroups", &error))?;
            listed.extend(page.log_groups.unwrap_or_default().iter().filter_map(parse));
            token = page.next_token;
            if token.is_none() || listed.iter().any(|(name, _)| is_last(name)) {
                return Ok(listed);
            }
        }
    }
}

/// Infrequent Access and Delivery cannot be exported. CreateExportTask judges classes that are new.
fn parse(found: &DescribedLogGroup) -> Option<(LogGroupName, LogGroup)> {
    let name = LogGroupName::parse(found.log_group_name()?).ok()?;
    let is_exportable = !matches!(found.log_group_class(), Some(LogGroupClass::InfrequentAccess | LogGroupClass::Delivery));
    let created = found.creation_time().map(Millis);
    let retention_policy = found.retention_policy_name().map(str::to_owned);
    let stored_bytes = found.stored_bytes().and_then(|bytes| u64::try_from(bytes).ok());
    let retention_in_days = found.retention_in_days();
    Some((name, LogGroup::Present { created, retention_in_days, retention_policy, is_exportable, stored_bytes }))
}
