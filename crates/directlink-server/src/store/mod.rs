//! The facts on disk. Nothing else knows SQL.

use thiserror::Error;

/// The world failed: disk, database.
#[derive(Debug, Error)]
pub enum Error {
    #[error("this part is being built")]
    Unbuilt,
}
