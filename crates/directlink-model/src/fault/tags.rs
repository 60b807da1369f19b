//! What no tag can be.

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TagFault {
    #[error(
        "The tag key '{0}' is invalid: it has 1 to 255 characters, none of them a control character, and is given once for a resource."
    )]
    Key(String),
    #[error(
        "The value of the tag '{0}' is invalid: it has 0 to 255 characters, none of them a control character."
    )]
    Value(String),
}
