//! `doctor`: what keeps the archive from being whole, with the command that mends it. It changes nothing. One file per subject.

mod alarms;
mod bucket;
mod bucket_access;
mod deployment;
mod finding;
mod fix;
mod granted;
mod lifecycle;
mod log_groups;
mod notification;
mod policy;
mod roles;
mod schedule;
mod slot;
mod template;

use std::fmt::Write;

use crate::{Verdict, arguments::Format, context::Context, failure::Failure, output::note};
use bucket_access::BucketAccess;
use finding::{Finding, Findings, Severity};

pub async fn run(context: &Context) -> Result<Verdict, Failure> {
    let stack = context.stack().await?;
    let mut findings = Findings::default();
    let deployment = deployment::Deployment::read(context, &stack, &mut findings).await?;
    let schedule = schedule::check(context, &stack, &deployment, &mut findings).await?;
    let groups = match &schedule {
        Some(schedule) => log_groups::check(context, &stack, schedule, &mut findings).await?,
        None => None,
    };
    let roles = granted::roles(&deployment);
    let is_usable = bucket::check(context, &stack, &mut findings).await?;
    let access = BucketAccess { context, stack: &stack, deployment: &deployment, roles: &roles };
    access.check(is_usable, groups.as_deref(), &mut findings).await?;
    roles::check(context, &roles, &mut findings).await?;
    notification::check(context, &stack, &mut findings).await?;
    slot::check(context, &stack, &mut findings).await?;
    alarms::check(context, &stack, &deployment, &mut findings).await?;
    let mut found = findings.found;
    found.sort_by_key(|finding| (finding.severity, finding.name));
    if context.output.format == Format::Table {
        for finding in &found {
            context.output.text(&shown(finding))?;
        }
    } else {
        context.output.rows(&found, || unreachable!("JSON is asked for"))?;
    }
    match found.len() {
        0 => note("No finding."),
        1 => note("1 finding."),
        count => note(format_args!("{count} findings.")),
    }
    Ok(if found.is_empty() { Verdict::Well } else { Verdict::Finding })
}

fn shown(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
    };
    let mut text = format!("{severity} {:?}: {}\n", finding.name, finding.resource);
    let _ = writeln!(text, "  {}\n  {}\n  Fix: {}", finding.what, finding.why, finding.fix);
    text
}
