//! A run's input, checked before anything is exported, and the months that the run compares.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    BucketName, ErrorName, ExportError, LogGroupName, Month, Prefix, SettleDays, Window,
    destination::{DEFAULT_TEMPLATE, Destination},
    entry::{Entry, Selector},
    fields::Fields,
    names,
    place::Stack,
    problems::Problems,
    time::{Millis, format_instant},
    warning::Warning,
    window::{CLOCK_SKEW, SETTLING_TIME},
};

/// Ten years. More months need several runs.
const MAX_MONTHS: usize = 120;

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
    /// Also write the archived months as Parquet, after the exports.
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

    /// Parses the input of an execution. The error names every problem.
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
        let only = fields.text("month", names::parse_month, &mut problems).map(Months::Only);
        let since = fields.text("since", names::parse_month, &mut problems).map(Months::Since);
        let mut run = Self {
            bucket: fields.text("s3BucketName", BucketName::parse, &mut problems).unwrap_or_else(|| stack.bucket.clone()),
            s3_prefix: fields.text("s3Prefix", Prefix::parse, &mut problems).unwrap_or_else(|| stack.s3_prefix.clone()),
            timezone: fields.text("timezone", names::parse_timezone, &mut problems).unwrap_or(stack.timezone),
            scheduled_time: fields.text("scheduledTime", names::parse_instant, &mut problems),
            settle_days: fields.settle_days("settleDays", &mut problems).unwrap_or(stack.settle_days),
            months: only.or(since).unwrap_or(Months::Due),
            force: fields.flag("force", &mut problems),
            allow_incomplete_month: fields.flag("allowIncompleteMonth", &mut problems),
            compact: fields.flag("compact", &mut problems),
            entries: Vec::new(),
            warnings: Vec::new(),
        };
        let entries = parse_entries(&fields, stack, &mut problems);
        if problems.is_empty() {
            run.add_entries(entries, &mut problems);
        }
        problems.into_result(Some(run))
    }

    /// An entry that is given twice counts once. Two different entries of one place are refused: they would export events twice.
    fn add_entries(&mut self, entries: Vec<Entry>, problems: &mut Problems) {
        // Of each place, the index in the input and in the entries that count.
        let mut by_place: HashMap<(String, Option<Destination>), (usize, usize)> = HashMap::with_capacity(entries.len());
        self.entries.reserve_exact(entries.len());
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
                    let template = entry.destination_template.as_ref().unwrap_or(&DEFAULT_TEMPLATE);
                    (format!("{prefix}* {s3_prefix} {template:?}"), None)
                }
            };
            match by_place.get(&key) {
                Some((first, position)) if self.entries[*position] == entry => {
                    self.warnings.push(Warning::entry_repeated(index, *first));
                }
                Some((first, _)) => problems.add_text(|| {
                    format!(
                        "logGroups[{first}] and logGroups[{index}] would write to the same place: remove one, or give one another s3Prefix"
                    )
                }),
                None => {
                    by_place.insert(key, (index, self.entries.len()));
                    self.entries.push(entry);
                }
            }
        }
    }

    pub fn due_month(&self, start: DateTime<Utc>) -> Month {
        Month::due(self.scheduled_time.unwrap_or(start), self.timezone, self.settle_days)
    }

    /// Fixes the months that the run compares. `last`: the due month of the last scheduled run that compared everything. `is_overtaken`: a
    /// scheduled run with a later scheduled time has ended.
    pub fn determine_scope(&mut self, start: DateTime<Utc>, last: Option<Month>, is_overtaken: bool) -> Result<RunScope, ExportError> {
        if is_overtaken && self.scheduled_time.take().is_some() {
            self.warnings.push(Warning::scheduled_time_overtaken());
        }
        // With a scheduledTime in the future, the run would overtake all runs of the schedule until then.
        if let Some(time) = self.scheduled_time.filter(|time| *time > start + CLOCK_SKEW) {
            let (time, start) = (format_instant(time), format_instant(start));
            let message = format!("scheduledTime is \"{time}\": the run started before it, at {start}; leave it out, and name the month");
            return Err(ExportError::new(ErrorName::MonthNotComplete, message));
        }
        let due = self.due_month(start);
        let mut months: Vec<MonthToCompare> = Vec::new();
        if self.scheduled_time.is_some() {
            let first = last.unwrap_or(due).min(due);
            for month in newest_first(first, due).take(MAX_MONTHS) {
                match self.month_to_compare(month, start) {
                    Ok(month) => months.push(month),
                    Err(error) => self.warnings.push(Warning::month_not_complete(error)),
                }
            }
            // The gap that a changed time zone left.
            let before = self.month_to_compare(first.previous(), start).ok();
            months.extend(before.map(|month| MonthToCompare { after_first_covered: true, ..month }));
            return Ok(RunScope { is_scheduled: true, due_month: due, months });
        }
        let first = match self.months {
            Months::Due => due,
            Months::Only(month) => {
                return Ok(RunScope { is_scheduled: false, due_month: due, months: vec![self.month_to_compare(month, start)?] });
            }
            Months::Since(month) if month > due => {
                self.month_to_compare(month, start)?;
                let message = format!(
                    "since is \"{month}\": it must not be later than {due}, the due month; to export a later month, give month instead"
                );
                return Err(ExportError::new(ErrorName::InvalidInput, message));
            }
            Months::Since(month) => month,
        };
        let months: Vec<Month> = newest_first(first, due).take(MAX_MONTHS + 1).collect();
        if months.len() > MAX_MONTHS {
            let message =
                format!("since is \"{first}\": a run compares {MAX_MONTHS} months at most; start several runs, each with one month");
            return Err(ExportError::new(ErrorName::InvalidInput, message));
        }
        let months = months.into_iter().map(|month| self.month_to_compare(month, start)).collect::<Result<_, _>>()?;
        Ok(RunScope { is_scheduled: false, due_month: due, months })
    }

    fn month_to_compare(&self, month: Month, start: DateTime<Utc>) -> Result<MonthToCompare, ExportError> {
        let window = window_of(month, self.timezone, start, self.settle_days, self.allow_incomplete_month)?;
        Ok(MonthToCompare { month, window, after_first_covered: false })
    }
}

fn newest_first(first: Month, last: Month) -> impl Iterator<Item = Month> {
    std::iter::successors(Some(last), |month| Some(month.previous())).take_while(move |month| *month >= first)
}

/// The months that a run compares for each of its log groups, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunScope {
    pub is_scheduled: bool,
    pub due_month: Month,
    pub months: Vec<MonthToCompare>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthToCompare {
    pub month: Month,
    pub window: Window,
    /// Only the gap after the first covered millisecond, which a changed time zone left.
    pub after_first_covered: bool,
}

/// The window of `month`, if the month is complete and `settle_days` have passed. With `allow_incomplete`, the complete part of it. `start`
/// is when the run really started, whatever `scheduledTime` is.
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
        let delay = format!("events may take {} hours to become exportable", SETTLING_TIME.num_hours());
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
        let hours = SETTLING_TIME.num_hours();
        return refuse(format!("had not begun {hours} hours before the run's start at {}: name an earlier month", format_instant(start)));
    }
    Ok(Window { to, ..window })
}

fn parse_entries(fields: &Fields, stack: &Stack, problems: &mut Problems) -> Vec<Entry> {
    let Some(value) = fields.get("logGroups") else { return Vec::new() };
    match value.as_array() {
        Some(list) if list.is_empty() => problems.add("logGroups", value, "name at least one log group"),
        None => problems.add("logGroups", value, "give a list of log groups, such as [\"/aws/lambda/orders\"]"),
        Some(list) => {
            let entries = list.iter().enumerate();
            return entries.filter_map(|(index, entry)| Entry::parse(entry, &format!("logGroups[{index}]"), stack, problems)).collect();
        }
    }
    Vec::new()
}

/// The entries that apply to a log group: all that match it best.
pub fn best_entries<'a>(entries: &'a [Entry], name: &LogGroupName) -> Vec<&'a Entry> {
    let best = entries.iter().filter_map(|entry| entry.rank(name)).max();
    entries.iter().filter(|entry| best.is_some() && entry.rank(name) == best).collect()
}

/// A run starts no window after this time.
pub const RUN_TIME_LIMIT: TimeDelta = TimeDelta::hours(20);

#[cfg(test)]
mod tests;
