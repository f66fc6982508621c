//! Manifests: how they are listed.

use archive::Archive;
use export_core::decide::Question;
use fake_aws::{Aws, NOW, october, stack};

#[tokio::test(start_paused = true)]
async fn the_three_months_around_a_window_are_listed_concurrently() {
    let aws = Aws::default();
    let archive = Archive::new(stack(), &aws.config());
    let target = october("/ecs/web");
    let question = Question::new(&target, NOW.parse().unwrap());
    assert!(archive.overlapping_manifests(&question, None, false).await.unwrap().is_empty());
    let folders = ["09", "10", "11"].map(|month| format!("archive/logs/manifests/year=2026/month={month}/{}-", target.place.hash()));
    // Each begins with an empty page.
    let calls = ["LIST", "NEXT"].into_iter().flat_map(|call| folders.iter().map(move |folder| format!("{call} {folder}")));
    assert_eq!(aws.names(&["LIST", "NEXT"]), calls.collect::<Vec<_>>());
}
