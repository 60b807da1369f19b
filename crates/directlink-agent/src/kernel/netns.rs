//! Network namespaces: made by name, entered by the thread that works in them.
//!
//! A name is a bind mount of the namespace's file, as iproute2 makes it, so that `ip netns exec`
//! and `ip -n` work on ours. The process as a whole never changes its namespace: only the
//! kernel thread does, and it comes back.

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::statfs::{NSFS_MAGIC, statfs},
};
use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    thread,
};

/// An open network namespace.
#[derive(Debug)]
pub(crate) struct Netns(File);

impl Netns {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        File::open(path).map(Self)
    }

    /// The calling thread's.
    pub(crate) fn own() -> io::Result<Self> {
        Self::open(Path::new(OWN))
    }

    /// Makes one under this name. The thread that makes it ends with that.
    pub(crate) fn make(path: &Path) -> io::Result<()> {
        let dir = path.parent().unwrap_or_else(|| Path::new("/"));
        fs::create_dir_all(dir)?;
        share(dir)?;
        File::create(path)?;
        let path = path.to_owned();
        let made = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            mount(Some(OWN), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        });
        match made.join() {
            Ok(outcome) => outcome.map_err(io::Error::from),
            Err(_) => Err(io::Error::other("the thread that makes a namespace died")),
        }
    }

    /// Takes the name away. The namespace ends with the last socket in it.
    pub(crate) fn remove(path: &Path) -> io::Result<()> {
        if Self::is_one(path) {
            umount2(path, MntFlags::MNT_DETACH)?;
        }
        match fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Whether a namespace has this name: a file alone is what a reboot leaves.
    pub(crate) fn is_one(path: &Path) -> bool {
        statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC)
    }

    /// Moves the calling thread there.
    pub(crate) fn enter(&self) -> io::Result<()> {
        setns(self, CloneFlags::CLONE_NEWNET).map_err(io::Error::from)
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

const OWN: &str = "/proc/thread-self/ns/net";

/// Mounts made in `dir` appear in other mount namespaces too, and go from all of them with
/// the name: else a removed namespace would live on in a container that saw it.
fn share(dir: &Path) -> io::Result<()> {
    let none = None::<&str>;
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    if mount(none, dir, none, shared, none).is_ok() {
        return Ok(());
    }
    // Not a mount point yet.
    mount(Some(dir), dir, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)?;
    mount(none, dir, none, shared, none).map_err(io::Error::from)
}
