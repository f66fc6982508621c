//! The captures in docs/tool.md are what a terminal shows.

use chrono::TimeDelta;
use e2e::{DAY, FROM, MONTH, Stage, TO};
use export_core::{
    manifest::{Manifest, Outcome, Reason},
    missing::{OpenOutcome, OpenWindow},
    time::format_instant,
};
use local_aws::Engine;
use serde_json::json;

use crate::{
    fixtures::{manifest, open_window, put_json, put_manifest, put_open_window, stack, target},
    list::stage,
    terminal::Terminal,
    tool::Tool,
};

const COLUMNS: u16 = 150;
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tool.md");
const TASK: &str = "4f2c8a10-6f1e-4c6d-9a55-0d1b7e3c2f68";

/// Replaces durations and task ids, which differ from run to run.
fn stable(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for index in 1..words.len() {
        let (before, word) = (words[index - 1].clone(), &mut words[index]);
        match before.as_str() {
            "for" | "about" if word.trim_end_matches(',').ends_with(['s', 'm', 'h']) => {
                *word = format!("7m{}", word.trim_start_matches(char::is_alphanumeric));
            }
            "task" if word.len() == TASK.len() => *word = TASK.to_owned(),
            _ => {}
        }
    }
    words.join(" ")
}

fn block(name: &str, arguments: &[&str], screen: &str) -> String {
    let quoted = arguments.iter().map(|word| if word.contains('*') { format!("'{word}'") } else { (*word).to_owned() });
    let command = quoted.collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = screen.lines().map(|line| stable(line.trim_end())).collect();
    format!("<!-- capture: {name} -->\n```text\n$ logs-archive {command}\n{}\n```\n<!-- end -->", lines.join("\n").trim_end())
}

/// Compares a capture with the document. `WRITE_CAPTURES=1` writes the document instead.
fn check(name: &str, captured: &str) {
    let document = std::fs::read_to_string(DOCUMENT).expect("the document");
    let begin = document.find(&format!("<!-- capture: {name} -->")).unwrap_or_else(|| panic!("{DOCUMENT} has no capture {name}"));
    let end = begin + document[begin..].find("<!-- end -->").expect("its end") + "<!-- end -->".len();
    if std::env::var_os("WRITE_CAPTURES").is_some() {
        std::fs::write(DOCUMENT, [&document[..begin], captured, &document[end..]].concat()).expect("it is written");
    } else {
        assert_eq!(&document[begin..end], captured, "run this test with WRITE_CAPTURES=1");
    }
}

/// Fills three months of five log groups.
async fn fill(stage: &Stage) {
    stage.run_well(&json!({"scheduledTime": "2024-10-02T04:00:00Z", "logGroups": ["/compared"]})).await;
    let stack = stack(stage);
    let of = |name: &str, month: &str| target(&stack, &format!("/shop/{name}"), month);
    for (name, month, outcome, reason, objects) in [
        ("cart", "2024-08", Outcome::Exported, None, 8),
        ("cart", "2024-09", Outcome::Exported, None, 9),
        ("mail", "2024-08", Outcome::Lost, Some(Reason::Expired), 0),
        ("mail", "2024-09", Outcome::Empty, None, 0),
        ("mail", MONTH, Outcome::Exported, None, 2),
        ("orders", "2024-08", Outcome::Exported, None, 31),
        ("orders", "2024-09", Outcome::Exported, None, 30),
        ("web", "2024-08", Outcome::Skipped, Some(Reason::CreatedAfterMonth), 0),
    ] {
        let target = of(name, month);
        let created = target.window.complete_at();
        let completed = format_instant(created + TimeDelta::minutes(objects as i64));
        let manifest = Manifest { completed: Some(completed), ..manifest(&target, outcome, reason, objects) };
        put_json(stage, &stack.manifest_key(&target.manifest_key()), &manifest).await;
    }
    let message = "Access denied to write to s3://archive: the bucket policy has a Deny".to_owned();
    let failed = open_window(&of("web", "2024-09"), OpenOutcome::Failed, 0);
    put_open_window(stage, &OpenWindow { message, since: "2024-10-01T04:12:09.000Z".to_owned(), tries: 3, ..failed }).await;
    for name in ["cart", "orders", "web"] {
        stage.log_group(&format!("/shop/{name}"), &[(FROM - DAY, "before"), (FROM + DAY, "within"), (TO + DAY, "after")]).await;
    }
    stage.log_group("/shop/idle", &[(FROM - 100 * DAY, "long ago")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_captures_in_the_documentation_are_current() {
    let (stage, tool) = stage(Engine::Ministack, json!([{"logGroupNamePrefix": "/shop/"}])).await;
    fill(&stage).await;
    for (name, code, arguments) in [
        ("status", 1, &["status", "--from", "2024-08", "--to", MONTH, "--group", "/shop/*", "--missing"][..]),
        ("plan", 0, &["plan", "--month", MONTH]),
    ] {
        let mut terminal = Terminal::run(&tool, COLUMNS, arguments);
        assert_eq!(terminal.end().await, code, "{}", terminal.screen());
        check(name, &block(name, arguments, &terminal.screen()));
    }

    stage.fault(json!({"logGroupName": "/shop/orders", "status": "RUNNING", "times": 1})).await;
    let arn = stage.start(json!([{"logGroupNamePrefix": "/shop/"}])).await;
    let mut terminal = Terminal::run(&tool, COLUMNS, &["watch"]);
    terminal.wait_for("a task that runs", |screen| screen.contains("/shop/orders") && screen.contains("RUNNING")).await;
    check("watch", &block("watch", &["watch"], &terminal.screen()));
    terminal.type_keys("\u{3}").await;
    assert_eq!(terminal.end().await, 130, "{}", terminal.screen());
    let task = stage.wait_for_task("/shop/orders", 1).await;
    stage.logs().cancel_export_task().task_id(task).send().await.expect("it is cancelled");
    stage.wait(&arn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_used_on_a_terminal_unless_no_color_is_set() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/colours"])).await;
    put_manifest(&stage, &target(&stack(&stage), "/colours", MONTH), Outcome::Exported, None, 1).await;
    let arguments = ["status", "--from", MONTH, "--to", MONTH, "--group", "/colours"];
    let piped = tool.run(&arguments).await.stdout;
    assert!(piped.contains("/colours") && !piped.contains('\u{1b}'), "{piped:?}");
    for (value, has_colours) in [("", true), ("1", false)] {
        let tool = Tool::of(&stage.local).with("NO_COLOR", value);
        let mut terminal = Terminal::run(&tool, COLUMNS, &arguments);
        assert_eq!((terminal.end().await, terminal.has_colours()), (0, has_colours), "{value:?}: {}", terminal.screen());
    }
}

/// Only `y` confirms.
#[tokio::test(flavor = "multi_thread")]
async fn groups_asks_for_confirmation_at_a_terminal() {
    let (stage, tool) = stage(Engine::Ministack, json!(["/asked/a"])).await;
    for name in ["/asked/a", "/asked/b"] {
        stage.hello(name).await;
    }
    let listed = async || tool.json(0, &["groups", "list"]).await;
    for (keys, code, expected) in [
        ("n\r", 0, json!(["/asked/a"])),
        ("\r", 0, json!(["/asked/a"])),
        ("\u{3}", 130, json!(["/asked/a"])),
        ("y\r", 0, json!(["/asked/a", "/asked/b"])),
    ] {
        let mut terminal = Terminal::run(&tool, COLUMNS, &["groups", "add", "/asked/b"]);
        terminal.wait_for("a question", |screen| screen.contains('?')).await;
        terminal.type_keys(keys).await;
        assert_eq!((terminal.end().await, listed().await), (code, expected), "{keys:?}: {}", terminal.screen());
    }
}
