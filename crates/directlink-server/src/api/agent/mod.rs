//! The agent channel, in the making.
