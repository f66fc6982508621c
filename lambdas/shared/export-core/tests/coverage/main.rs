//! Coverage: a model of the archive drives the real `decide`, `Planner`, `Bookkeeping` and `replaced_by_record` through random sequences of
//! runs, faults and people. There is no AWS, and no clock but the model's.
//!
//! | file | what it has |
//! |---|---|
//! | `world.rs` | log groups, streams, events, retention, tasks with one slot |
//! | `bucket.rs` | manifests, open windows and reports, and how a run reads them |
//! | `run.rs` | a run: `plan-exports` and the map |
//! | `functions.rs` | what `create-export-task` and `check-export-task` do with one window |
//! | `books.rs` | what `report-archive` does when a run ends |
//! | `people.rs` | people who delete, overwrite and hide objects, and change log groups |
//! | `scenario.rs` | the random steps, and the engine that plays them |
//! | `years.rs` | scheduled runs over half a year, while the zone and the days to settle change |
//! | `properties.rs` | the properties of manifests and events |
//! | `owed.rs` | the properties of `missing/` |
//! | `expiry.rs` | the properties of a shorter retention |
//!
//! A run is a future that stops before each write, and between a listing and the reads that follow. There, another run goes on, somebody
//! deletes something, or the run dies.
//!
//! The properties:
//! - (a) Where a run succeeded, valid manifests leave no hole in the months that it looked at, except where it says NothingYet or
//!   Waiting, or warns.
//! - (b) While no run writes, no two manifests of a place overlap in time.
//! - (c) Every event that was there when its window was exported is in exactly one window of a manifest, and what that names has it; or
//!   it is in a window that the report names as not archived, or that is recorded as lost.
//! - (d) An archived event whose object still exists, and whose manifest nobody deleted, never leaves the views.
//! - (e) No run exports what was covered when it began, unless forced; without faults, no window is exported twice; and after a run that
//!   succeeded, the next has nothing to do.
//! - (f) Without people, the next scheduled run but one succeeds, whatever happened before: the next can fail for what is lost.
//! - (g) At any time, each month of a log group since its first scheduled run is archived, lost, skipped, in `missing/`, in a row that
//!   writes nothing and does not fail, or newer than the last scheduled run that compared everything.
//! - (h) An open window leaves `missing/` only when it is archived, or by the table.
//! - (i) `since` never gets younger.
//! - (j) A scheduled run that succeeded leaves no open window that counts.
//! - (k) A lost window fails exactly the run that records it.
//! - (l) An open window, and a month of a log group that was found in it, never ends as if no run had seen it.
//! - (m) At any time, a retention that may be set deletes no event at once that is not in an object that a valid manifest counts.
//!
//! (a), (c), (e), (h) and (l) are judged for runs during which only other runs changed something.
//!
//! Simplifications:
//! - A completed task has all events of its creation time. Retention deletes at once, and metadata of streams is never late.
//! - The size of an object varies by 2 % as compression does, and one event is more than 5 % of its stream in a window. A stream that is
//!   deleted never comes again by its name, and late events have streams of their own: an export of other events of the same size would
//!   pass for the old one.
//! - Manifests are put on the condition that the key holds what was listed before: S3's `If-None-Match` and `If-Match`.
//! - A manifest that another run withdrew counts as seen: a run may believe it for the moment in between. The other run reports a failure.
//! - Two manifests that a run left because it died between two writes may overlap; `decide` then refuses their time.
//! - If somebody empties a task's folder before its manifest is written, what the manifest says of the task is not judged.
//! - Where somebody deletes, hides or overwrites a manifest, (g) holds again from the next run on that looks there.
//! - Functions are called without their JSON, beside what lies in the work bucket; a run without permission or with a wrong input is not
//!   part of it.
//!
//! More cases than a test run takes: `PROPTEST_CASES=50000 cargo test --release -p export-core --test coverage`.

mod books;
mod bucket;
mod expiry;
mod functions;
mod owed;
mod people;
mod properties;
mod run;
mod scenario;
mod world;
mod years;

use proptest::{
    prelude::*,
    test_runner::{TestRng, TestRunner},
};
use scenario::{Adversity, play, steps};

fn check<T: std::fmt::Debug>(cases: u32, what: impl Strategy<Value = T>, play: impl Fn(T) -> Result<(), String>) {
    let config = ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() };
    let config = if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases, ..config } };
    let mut runner = TestRunner::new_with_rng(config.clone(), TestRng::deterministic_rng(config.rng_algorithm));
    runner.run(&what, |what| play(what).map_err(TestCaseError::fail)).unwrap_or_else(|error| panic!("{error}"));
}

fn check_steps(cases: u32, with: Adversity) {
    check(cases, steps(with), |steps| play(&steps, with));
}

#[test]
fn one_run_after_another() {
    check_steps(100, Adversity { faults: false, people: false, pairs: false });
}

#[test]
fn two_runs_at_a_time_with_faults() {
    check_steps(200, Adversity { faults: true, people: false, pairs: true });
}

#[test]
fn two_runs_at_a_time_with_faults_and_people() {
    check_steps(300, Adversity { faults: true, people: true, pairs: true });
}

#[test]
fn changed_time_zones_and_settle_days_lose_no_event() {
    check(16, years::half_a_year(), |days| years::play(&days));
}
