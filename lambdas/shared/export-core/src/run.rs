//! A run: the input of one execution, checked as a whole before anything is exported.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use crate::{
    ErrorName, ExportError, Month, Window,
    entry::{Entry, excludes_name, excludes_prefix},
    fields::Fields,
    names,
    problems::Problems,
    time::format_instant,
};

pub const DEFAULT_TIMEZONE: Tz = chrono_tz::Asia::Tokyo;

/// What a run says about all its entries; an event of `create-export-task` carries the same fields for its one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub s3_bucket_name: String,
    pub s3_prefix: String,
    pub timezone: Tz,
    pub month: Option<Month>,
    pub scheduled_time: Option<DateTime<Utc>>,
    pub force: bool,
    pub allow_incomplete_month: bool,
}

impl Settings {
    pub(crate) const FIELDS: [&str; 7] =
        ["s3BucketName", "s3Prefix", "timezone", "month", "scheduledTime", "force", "allowIncompleteMonth"];

    /// `None` only together with a problem.
    pub(crate) fn read(fields: &Fields, problems: &mut Problems) -> Option<Self> {
        fields.require("s3BucketName", problems);
        let s3_bucket_name = fields.text("s3BucketName", names::bucket, problems);
        let settings = Self {
            s3_bucket_name: String::new(),
            s3_prefix: fields.text("s3Prefix", names::s3_prefix, problems).unwrap_or_default(),
            timezone: fields.text("timezone", names::timezone, problems).unwrap_or(DEFAULT_TIMEZONE),
            month: fields.text("month", names::month, problems),
            scheduled_time: fields.text("scheduledTime", names::instant, problems),
            force: fields.flag("force", problems),
            allow_incomplete_month: fields.flag("allowIncompleteMonth", problems),
        };
        s3_bucket_name.map(|s3_bucket_name| Self { s3_bucket_name, ..settings })
    }

    /// The month to export: as given, else the one before `scheduledTime`, else the one before the execution's start.
    /// "Before" is counted on the wall calendar of the time zone: until 09:00 on the 1st, Tokyo is in a month that UTC
    /// has not reached.
    pub fn resolve_month(&self, start_time: DateTime<Utc>) -> Month {
        self.month.unwrap_or_else(|| Month::at(self.scheduled_time.unwrap_or(start_time), self.timezone).previous())
    }

    /// The window of `month`, if it is over for long enough. `start_time` is when the execution really started, whatever
    /// `scheduledTime` says.
    pub fn window(&self, month: Month, start_time: DateTime<Utc>) -> Result<Window, ExportError> {
        let window = Window::of(month, self.timezone);
        let refuse =
            |reason: String| Err(ExportError::new(ErrorName::MonthNotComplete, format!("month {month} in {} {reason}", self.timezone)));
        if start_time < window.complete_at() && !self.allow_incomplete_month {
            return refuse(format!(
                "is complete from {} on (it ends at {}, and data may take 12 hours to become exportable), but the run started at {}: start the run \
                 later, name an earlier month, or set allowIncompleteMonth to true",
                format_instant(window.complete_at()),
                format_instant(window.end()),
                format_instant(start_time)
            ));
        }
        if start_time.timestamp_millis() <= window.from {
            return refuse(format!("has not begun when the run starts at {}: name an earlier month", format_instant(start_time)));
        }
        Ok(window)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInput {
    pub settings: Settings,
    /// Write the archived month as Parquet as well, after the exports.
    pub compact: bool,
    pub entries: Vec<Entry>,
}

impl RunInput {
    /// Reads the input of an execution. Every problem is named, not only the first.
    pub fn parse(value: &Value) -> Result<Self, ExportError> {
        let mut problems = Problems::default();
        let Some(fields) = Fields::top(value, "the input", &mut problems) else { return problems.into_result(None) };
        fields.refuse_unknown(&[&Settings::FIELDS[..], &["compact", "logGroups"]].concat(), &mut problems);
        fields.require("logGroups", &mut problems);
        let settings = Settings::read(&fields, &mut problems);
        let compact = fields.flag("compact", &mut problems);
        let entries = read_entries(&fields, &mut problems);
        let run = settings.map(|settings| Self { settings, compact, entries });
        if let Some(run) = run.as_ref().filter(|_| problems.is_empty()) {
            run.find_collisions(&mut problems);
        }
        problems.into_result(run)
    }

    /// Two entries that write to one place would overwrite each other's manifest and export events twice.
    fn find_collisions(&self, problems: &mut Problems) {
        // Any month will do: a template without the month is refused where it is read.
        let month = Month::new(2026, 1).expect("January is a month");
        let mut places: Vec<(String, Vec<String>)> = Vec::new();
        let mut index_of = std::collections::HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let Entry::LogGroup { log_group_name, placement } = entry else { continue };
            match placement.render(&self.settings.s3_prefix, log_group_name, month) {
                Ok(place) => {
                    let at = *index_of.entry(place.clone()).or_insert(places.len());
                    if at == places.len() {
                        places.push((place, Vec::new()));
                    }
                    places[at].1.push(format!("logGroups[{index}]"));
                }
                Err(problem) => problems.say(|| format!("logGroups[{index}] is {log_group_name:?}: {problem}")),
            }
        }
        for (place, entries) in places.into_iter().filter(|(_, entries)| entries.len() > 1) {
            problems.say(|| {
                format!(
                    "{} would write to the same place (in {month}: {place:?}): remove all but one, or give them different s3Prefix values",
                    list(&entries)
                )
            });
        }
        self.find_overlaps(problems);
    }

    /// What a prefix entry matches is only known when it is expanded, so it must not be able to match what another entry
    /// names.
    fn find_overlaps(&self, problems: &mut Problems) {
        for (index, entry) in self.entries.iter().enumerate() {
            let Entry::Prefix { log_group_name_prefix: prefix, exclude, .. } = entry else { continue };
            for (other_index, other) in self.entries.iter().enumerate() {
                let (name, is_prefix) = match other {
                    Entry::LogGroup { log_group_name, .. } => (log_group_name, false),
                    Entry::Prefix { log_group_name_prefix, .. } => (log_group_name_prefix, true),
                };
                // Equal prefixes, and a prefix and itself, meet each other more than once.
                let met_before = is_prefix && name == prefix && other_index <= index;
                if !name.starts_with(prefix.as_str()) || met_before {
                    continue;
                }
                let (pattern, covers): (_, fn(&str, &str) -> bool) =
                    if is_prefix { (format!("{name}*"), excludes_prefix) } else { (name.clone(), excludes_name) };
                if !exclude.iter().any(|excluded| covers(excluded, name)) {
                    problems.say(|| {
                        format!(
                            "logGroups[{index}].logGroupNamePrefix is {prefix:?} and also matches {name:?} of logGroups[{other_index}], which would be \
                             exported twice: remove one of the two, or add {pattern:?} to logGroups[{index}].exclude"
                        )
                    });
                }
            }
        }
    }
}

fn read_entries(fields: &Fields, problems: &mut Problems) -> Vec<Entry> {
    let Some(value) = fields.get("logGroups") else { return Vec::new() };
    match value.as_array() {
        Some(list) if list.is_empty() => problems.add("logGroups", value, "name at least one log group"),
        None => problems.add("logGroups", value, "give a list of log groups, such as [\"/aws/lambda/orders\"]"),
        Some(list) => {
            return list
                .iter()
                .enumerate()
                .filter_map(|(index, entry)| Entry::read(entry, &format!("logGroups[{index}]"), problems))
                .collect();
        }
    }
    Vec::new()
}

/// `a, b and c`, and for long lists the first few and their number.
fn list(entries: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = entries.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if entries.len() > SHOWN { format!("{shown} and {} more", entries.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests;
