//! `status --html` in a real browser.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use e2e::{MONTH, Stage};
use export_core::{manifest::Outcome, missing::OpenOutcome};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    fixtures::{put_manifest, put_new_open_window, stack, target},
    tool::Tool,
};

/// The files of the browser test. The npm package of Chromium contains the browser.
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("../browser/package.json")),
    ("package-lock.json", include_str!("../browser/package-lock.json")),
    (".npmrc", include_str!("../browser/.npmrc")),
    ("page.mjs", include_str!("../browser/page.mjs")),
];

/// The folder with the browser, below `target`.
async fn browser() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_logs-archive")).with_file_name("browser");
    fs::create_dir_all(&folder).expect("a folder");
    let lock = File::create(folder.join("lock")).expect("a file");
    lock.lock().expect("the lock");
    let is_installed = fs::read_to_string(folder.join("installed.json")).is_ok_and(|lock| lock == FILES[1].1);
    for (name, text) in FILES {
        fs::write(folder.join(name), text).expect("the file is written");
    }
    if !is_installed {
        let npm = Command::new("npm").args(["ci", "--silent"]).current_dir(&folder).status().await;
        assert!(npm.expect("npm starts; it comes with Node.js 20 or newer").success(), "npm installs the browser");
        fs::write(folder.join("installed.json"), FILES[1].1).expect("the file is written");
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_sorts_filters_and_shows_details_without_the_network() {
    let stage = Stage::take().await;
    let stack = stack(&stage);
    let of = |name: &str| target(&stack, &format!("/page/{name}"), MONTH);
    put_manifest(&stage, &of("small"), Outcome::Exported, None, 1).await;
    put_manifest(&stage, &of("large"), Outcome::Exported, None, 9).await;
    put_new_open_window(&stage, &of("bad"), OpenOutcome::Failed, 0).await;
    let tool = Tool::of(&stage.local);
    let file = tool.home.path().join("status.html");
    let output = tool.run(&["status", "--from", MONTH, "--to", MONTH, "--group", "/page/*", "--html", file.to_str().expect("UTF-8")]).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));

    let folder = browser().await;
    let mut node = Command::new("node");
    node.arg("page.mjs").arg(&file).args([&format!("/page/bad {MONTH}: failed"), "AR"]).current_dir(&folder);
    // The package unpacks the browser in TMPDIR.
    let output = node.env("TMPDIR", &folder).stderr(Stdio::inherit()).kill_on_drop(true).output().await.expect("node starts");
    let seen: Value = serde_json::from_slice(&output.stdout).expect("the script prints JSON");
    for (what, expected) in [
        ("title", json!("Log archive cloudwatch-logs-archive")),
        ("atFirst", json!(["/page/bad", "/page/large", "/page/small"])),
        ("nameDown", json!(["/page/small", "/page/large", "/page/bad"])),
        ("bySize", json!(["/page/large", "/page/small", "/page/bad"])),
        ("filtered", json!(["/page/large"])),
        ("failed", json!(["/page/bad"])),
        ("blocked", json!("TypeError")),
        ("requests", json!([])),
        ("errors", json!([])),
    ] {
        assert_eq!(seen[what], expected, "{what}: {seen:#}");
    }
    let details = seen["details"].as_str().expect("a text");
    for part in ["/page/bad 2024-10", "failed, missing; 0 objects, 0 B", "failed AccessDenied, since", "as AWS says <b>it</b>"] {
        assert!(details.contains(part), "{part}: {details}");
    }
    // More bytes have a deeper colour.
    let colour = |name: &str, state: &str| seen["colours"][format!("/page/{name} {MONTH}: {state}")].clone();
    assert!(colour("small", "archived") != colour("large", "archived") && colour("bad", "failed").is_string(), "{seen:#}");
}
