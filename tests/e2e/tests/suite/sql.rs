//! The archive's SQL over a small archive in memory: `tests/e2e/sql`, in the local AWS's Python environment.

use std::path::Path;

use local_aws::venv;
use tokio::process::Command;

#[tokio::test]
async fn every_file_of_infra_athena_answers_as_expected() {
    let python = venv::python(&venv::MINISTACK).await.unwrap();
    let mut unittest = Command::new(python);
    unittest.args(["-B", "-m", "unittest", "discover"]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("sql"));
    let output = unittest.kill_on_drop(true).output().await.unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    // Python 3.11 finds nothing without a complaint.
    assert!(output.status.success() && !report.contains("Ran 0 tests"), "{report}");
}
