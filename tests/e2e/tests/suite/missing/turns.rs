//! A run starts no window after its time, also while it waits for a busy slot. What is left waits for the next run.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use e2e::{DAY, S3_PREFIX, Stage, decided};
use local_aws::{Engine, calendar::Month};
use serde_json::{Value, json};

use super::{ended, input, scheduled, since, text};

e2e::on_both_engines! {
    windows_that_take_three_runs_wait_for_their_turn,
}

async fn windows_that_take_three_runs_wait_for_their_turn(engine: Engine) {
    const IN_A_RUN: usize = 4;
    let stage = Stage::take_on(engine).await;
    let names: Vec<String> = (0..3 * IN_A_RUN).map(|number| format!("/turns/{number:02}")).collect();
    for name in &names {
        stage.hello(name).await;
    }
    let log_groups = json!([{"logGroupNamePrefix": "/turns/"}]);
    let expected = |status: &str, exported: &[String], waiting: &[String]| {
        let exported = exported.iter().map(|name| format!("{name} 2024-10 exported"));
        let decided = waiting.iter().map(|name| format!("{name} 2024-10 waiting"));
        let open = waiting.iter().map(|name| format!("open {name} 2024-10 waiting RunTimeOver, tries 0"));
        std::iter::once(status.to_owned()).chain(exported).chain(decided).chain(open).collect::<Vec<_>>()
    };
    let (first, rest) = names.split_at(IN_A_RUN);
    let (second, third) = rest.split_at(IN_A_RUN);

    let run = stage.run_until(&second[0], &input("2024-11-01", &log_groups)).await;
    assert_eq!(ended(&stage, run).await, expected("SUCCEEDED", first, rest));
    let since_then = since(&stage).await.split_off(IN_A_RUN);
    let run = stage.run_until(&third[0], &input("2024-11-02", &log_groups)).await;
    assert_eq!(ended(&stage, run).await, expected("SUCCEEDED", second, third));
    assert_eq!(since(&stage).await, since_then);

    // One that has waited for a week is missing.
    let week = Utc::now().trunc_subsecs(3) - TimeDelta::days(7);
    let key = stage.keys(&format!("{S3_PREFIX}/missing/")).await.remove(0);
    let mut open = stage.json(&key).await;
    open["since"] = json!(week.to_rfc3339());
    stage.put(&key, open.to_string()).await;
    stage.limit_time(Some("0")).await;
    let run = stage.run(&input("2024-11-03", &log_groups)).await;
    stage.limit_time(None).await;
    assert_eq!(stage.report(&run.arn).await["missing_count"], 1);
    assert!(run.cause.as_ref().is_some_and(|cause| cause.contains(text(&open["log_group"]))), "{:?}", run.cause);
    assert_eq!(ended(&stage, run).await, expected("FAILED ArchiveIncomplete", &[], third));
    let waits = stage.open_windows().await.into_iter().filter(|waits| DateTime::parse_from_rfc3339(text(&waits["since"])).unwrap() == week);
    assert_eq!(waits.map(|waits| waits["log_group"].clone()).collect::<Vec<_>>(), [open["log_group"].clone()]);

    assert_eq!(scheduled(&stage, "2024-11-04", &log_groups).await, expected("SUCCEEDED", third, &[]));
    for name in &names {
        assert_eq!(stage.created(name).await.len(), 1, "{name}");
        stage.assert_archived_once(name).await;
    }
}

/// A run by hand looks back from the month before its start.
#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_by_hand_is_finished_by_the_scheduled_runs() {
    let stage = Stage::take().await;
    let due = Month::latest_complete(Utc::now()).unwrap();
    let before =
        |month: Month| if month.month() == 1 { Month::new(month.year() - 1, 12) } else { Month::new(month.year(), month.month() - 1) };
    let mut months: Vec<Month> = std::iter::successors(Some(due), |month| before(*month).ok()).take(3).collect();
    months.reverse();
    let names: Vec<String> = months.iter().map(Month::to_string).collect();
    let events: Vec<(i64, &str)> =
        months.iter().zip(&names).map(|(month, name)| (month.window().unwrap().from + 14 * DAY, name.as_str())).collect();
    for log_group in ["/back/a", "/back/b"] {
        stage.log_group(log_group, &events).await;
    }
    let log_groups = json!(["/back/a", "/back/b"]);
    let line = |log_group: &str, month: usize, became: &str| format!("{log_group} {} {became}", names[month]);
    let waits = |log_group: &str, month: usize| format!("open {} {} waiting RunTimeOver, tries 0", log_group, names[month]);

    // What is under way when the time is over is finished.
    stage.hold_tasks().await;
    let arn = stage.start_input(&json!({"since": names[0], "logGroups": log_groups})).await;
    stage.wait_for_task("/back/a", 1).await;
    stage.limit_time(Some("0")).await;
    stage.let_tasks_go().await;
    stage.wait_well(&arn).await;
    stage.limit_time(None).await;
    let waiting = [line("/back/a", 0, "waiting"), line("/back/a", 1, "waiting"), line("/back/a", 2, "exported")];
    let of_b = [0, 1, 2].map(|month| line("/back/b", month, "waiting"));
    assert_eq!(decided(&stage.report(&arn).await), [waiting, of_b].concat());
    assert_eq!(stage.open_windows().await.len(), 5);

    // The schedule's first run looks at its due month, and at what is open.
    let scheduled_time = DateTime::from_timestamp_millis(due.window().unwrap().to + DAY / 2 + 1).unwrap().to_rfc3339();
    let input: Value = json!({"scheduledTime": scheduled_time, "logGroups": log_groups});
    let run = stage.run_until("/back/a", &input).await;
    let expected = [
        "SUCCEEDED".to_owned(),
        line("/back/a", 0, "waiting"),
        line("/back/a", 1, "waiting"),
        line("/back/b", 0, "waiting"),
        line("/back/b", 1, "waiting"),
        line("/back/b", 2, "exported"),
        waits("/back/a", 0),
        waits("/back/a", 1),
        waits("/back/b", 0),
        waits("/back/b", 1),
    ];
    assert_eq!(ended(&stage, run).await, expected);
    let exported = ["/back/a", "/back/b"].map(|log_group| [0, 1].map(|month| line(log_group, month, "exported"))).concat();
    assert_eq!(ended(&stage, stage.run(&input).await).await, [&["SUCCEEDED".to_owned()], &exported[..]].concat());
    for log_group in ["/back/a", "/back/b"] {
        assert_eq!(stage.created(log_group).await.len(), 3, "{log_group}");
        assert_eq!(stage.events(log_group).await, names, "{log_group}");
    }
}
