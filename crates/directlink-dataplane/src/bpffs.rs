//! The BPF file system: where pins outlive the process.
//!
//! A mount of it is a file system of its own, and ends with the last mount namespace that
//! has it. Whoever wants pins to outlive him mounts it where the machine's other processes
//! see it: `ip netns exec` enters a private mount namespace, whose mounts die with it.

use nix::{
    mount::{MsFlags, mount, umount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum BpffsError {
    #[error("cannot make the directory {path}: {source}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot look at {path}: {source}")]
    Look { path: PathBuf, source: io::Error },
    #[error("cannot mount the BPF file system at {path}: {source}")]
    Mount { path: PathBuf, source: io::Error },
}

/// Makes `dir` a directory on a BPF file system; mounts one there if it is on another.
pub(crate) fn ensure(dir: &Path) -> Result<(), BpffsError> {
    fs::create_dir_all(dir)
        .map_err(|source| BpffsError::Directory { path: dir.to_owned(), source })?;
    if is_bpffs(dir)? {
        return Ok(());
    }
    mount(Some("bpf"), dir, Some("bpf"), MsFlags::empty(), Some("mode=0700"))
        .map_err(|e| BpffsError::Mount { path: dir.to_owned(), source: e.into() })
}

/// Takes away the mount at `dir`, if `dir` itself is one and nobody uses it.
pub(crate) fn unmount(dir: &Path) {
    // Not a mount point: it was in somebody else's, which stays.
    let _ = umount(dir);
}

fn is_bpffs(dir: &Path) -> Result<bool, BpffsError> {
    statfs(dir)
        .map(|found| found.filesystem_type() == BPF_FS_MAGIC)
        .map_err(|e| BpffsError::Look { path: dir.to_owned(), source: e.into() })
}
