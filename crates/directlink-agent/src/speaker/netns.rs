//! Opening sockets inside network namespaces.
//!
//! `setns` moves one thread, so a thread is kept for nothing else: whatever namespace it is in,
//! the next request enters its own first. What it opens it hands back, and a socket stays in the
//! namespace where it was made.

use nix::sched::{CloneFlags, setns};
use nix::sys::stat::fstat;
use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{Arc, mpsc},
    thread,
};
use tokio::sync::oneshot;

/// A network namespace, held open: it exists as long as this does, even if its name is gone.
/// Equal if it is the same namespace, however it was found.
#[derive(Clone, Debug)]
pub struct Netns {
    file: Arc<OwnedFd>,
    identity: (u64, u64),
}

/// The way into namespaces. Clones share one thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub(super) struct Doorway {
    requests: mpsc::Sender<Box<dyn FnOnce() + Send>>,
}

impl Netns {
    /// # Errors
    /// There is no such file, or it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::from_fd(File::open(path)?.into())
    }

    /// # Errors
    /// The descriptor cannot be examined.
    pub fn from_fd(file: OwnedFd) -> io::Result<Self> {
        let stat = fstat(&file)?;
        Ok(Self { file: Arc::new(file), identity: (stat.st_dev, stat.st_ino) })
    }
}

impl PartialEq for Netns {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for Netns {}

impl Doorway {
    pub(super) fn open() -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        thread::Builder::new()
            .name("netns-doorway".into())
            .spawn(move || inbox.into_iter().for_each(|request| request()))?;
        Ok(Self { requests })
    }

    /// Does `work`, which must not block, inside `netns`.
    pub(super) async fn within<T: Send + 'static>(
        &self,
        netns: Netns,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (answer, answered) = oneshot::channel();
        let request = move || {
            let result = setns(netns.file.as_fd(), CloneFlags::CLONE_NEWNET)
                .map_err(io::Error::from)
                .and_then(|()| work());
            // Whoever asked may have given up meanwhile.
            drop(answer.send(result));
        };
        let gone = || io::Error::other("the thread that enters network namespaces is gone");
        self.requests.send(Box::new(request)).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}
