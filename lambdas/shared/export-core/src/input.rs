//! A run's input, checked as a whole before anything is exported; and what the run looks at, fixed once.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BucketName, ErrorName, ExportError, LogGroupName, Month, Prefix, SettleDays, Window,
    destination::{self, Destination},
    entry::{Entry, Selector},
    fields::Fields,
    names,
    place::Stack,
    problems::Problems,
    time::{Millis, format_instant},
    warning::{Warning, WarningName},
    window::{CLOCK_SKEW, SETTLING_TIME},
};

/// Ten years. More months than that are started as several runs.
const MOST_MONTHS: usize = 120;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInput {
    pub bucket: BucketName,
    pub s3_prefix: Prefix,
    pub timezone: Tz,
    pub scheduled_time: Option<DateTime<Utc>>,
    pub settle_days: SettleDays,
    pub months: Months,
    pub force: bool,
    pub allow_incomplete_month: bool,
    /// Write the archived months as Parquet as well, after the exports.
    pub compact: bool,
    pub entries: Vec<Entry>,
    pub warnings: Vec<Warning>,
}

/// The months that an input names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Months {
    Due,
    Only(Month),
    Since(Month),
}

impl RunInput {
    const FIELDS: [&str; 11] = [
        "s3BucketName",
        "s3Prefix",
        "timezone",
        "scheduledTime",
        "month",
        "since",
        "settleDays",
        "force",
        "allowIncompleteMonth",
        "compact",
        "logGroups",
    ];

    /// Reads the input of an execution. Every problem is named, not only the first.
    pub fn parse(value: &Value, stack: &Stack) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(value, "the input", &mut problems) else { return problems.into_result(None) };
        fields.refuse_unknown(&Self::FIELDS, &mut problems);
        fields.require("logGroups", &mut problems);
        for name in ["month", "since", "force", "allowIncompleteMonth"] {
            if fields.has("scheduledTime") && fields.has(name) {
                problems.add_text(|| {
                    format!("{name} is given together with scheduledTime: a scheduled run fixes its months itself; leave one of them out")
                });
            }
        }
        if fields.has("month") && fields.has("since") {
            problems.add_text(|| "since is given together with month: leave one of them out".to_owned());
        }
        let only = fields.text("month", names::month, &mut problems).map(Months::Only);
        let since = fields.text("since", names::month, &mut problems).map(Months::Since);
        let mut run = Self {
            bucket: fields.text("s3BucketName", BucketName::parse, &mut problems).unwrap_or_else(|| stack.bucket.clone()),
            s3_prefix: fields.text("s3Prefix", Prefix::parse, &mut problems).unwrap_or_else(|| stack.s3_prefix.clone()),
            timezone: fields.text("timezone", names::timezone, &mut problems).unwrap_or(stack.timezone),
            scheduled_time: fields.text("scheduledTime", names::instant, &mut problems),
            settle_days: fields.settle_days("settleDays", &mut problems).unwrap_or(stack.settle_days),
            months: only.or(since).unwrap_or(Months::Due),
            force: fields.flag("force", &mut problems),
            allow_incomplete_month: fields.flag("allowIncompleteMonth", &mut problems),
            compact: fields.flag("compact", &mut problems),
            entries: Vec::new(),
            warnings: Vec::new(),
        };
        let entries = read_entries(&fields, stack, &mut problems);
        if problems.is_empty() {
            run.take_entries(entries, &mut problems);
        }
        problems.into_result(Some(run))
    }

    /// An entry that is given twice counts once. Two named entries of one place would export the same events twice.
    fn take_entries(&mut self, entries: Vec<Entry>, problems: &mut Problems) {
        let mut holders: HashMap<(String, Option<Destination>), (usize, Entry)> = HashMap::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let key = match &entry.selector {
                Selector::Name(name) => match entry.source(name.clone(), &self.bucket, &self.s3_prefix).destination() {
                    Ok(destination) => (format!("={name}"), Some(destination)),
                    Err(problem) => {
                        problems.add_text(|| format!("logGroups[{index}] is {:?}: {problem}", name.as_str()));
                        continue;
                    }
                },
                Selector::Prefix { log_group_name_prefix: prefix, .. } => {
                    let s3_prefix = entry.s3_prefix.as_ref().unwrap_or(&self.s3_prefix);
                    let template = entry.destination_prefix.as_ref().unwrap_or(&destination::DEFAULT);
                    (format!("{prefix}* {s3_prefix} {template:?}"), None)
                }
            };
            match holders.get(&key) {
                Some((first, same)) if *same == entry => {
                    let message = format!("logGroups[{index}] is the same as logGroups[{first}], and counts once");
                    self.warnings.push(Warning::new(WarningName::EntryRepeated, message));
                }
                Some((first, _)) => problems.add_text(|| {
                    format!(
                        "logGroups[{first}] and logGroups[{index}] would write to the same place: remove one, or give one another s3Prefix"
                    )
                }),
                None => {
                    holders.insert(key, (index, entry.clone()));
                    self.entries.push(entry);
                }
            }
        }
    }

    pub fn due_month(&self, start: DateTime<Utc>) -> Month {
        Month::due(self.scheduled_time.unwrap_or(start), self.timezone, self.settle_days)
    }

    /// Fixes what the run looks at. `last` is the due month of the last scheduled run that compared everything; `overtaken`: a report of
    /// a scheduled run with a later scheduled time exists.
    pub fn looks(&mut self, start: DateTime<Utc>, last: Option<Month>, overtaken: bool) -> Result<Looks, ExportError> {
        if overtaken && self.scheduled_time.take().is_some() {
            let message = "scheduledTime is older than that of a scheduled run that has ended: this run counts as one by hand";
            self.warnings.push(Warning::new(WarningName::ScheduledTimeOvertaken, message));
        }
        // A run ahead of its time would overtake every run of the schedule until then.
        if let Some(time) = self.scheduled_time.filter(|time| *time > start + CLOCK_SKEW) {
            let (time, start) = (format_instant(time), format_instant(start));
            let message = format!("scheduledTime is \"{time}\": the run started before it, at {start}; leave it out, and name the month");
            return Err(ExportError::new(ErrorName::MonthNotComplete, message));
        }
        let due = self.due_month(start);
        let mut months: Vec<Look> = Vec::new();
        if self.scheduled_time.is_some() {
            let first = last.unwrap_or(due).min(due);
            for month in newest_first(first, due).take(MOST_MONTHS) {
                match self.look(month, start) {
                    Ok(look) => months.push(look),
                    Err(error) => self.warnings.push(Warning::new(WarningName::MonthNotComplete, error.message)),
                }
            }
            // A hole that a changed time zone left.
            months.extend(self.look(first.previous(), start).ok().map(|look| Look { after_first_covered: true, ..look }));
            return Ok(Looks { is_scheduled: true, due_month: due, months });
        }
        let first = match self.months {
            Months::Due => due,
            Months::Only(month) => return Ok(Looks { is_scheduled: false, due_month: due, months: vec![self.look(month, start)?] }),
            Months::Since(month) if month > due => {
                self.look(month, start)?;
                let message = format!("since is \"{month}\": it reaches to {due}, the due month; name a later month with month instead");
                return Err(ExportError::new(ErrorName::InvalidInput, message));
            }
            Months::Since(month) => month,
        };
        let months: Vec<Month> = newest_first(first, due).take(MOST_MONTHS + 1).collect();
        if months.len() > MOST_MONTHS {
            let message = format!("since is \"{first}\": a run looks at {MOST_MONTHS} months at most; start several, each of one month");
            return Err(ExportError::new(ErrorName::InvalidInput, message));
        }
        let months = months.into_iter().map(|month| self.look(month, start)).collect::<Result<_, _>>()?;
        Ok(Looks { is_scheduled: false, due_month: due, months })
    }

    fn look(&self, month: Month, start: DateTime<Utc>) -> Result<Look, ExportError> {
        let window = window_of(month, self.timezone, start, self.settle_days, self.allow_incomplete_month)?;
        Ok(Look { month, window, after_first_covered: false })
    }
}

fn newest_first(first: Month, last: Month) -> impl Iterator<Item = Month> {
    std::iter::successors(Some(last), |month| Some(month.previous())).take_while(move |month| *month >= first)
}

/// What a run looks at for each of its log groups, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    pub is_scheduled: bool,
    pub due_month: Month,
    pub months: Vec<Look>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub month: Month,
    pub window: Window,
    pub after_first_covered: bool,
}

/// The window of `month`, if it is over and has settled; with `allow_incomplete`, as much of it as is over. `start` is when the run really
/// started, whatever `scheduledTime` says.
pub fn window_of(
    month: Month,
    timezone: Tz,
    start: DateTime<Utc>,
    settle_days: SettleDays,
    allow_incomplete: bool,
) -> Result<Window, ExportError> {
    let window = Window::of(month, timezone);
    let refuse = |reason: String| Err(ExportError::new(ErrorName::MonthNotComplete, format!("month {month} in {timezone} {reason}")));
    if start >= window.settled_at(settle_days) || (allow_incomplete && start >= window.complete_at()) {
        return Ok(window);
    }
    if !allow_incomplete {
        let delay = "data may take 12 hours to become exportable";
        let (why, fewer_days) = match settle_days.days() {
            0 => (format!("and {delay}"), ""),
            days => (format!("{delay}, and settleDays is {days}"), ", give fewer settleDays"),
        };
        return refuse(format!(
            "is complete from {} on (it ends at {}, {why}), but the run started at {}: \
             start the run later, name an earlier month{fewer_days}, or set allowIncompleteMonth to true",
            format_instant(window.settled_at(settle_days)),
            format_instant(window.end()),
            format_instant(start)
        ));
    }
    let to = Millis(Millis::of(start - SETTLING_TIME).0 - 1);
    if to < window.from {
        return refuse(format!("had not begun 12 hours before the run's start at {}: name an earlier month", format_instant(start)));
    }
    Ok(Window { to, ..window })
}

fn read_entries(fields: &Fields, stack: &Stack, problems: &mut Problems) -> Vec<Entry> {
    let Some(value) = fields.get("logGroups") else { return Vec::new() };
    match value.as_array() {
        Some(list) if list.is_empty() => problems.add("logGroups", value, "name at least one log group"),
        None => problems.add("logGroups", value, "give a list of log groups, such as [\"/aws/lambda/orders\"]"),
        Some(list) => {
            let entries = list.iter().enumerate();
            return entries.filter_map(|(index, entry)| Entry::read(entry, &format!("logGroups[{index}]"), stack, problems)).collect();
        }
    }
    Vec::new()
}

/// The entries that a log group is archived by: all those that match it best.
pub fn best_entries<'a>(entries: &'a [Entry], name: &LogGroupName) -> Vec<&'a Entry> {
    let best = entries.iter().filter_map(|entry| entry.rank(name)).max();
    entries.iter().filter(|entry| best.is_some() && entry.rank(name) == best).collect()
}

/// The time that a run may use to start windows.
pub const RUN_TIME_LIMIT: TimeDelta = TimeDelta::hours(20);

#[cfg(test)]
mod tests;
