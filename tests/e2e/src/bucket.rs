//! The archive bucket: what lies there, what the table and the view say of it, and what a person does to it.

use std::collections::BTreeMap;

use local_aws::stored_objects::StoredObject;
use serde_json::{Value, json};

use crate::{Archive, FROM, S3_PREFIX, TO, place};

impl Archive {
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.local.sdk_config()).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// The keys below a prefix of the archive bucket.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        self.keys_in(&self.stack.bucket, prefix).await
    }

    pub async fn keys_in(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.local.keys(bucket, prefix).await.expect("the bucket can be listed")
    }

    /// The text of an object, unpacked.
    pub async fn text(&self, key: &str) -> String {
        let body = self.local.read_object(&self.stack.bucket, key).await.expect("the object can be read");
        let object = StoredObject { key: key.to_owned(), body };
        let body = if key.ends_with(".gz") { object.gunzip().expect("the object is gzip") } else { object.body };
        String::from_utf8(body).expect("the tests write UTF-8")
    }

    pub async fn json(&self, key: &str) -> Value {
        serde_json::from_str(&self.text(key).await).expect("the object is JSON")
    }

    /// The objects below a prefix with their text, by the rest of the key.
    pub async fn stored(&self, prefix: &str) -> BTreeMap<String, String> {
        let mut stored = BTreeMap::new();
        for key in self.keys(prefix).await {
            stored.insert(key[prefix.len()..].to_owned(), self.text(&key).await);
        }
        stored
    }

    /// Objects with events of a log group's month, all tasks'.
    pub async fn data_keys(&self, log_group: &str) -> Vec<String> {
        let keys = self.keys(&format!("{}/", place(S3_PREFIX, log_group))).await;
        keys.into_iter().filter(|key| key.ends_with(".gz")).collect()
    }

    pub async fn put(&self, key: &str, text: impl Into<Vec<u8>>) {
        self.local.write_object(&self.stack.bucket, key, text).await.expect("the object is stored");
    }

    pub async fn delete(&self, keys: &[String]) {
        for key in keys {
            self.local.delete_object(&self.stack.bucket, key).await.expect("the object goes");
        }
    }

    /// The manifests of a log group, of all months, with their keys.
    pub async fn manifests(&self, log_group: &str) -> Vec<(String, Value)> {
        let mut manifests = Vec::new();
        for key in self.keys(&format!("{S3_PREFIX}/manifests/")).await {
            let text = self.text(&key).await;
            if let Ok(manifest) = serde_json::from_str::<Value>(&text)
                && manifest["log_group"] == log_group
            {
                manifests.push((key, manifest));
            }
        }
        manifests
    }

    /// The only manifest of a log group.
    pub async fn manifest(&self, log_group: &str) -> (String, Value) {
        let mut manifests = self.manifests(log_group).await;
        assert_eq!(manifests.len(), 1, "{manifests:#?}");
        manifests.remove(0)
    }

    /// The messages of a log group as the view `events` has them, in the order of time.
    pub async fn events(&self, log_group: &str) -> Vec<String> {
        self.events_of(&[log_group.to_owned()]).await.remove(log_group).unwrap_or_default()
    }

    /// The same of several log groups; of one without events there is nothing.
    pub async fn events_of(&self, log_groups: &[String]) -> BTreeMap<String, Vec<String>> {
        let names = log_groups.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT log_group, message FROM events WHERE log_group IN ({names}) ORDER BY event_time, message");
        let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.local.query(&self.stack, &sql).await.expect("the view answers").rows {
            let [Some(log_group), Some(message)] = &row[..] else { panic!("{row:?}") };
            events.entry(log_group.clone()).or_default().push(message.clone());
        }
        events
    }

    /// The report of a run, also of one that failed.
    pub async fn report(&self, execution_arn: &str) -> Value {
        self.local.report(&self.stack.bucket, execution_arn).await.expect("the bucket can be read").expect("the run wrote a report")
    }

    /// The open windows, ordered by log group and time.
    pub async fn open_windows(&self) -> Vec<Value> {
        let mut open = Vec::new();
        for key in self.keys(&format!("{S3_PREFIX}/missing/")).await {
            open.push(self.json(&key).await);
        }
        open.sort_by_key(|open| (open["log_group"].to_string(), open["window_from"].as_i64()));
        open
    }

    /// Removes the reports and the open windows: a scheduled run then is the first ever.
    pub async fn forget_runs(&self) {
        for folder in ["runs", "missing"] {
            let keys = self.keys(&format!("{S3_PREFIX}/{folder}/")).await;
            self.delete(&keys).await;
        }
    }

    /// The month of a log group whose only event is `hello` at [`FROM`] is in the archive: whole, once, and the manifest says so.
    /// Returns the manifest.
    pub async fn assert_archived_once(&self, log_group: &str) -> Value {
        let (_, manifest) = self.manifest(log_group).await;
        let task_id = manifest["task_id"].as_str().expect("the manifest names its task");
        assert_eq!(Some(task_id), self.created(log_group).await.last().map(String::as_str), "the manifest is of the last task");
        let mut stored = self.stored(&format!("{}/", place(S3_PREFIX, log_group))).await;
        // What a person put there, or an earlier task wrote, stays.
        stored.retain(|key, _| key.starts_with(task_id) || !key.contains('/'));
        let expected = [
            (format!("{task_id}/main/000000.gz"), "2024-09-30T15:00:00.000Z hello\n".to_owned()),
            ("aws-logs-write-test".to_owned(), "Permission Check Successful".to_owned()),
        ];
        assert_eq!(stored, expected.into());
        let stated =
            ["schema_version", "outcome", "window_from", "window_to", "objects", "hidden_objects"].map(|field| manifest[field].clone());
        assert_eq!(stated, [json!(2), json!("exported"), json!(FROM), json!(TO), json!(1), json!(0)]);
        manifest
    }
}

/// What a report says of its log-group-months: log group and month, then what became of it, and why.
pub fn decided(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |decided: &Value| {
        let why = [&decided["reason"], &decided["warning"]["name"], &decided["failure"]["error"]].map(text).concat();
        format!("{} {} {} {why}", text(&decided["source"]["logGroupName"]), text(&decided["month"]), text(&decided["became"]))
            .trim_end()
            .to_owned()
    };
    let mut lines: Vec<_> = report["decided"].as_array().expect("a list").iter().map(line).collect();
    lines.sort();
    lines
}
