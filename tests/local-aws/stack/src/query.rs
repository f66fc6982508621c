//! Queries to the stack's Athena, as a client makes them: start, wait, read page by page.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use crate::deploy::Deployment;
use crate::http;
use crate::stack::LocalAws;

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a query answered; `None` is NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
    pub scanned_bytes: u64,
}

impl LocalAws {
    /// Runs a query in the stack's workgroup for people, over the archive's tables and views.
    pub async fn query(&self, stack: &Deployment, sql: &str) -> Result<Answer> {
        let started = json!({ "QueryString": sql, "WorkGroup": stack.work_group, "QueryExecutionContext": { "Database": stack.database } });
        let started = self.athena_call("StartQueryExecution", &started).await?;
        let id = json!({ "QueryExecutionId": started["QueryExecutionId"] });
        let ended = loop {
            let described = self.athena_call("GetQueryExecution", &id).await?;
            match described["QueryExecution"]["Status"]["State"].as_str() {
                Some("QUEUED" | "RUNNING") => tokio::time::sleep(POLL_INTERVAL).await,
                Some("SUCCEEDED") => break described,
                _ => bail!("{}", described["QueryExecution"]["Status"]["StateChangeReason"].as_str().unwrap_or("no reason given")),
            }
        };
        let mut answer = Answer {
            scanned_bytes: ended["QueryExecution"]["Statistics"]["DataScannedInBytes"].as_u64().unwrap_or_default(),
            ..Answer::default()
        };
        let mut page = id.clone();
        loop {
            let results = self.athena_call("GetQueryResults", &page).await?;
            read_page(&results, &mut answer);
            match results.get("NextToken") {
                Some(token) => page["NextToken"] = token.clone(),
                None => return Ok(answer),
            }
        }
    }

    async fn athena_call(&self, operation: &str, request: &Value) -> Result<Value> {
        // Nobody verifies signatures here; the scope tells account and Region.
        let authorization = format!("AWS4-HMAC-SHA256 Credential={}/20260101/{}/athena/aws4_request", self.account_id(), self.region());
        let target = format!("AmazonAthena.{operation}");
        let headers =
            [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str()), ("authorization", authorization.as_str())];
        let (status, body) = http::request_with(self.addr(), Method::POST, "/", &headers, Bytes::from(request.to_string())).await?;
        let text = String::from_utf8_lossy(&body);
        if !status.is_success() {
            bail!("{operation} answered {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{operation} answered no JSON: {text}"))
    }
}

/// The first row of a SELECT's first page is the header.
fn read_page(results: &Value, answer: &mut Answer) {
    let set = &results["ResultSet"];
    let mut rows = set["Rows"].as_array().into_iter().flatten().map(values);
    if answer.columns.is_empty() {
        let columns = set["ResultSetMetadata"]["ColumnInfo"].as_array().into_iter().flatten();
        answer.columns = columns.filter_map(|column| column["Name"].as_str().map(str::to_owned)).collect();
        rows.next();
    }
    answer.rows.extend(rows);
}

fn values(row: &Value) -> Vec<Option<String>> {
    let data = row["Data"].as_array().into_iter().flatten();
    data.map(|datum| datum["VarCharValue"].as_str().map(str::to_owned)).collect()
}
