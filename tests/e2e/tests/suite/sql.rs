//! The archive's SQL over a small archive in memory: `tests/e2e/sql`, in the local AWS's Python environment.

use std::path::Path;
use std::time::Duration;

use local_aws::venv;
use tokio::process::Command;
use tokio::time::timeout;

/// It takes about a minute; a busy machine takes longer.
const LIMIT: Duration = Duration::from_secs(600);

#[tokio::test]
async fn every_file_of_infra_athena_answers_as_expected() {
    let python = venv::python(&venv::MINISTACK).await.unwrap();
    let mut unittest = Command::new(python);
    unittest.args(["-B", "-m", "unittest", "discover"]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql"));
    // Somebody's own modules could take the place of the environment's.
    unittest.env_remove("PYTHONPATH").kill_on_drop(true);
    let output = timeout(LIMIT, unittest.output()).await.expect("the suite is not done in time").unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    // Python 3.11 finds nothing without a complaint.
    assert!(output.status.success() && !report.contains("Ran 0 tests"), "{report}");
}
