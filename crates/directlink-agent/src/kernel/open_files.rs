//! How many files the process may have open: each interface needs about four (its namespace, a
//! listener or two, a session), and a router may carry thousands.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes all that the process may have without asking. Who runs it says how much that is
/// (`LimitNOFILE=`); fewer files than interfaces need is told by the interfaces that go without.
pub(crate) fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| match soft < hard {
        true => setrlimit(Resource::RLIMIT_NOFILE, hard, hard),
        false => Ok(()),
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the number of open files");
    }
}
