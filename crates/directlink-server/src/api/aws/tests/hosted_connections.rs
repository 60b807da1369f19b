//! Hosted connections.
