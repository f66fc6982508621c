//! `doctor`: finds what keeps the archive from being complete, and prints the command that fixes it. It changes nothing.

mod alarms;
mod bucket;
mod bucket_access;
mod deployment;
mod finding;
mod fix;
mod grants;
mod lifecycle;
mod log_groups;
mod notification;
mod policy;
mod roles;
mod schedule;
mod slot;
mod template;

use std::fmt::Write;

use crate::{ExitStatus, arguments::Format, context::Context, failure::Failure, output::note};
use bucket_access::BucketAccess;
use finding::{Finding, Findings, Severity};

pub async fn run(context: &Context) -> Result<ExitStatus, Failure> {
    let stack = context.stack().await?;
    let mut findings = Findings::default();
    let deployment = deployment::Deployment::read(context, &stack, &mut findings).await?;
    let schedule = schedule::check(context, &stack, &deployment, &mut findings).await?;
    let groups = match schedule {
        Some((schedule, input)) => log_groups::check(context, &stack, &schedule, input, &mut findings).await?,
        None => None,
    };
    let roles = grants::roles(&deployment);
    let can_check_bucket = bucket::check(context, &stack, &mut findings).await?;
    let access = BucketAccess { context, stack: &stack, deployment: &deployment, roles: &roles };
    access.check(can_check_bucket, groups.as_deref(), &mut findings).await?;
    roles::check(context, &roles, &mut findings).await?;
    notification::check(context, &stack, &mut findings).await?;
    slot::check(context, &stack, &mut findings).await?;
    alarms::check(context, &stack, &deployment, &mut findings).await?;
    let mut findings = findings.list;
    findings.sort_by_key(|finding| (finding.severity, finding.name));
    if context.output.format == Format::Table {
        for finding in &findings {
            context.output.print_text(&format_finding(finding))?;
        }
    } else {
        context.output.print_rows(&findings, || unreachable!("the format is not a table"))?;
    }
    match findings.len() {
        0 => note("No finding."),
        1 => note("1 finding."),
        count => note(format_args!("{count} findings.")),
    }
    Ok(if findings.is_empty() { ExitStatus::Success } else { ExitStatus::Finding })
}

fn format_finding(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
    };
    let mut text = format!("{severity} {:?}: {}\n", finding.name, finding.resource);
    let _ = writeln!(text, "  {}\n  {}\n  Fix: {}", finding.what, finding.why, finding.fix);
    text
}
