//! Names: what a lab is called in the kernel, so that several stand side by side and one can be
//! taken down without a note of what it made.
//!
//! ```text
//! DIR ── SHA-256 ──► dl3fa2c1-            the prefix of every namespace of this lab
//!                    dl3fa2c1-fabric      bridge
//!                    dl3fa2c1-panel       patch panel
//!                    dl3fa2c1-par1-r1     a router
//!                    dl3fa2c1-dxvif-…     an interface's own namespace (the agent makes it)
//!                    dl3fa2c1-eni-…       a host; dl3fa2c1-underlay-eni-…: what is under it
//! ```

use anyhow::{Context as _, Result};
use directlink_model::ids::{NicId, PortName, RouterName};
use sha2::{Digest as _, Sha256};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Which lab: known from its directory alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabName {
    dir: PathBuf,
    prefix: String,
}

impl LabName {
    /// The lab of this directory, which need not exist (any more).
    ///
    /// # Errors
    /// A relative path, and no current directory.
    pub fn of(dir: &Path) -> Result<Self> {
        let dir = resolved(dir)?;
        let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
        let prefix = format!("dl{}-", hex::encode(&digest[..3]));
        Ok(Self { dir, prefix })
    }

    /// The state directory, absolute and without symbolic links.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What every namespace of this lab is called by.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A number that is likely to be this lab's alone: where to begin looking for free TCP ports.
    pub fn number(&self) -> u16 {
        let digest = Sha256::digest(self.prefix.as_bytes());
        u16::from_be_bytes([digest[0], digest[1]])
    }

    pub fn fabric(&self) -> String {
        format!("{}fabric", self.prefix)
    }

    pub fn panel(&self) -> String {
        format!("{}panel", self.prefix)
    }

    pub fn router(&self, router: &RouterName) -> String {
        format!("{}{router}", self.prefix)
    }

    pub fn host(&self, nic: NicId) -> String {
        format!("{}{nic}", self.prefix)
    }

    pub fn underlay(&self, nic: NicId) -> String {
        format!("{}underlay-{nic}", self.prefix)
    }

    /// A namespace of the lab's own for a customer's router.
    pub fn customer(&self, name: &str) -> String {
        format!("{}customer-{name}", self.prefix)
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dir.display().fmt(f)
    }
}

/// Where a router stands: its place in the list gives its links in panel and fabric their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterSeat {
    pub number: usize,
    pub name: RouterName,
    pub ports: Vec<PortName>,
}

/// The canonical path; where the end of it does not exist, that of what does.
fn resolved(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).with_context(|| format!("{}", path.display()))?;
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        if let Ok(canonical) = existing.canonicalize() {
            return Ok(missing.into_iter().rev().fold(canonical, |path, name| path.join(name)));
        }
        let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else {
            return Ok(absolute);
        };
        missing.push(name);
        existing = parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_has_one_name_before_while_and_after_its_directory_exists() {
        let around = tempfile::tempdir().unwrap();
        let dir = around.path().join("state");
        let before = LabName::of(&dir).unwrap();
        std::fs::create_dir(&dir).unwrap();
        std::os::unix::fs::symlink(&dir, around.path().join("link")).unwrap();
        assert_eq!(LabName::of(&dir).unwrap(), before);
        assert_eq!(LabName::of(&around.path().join("link")).unwrap(), before);
        assert_eq!(LabName::of(&around.path().join("link/../state")).unwrap(), before);
        std::fs::remove_file(around.path().join("link")).unwrap();
        std::fs::remove_dir(&dir).unwrap();
        assert_eq!(LabName::of(&dir).unwrap(), before);
    }

    #[test]
    fn labs_side_by_side_have_different_prefixes() {
        let (a, b) =
            (LabName::of(Path::new("/x/a")).unwrap(), LabName::of(Path::new("/x/b")).unwrap());
        assert_ne!(a.prefix(), b.prefix());
    }
}
