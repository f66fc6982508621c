//! A case: the evidence for October 2026 in Tokyo, and its verdicts as one text.

use serde_json::{Value, json};

use super::super::*;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    StreamPrefix, TaskId,
    manifest::{Content, FolderContents},
    place::{Place, stack},
    target::Target,
};

pub const NO_LIMIT: LogGroup =
    LogGroup::Present { created: None, retention_in_days: None, retention_policy: None, is_exportable: true, stored_bytes: None };
pub const ONE_DAY: LogGroup =
    LogGroup::Present { created: None, retention_in_days: Some(1), retention_policy: None, is_exportable: true, stored_bytes: None };
pub const INFREQUENT: LogGroup =
    LogGroup::Present { created: None, retention_in_days: None, retention_policy: None, is_exportable: false, stored_bytes: None };

/// Log stream folders with their bytes.
pub type Streams<'a> = &'a [(&'a str, u64)];

pub fn october() -> Window {
    Window::of("2026-10".parse().unwrap(), stack().timezone)
}

/// From one hour after the month's start to another, which is excluded. October has 744 hours.
pub fn hours(from: i64, to: i64) -> Window {
    let at = |hours| october().from + TimeDelta::hours(hours);
    Window { from: at(from), to: Millis(at(to).0 - 1) }
}

pub fn place() -> Place {
    let log_group = crate::LogGroupName::parse("/a").unwrap();
    let destination = crate::destination::DEFAULT_TEMPLATE.render(&stack().s3_prefix, &log_group).unwrap();
    stack().place(stack().bucket, log_group, destination)
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn folder(streams: Streams) -> FolderContents {
    let bytes = streams.iter().map(|(_, bytes)| bytes).sum();
    let streams = streams.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
    FolderContents { objects: if bytes == 0 { 0 } else { 2 }, hidden_objects: 0, bytes, digest: "d".into(), streams }
}

pub fn created(at: Millis) -> LogGroup {
    LogGroup::Present { created: Some(at), retention_in_days: None, retention_policy: None, is_exportable: true, stored_bytes: None }
}

/// A manifest in the archive, with its task's folder.
pub struct StoredManifest {
    month: &'static str,
    window: Window,
    json: Value,
    folder: FolderContents,
}

/// A valid manifest of a task that wrote these streams; without streams, it is `empty`.
pub fn wrote(from: i64, to: i64, streams: Streams) -> StoredManifest {
    let (window, folder) = (hours(from, to), folder(streams));
    let json = json!({
        "schema_version": 2, "outcome": if streams.is_empty() { "empty" } else { "exported" }, "reason": null, "account": "111122223333",
        "region": "ap-northeast-1", "bucket": "my-archive", "log_group": "/a", "log_stream_name_prefix": null, "timezone": "Asia/Tokyo",
        "window_from": window.from, "window_to": window.to, "destination_prefix": "logs/log_group=/a/year=2026/month=10", "task_id": "t-old",
        "objects": folder.objects, "hidden_objects": 0, "bytes": folder.bytes, "digest": "d", "created": "2026-11-01T04:00:00.000Z",
        "completed": "2026-11-01T04:01:00.000Z", "execution": "arn:other", "warnings": [{"name": "NewInAnotherVersion", "message": "m"}],
    });
    StoredManifest { month: "2026-10", window, json, folder }
}

pub fn exported() -> StoredManifest {
    wrote(0, 744, &[("a", 1000)])
}

pub fn empty() -> StoredManifest {
    wrote(0, 744, &[])
}

/// A lost month with these remaining objects.
pub fn lost_damaged(streams: Streams) -> StoredManifest {
    wrote(0, 744, streams).with(json!({"outcome": "lost", "reason": "Damaged"}))
}

pub fn lost() -> StoredManifest {
    empty().with(json!({"outcome": "lost", "reason": "Expired", "task_id": null}))
}

pub fn skipped() -> StoredManifest {
    empty().with(json!({"outcome": "skipped", "reason": "NoEventsInMonth", "task_id": null}))
}

impl StoredManifest {
    pub fn with(mut self, changes: Value) -> Self {
        self.json.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self
    }

    /// The task's folder has only this now.
    pub fn damaged(self, streams: Streams) -> Self {
        Self { folder: folder(streams), ..self }
    }

    pub fn of_streams(self, prefix: &str) -> Self {
        self.with(json!({"log_stream_name_prefix": prefix}))
    }

    pub fn of_september(self) -> Self {
        Self { month: "2026-09", ..self }.with(json!({"destination_prefix": "logs/log_group=/a/year=2026/month=09"}))
    }

    pub fn wrong(self) -> Self {
        self.with(json!({"schema_version": 1}))
    }

    fn key(&self) -> ManifestKey {
        ManifestKey { place: place().hash(), month: self.month.parse().unwrap(), window: self.window }
    }

    pub fn found(self, now: DateTime<Utc>) -> FoundManifest {
        let key = self.key();
        let content = match self.json {
            Value::Null => Content::Unreadable("GetObject answered AccessDenied: no".into()),
            json => Content::parse(json.to_string().as_bytes(), &place(), &key, now).with_folder(self.folder),
        };
        FoundManifest { key, etag: String::new(), content }
    }
}

pub fn denied() -> StoredManifest {
    StoredManifest { json: Value::Null, ..exported() }
}

pub struct Case {
    stream_prefix: Option<StreamPrefix>,
    force_since: Option<&'static str>,
    after_first_covered: bool,
    planned_since: Option<&'static str>,
    history: WindowHistory,
    now: &'static str,
    pub evidence: Evidence,
}

pub fn given<const N: usize>(manifests: [StoredManifest; N]) -> Case {
    let found = manifests.into_iter().map(|manifest| manifest.found(instant("2026-11-02T00:00:00Z"))).collect();
    let evidence = Evidence { manifests: Some(found), ..Evidence::default() };
    Case {
        stream_prefix: None,
        force_since: None,
        after_first_covered: false,
        planned_since: None,
        history: WindowHistory::default(),
        now: "2026-11-02T00:00:00Z",
        evidence,
    }
}

/// The window may have events, and no run has seen the log group.
pub fn given_events<const N: usize>(manifests: [StoredManifest; N]) -> Case {
    given(manifests).group(NO_LIMIT).newest(NewestEvent::Unknown).unseen()
}

impl Case {
    pub fn group(mut self, log_group: LogGroup) -> Self {
        self.evidence.log_group = Some(log_group);
        self
    }

    pub fn newest(mut self, newest: NewestEvent) -> Self {
        self.evidence.newest_event = Some(newest);
        self
    }

    pub fn unseen(mut self) -> Self {
        self.evidence.oldest_task = Some(None);
        self
    }

    /// A task's manifest proves it.
    pub fn seen_since(mut self, since: &str) -> Self {
        self.evidence.oldest_task = Some(Some(instant(since)));
        self
    }

    /// The report of a scheduled run proves it.
    pub fn found_at(mut self, at: &str) -> Self {
        self.history.seen_since = Some(instant(at));
        self.unseen()
    }

    /// An open window of an earlier run.
    pub fn open_since(mut self, since: &str) -> Self {
        self.history = WindowHistory { is_open: true, seen_since: Some(instant(since)) };
        self.unseen()
    }

    pub fn planned_since(self, start: &'static str) -> Self {
        Self { planned_since: Some(start), ..self }
    }

    pub fn has_stream(mut self, has_stream: bool) -> Self {
        self.evidence.has_stream = Some(has_stream);
        self
    }

    pub fn event_search(mut self, event_search: EventSearch) -> Self {
        self.evidence.event_search = Some(event_search);
        self
    }

    /// Task t-new is COMPLETED. If it wrote nothing, the window has no event.
    pub fn exports(self, streams: Streams) -> Self {
        self.exports_as("t-new", streams).event_search(EventSearch::None)
    }

    pub fn exports_as(mut self, task_id: &str, streams: Streams) -> Self {
        let created = Some(Millis::of(instant("2026-11-01T05:00:00Z")));
        self.evidence.export = Some(CompletedExport { task_id: TaskId::parse(task_id).unwrap(), folder: folder(streams), created });
        self
    }

    pub fn of_streams(self, prefix: &str) -> Self {
        Self { stream_prefix: Some(StreamPrefix::parse(prefix).unwrap()), ..self }
    }

    pub fn forced_since(self, start: &'static str) -> Self {
        Self { force_since: Some(start), ..self }
    }

    pub fn after_first_covered(self) -> Self {
        Self { after_first_covered: true, ..self }
    }

    pub fn at(self, now: &'static str) -> Self {
        Self { now, ..self }
    }

    pub fn target(&self) -> Target {
        Target { place: place(), stream_prefix: self.stream_prefix.clone(), month: "2026-10".parse().unwrap(), window: october() }
    }

    pub fn question<'a>(&self, target: &'a Target) -> Question<'a> {
        Question {
            target,
            after_first_covered: self.after_first_covered,
            force_since: self.force_since.map(instant),
            planned_since: self.planned_since.map(instant),
            history: self.history,
            now: instant(self.now),
        }
    }

    fn verdicts(&self) -> String {
        let target = self.target();
        match decide(&self.question(&target), &self.evidence) {
            Ok(decisions) => decisions.iter().map(describe).collect::<Vec<_>>().join(" | "),
            Err(need) => format!("needs {need:?}"),
        }
    }
}

/// Describes a decision. October 2026 as a whole is not named.
fn describe(decision: &Decision) -> String {
    let hour = |at: Millis| (at - october().from).num_hours();
    let range = |window: Window| format!("{}..{}", hour(window.from), hour(Millis(window.to.0 + 1)));
    let verdict = match &decision.verdict {
        Verdict::Write { outcome, replaces, warnings } => {
            let replaces = replaces.iter().map(|key| format!(", replaces {}", range(key.window)));
            let warnings = warnings.iter().map(|warning| format!(", {:?}: {}", warning.name, warning.message));
            format!("Write({outcome:?}){}", replaces.chain(warnings).collect::<String>())
        }
        Verdict::Export(KnownGaps { warnings, .. }) => {
            let warnings = warnings.iter().map(|warning| format!(", {:?}: {}", warning.name, warning.message));
            format!("Export{}", warnings.collect::<String>())
        }
        Verdict::Warn(warning) => format!("{:?}: {}", warning.name, warning.message),
        Verdict::Fail(error) => error.to_string(),
        other => format!("{other:?}"),
    };
    let month = Some(decision.month.to_string()).filter(|month| month != "2026-10");
    let window = Some(range(decision.window)).filter(|_| decision.window != october());
    month.into_iter().chain(window).chain([verdict]).collect::<Vec<_>>().join(" ")
}

/// Three dots in `expected` stand for any text.
#[track_caller]
pub fn check<const N: usize>(cases: [(&str, Case, &str); N]) {
    for (name, case, expected) in cases {
        let verdicts = case.verdicts();
        let mut rest = Some(verdicts.as_str());
        for (index, part) in expected.split("...").enumerate() {
            rest = rest.and_then(|rest| rest.find(part).filter(|at| index > 0 || *at == 0).map(|at| &rest[at + part.len()..]));
        }
        let fits = rest.is_some_and(|rest| rest.is_empty() || expected.ends_with("..."));
        assert!(fits, "{name}\nverdicts: {verdicts}\nexpected: {expected}");
    }
}
