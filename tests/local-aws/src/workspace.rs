//! Where things are: the checkout that this program was built from.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

/// A Python script of this crate.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// Where this crate keeps what outlives a run: below `target`, so that `cargo clean` removes it.
pub(crate) fn cache() -> PathBuf {
    root().join("target").join("local-aws")
}
