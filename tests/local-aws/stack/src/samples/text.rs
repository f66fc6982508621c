//! What the sample services write.

use std::iter::repeat_with;

use chrono::{DateTime, Utc};
use fastrand::Rng;

use super::{Event, event};
use crate::calendar::TIMEZONE;

pub(super) fn hex(rng: &mut Rng, digits: usize) -> String {
    repeat_with(|| char::from(b"0123456789abcdef"[rng.usize(0..16)])).take(digits).collect()
}

fn request_id(rng: &mut Rng) -> String {
    [8, 4, 4, 4, 12].map(|digits| hex(rng, digits)).join("-")
}

fn utc(timestamp: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(timestamp).unwrap_or_default()
}

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(0..of.len())]
}

/// Such as `2026/10/05/[$LATEST]0123456789abcdef0123456789abcdef`.
pub(super) fn lambda_stream_name(rng: &mut Rng, start: i64) -> String {
    // Lambda's own dates are UTC; here they follow the month, so that all of them are the month's.
    let day = utc(start).with_timezone(&TIMEZONE).format("%Y/%m/%d");
    format!("{day}/[$LATEST]{}", hex(rng, 32))
}

/// The lines of one invocation, each with the newline that Lambda ends it with.
pub(super) fn lambda_invocation(rng: &mut Rng, timestamp: i64, cold: bool) -> Vec<Event> {
    let id = request_id(rng);
    let duration = rng.u32(300..90_000);
    let (milliseconds, hundredths) = (duration / 100, duration % 100);
    let mut report = format!(
        "REPORT RequestId: {id}\tDuration: {milliseconds}.{hundredths:02} ms\tBilled Duration: {} ms\tMemory Size: 128 MB\tMax Memory Used: {} MB\t",
        milliseconds + 1,
        rng.u32(20..60)
    );
    if cold {
        report.push_str("Init Duration: 13.90 ms\t");
    }
    report.push('\n');
    let end = timestamp + i64::from(milliseconds);
    vec![
        event(timestamp, format!("START RequestId: {id} Version: $LATEST\n")),
        event(timestamp + 1, lambda_line(rng, &id)),
        event(end + 2, format!("END RequestId: {id}\n")),
        event(end + 2, report),
    ]
}

pub(super) fn lambda_line(rng: &mut Rng, id: &str) -> String {
    let order = rng.u32(100_000..999_999);
    let what = pick(rng, &["order placed", "order paid", "order shipped", "payment refused", "注文を受け付けました"]);
    format!("{{\"level\":\"INFO\",\"requestId\":\"{id}\",\"order\":{order},\"message\":\"{what}\"}}\n")
}

pub(super) fn web_request(rng: &mut Rng) -> String {
    let method = pick(rng, &["GET", "GET", "GET", "POST", "PUT", "DELETE"]);
    let path = pick(rng, &["/", "/cart", "/search?q=%E6%9C%AC", "/商品/りんご", "/api/v2/orders", "/img/🍎.png"]);
    let status = pick(rng, &["200", "200", "200", "204", "304", "404", "500"]);
    let trace = hex(rng, 24);
    let milliseconds = rng.u32(1..900);
    format!(
        r#"{{"level":"INFO","method":"{method}","path":"{path}","status":{status},"ms":{milliseconds},"trace":"{trace}","agent":"Mozilla/5.0 (X11; \"quoted\")"}}"#
    )
}

/// One line mostly, and a stack trace of 10 to 60 lines now and then.
pub(super) fn java_log(rng: &mut Rng, timestamp: i64) -> String {
    let time = utc(timestamp).format("%Y-%m-%d %H:%M:%S,%3f");
    let account = rng.u32(1_000..9_999);
    if rng.u8(0..4) != 0 {
        return format!("{time} INFO  [main] com.example.billing.Invoices - invoice for account {account} sent");
    }
    let mut text = format!("{time} ERROR [worker-{}] com.example.billing.Invoices - account {account}\n", rng.u8(1..9));
    text.push_str("java.lang.IllegalStateException: 請求書を作成できません\n");
    for depth in 0..rng.usize(8..50) {
        text.push_str(&format!("\tat com.example.billing.Step{depth}.run(Step{depth}.java:{})\n", rng.u16(10..900)));
    }
    text.push_str("Caused by: java.net.SocketTimeoutException: Read timed out\n\t... 42 more");
    text
}

pub(super) fn batch_line(rng: &mut Rng, place: &str) -> String {
    let job = pick(rng, &["夜間集計", "在庫更新", "帳票出力", "データ連携"]);
    let result = pick(rng, &["正常終了", "正常終了", "正常終了", "警告あり", "異常終了"]);
    format!("【{place}】\t{job}\t{result}\t件数={}\t所要={}秒", rng.u32(1..100_000), rng.u32(1..3_600))
}

/// Text of exactly this many bytes, in characters of one, three and four bytes, on many lines.
pub(super) fn long_message(bytes: usize) -> String {
    const LINE: &str = "長いメッセージ: the quick brown fox 🦊 jumps over the lazy dog\n";
    let mut text = LINE.repeat(bytes / LINE.len());
    text.extend(std::iter::repeat_n('.', bytes - text.len()));
    text
}
