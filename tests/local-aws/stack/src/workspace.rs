//! Where things are: the checkout that this program was built from.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(3).unwrap_or(package).to_path_buf()
}

/// A file of `tests/local-aws`, where each part of the local AWS has its folder.
pub(crate) fn part(path: &str) -> PathBuf {
    root().join("tests/local-aws").join(path)
}

/// Where this crate keeps what outlives a run: below `target`, so that `cargo clean` removes it.
pub(crate) fn cache() -> PathBuf {
    root().join("target").join("local-aws")
}
