//! How a command ends: with which number, and in which words.

use std::process::ExitCode;
use thiserror::Error;

/// At the end of `directlink --help`.
pub(super) const HELP: &str = "\
Exit status:
  0  done
  1  refused, or failed: standard error says why
  2  the command line is wrong
  3  waited in vain (--wait, --timeout)

Data goes to standard output, progress and complaints to standard error.";

const WAITED_IN_VAIN: u8 = 3;

/// Ends that are not simply an error of the world.
#[derive(Debug, Error)]
pub(super) enum Exit {
    #[error("{id} is {state}, and not {wanted}, after {seconds} s")]
    TimedOut { id: String, wanted: String, state: String, seconds: u64 },
    #[error("{id} is {state}: nothing more will come of it")]
    CameToNothing { id: String, state: String },
    /// Somebody else has said why.
    #[error("ends with {0}")]
    Quiet(i32),
}

pub(super) fn of(error: &anyhow::Error) -> ExitCode {
    if let Some(Exit::Quiet(code)) = error.downcast_ref() {
        return u8::try_from(*code).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    eprintln!("directlink: {error:#}");
    match error.downcast_ref() {
        Some(Exit::TimedOut { .. }) => WAITED_IN_VAIN.into(),
        Some(Exit::CameToNothing { .. } | Exit::Quiet(_)) | None => ExitCode::FAILURE,
    }
}
