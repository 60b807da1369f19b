//! Traces and logs out of the process, as OpenTelemetry has them.
//!
//! ```text
//!   span! ──► origin ──► … the store, another process … ──► origin ──► span!       one trace
//!     │                    as W3C's traceparent
//!     ▼
//!   layers ──► a bounded queue each ──► courier, on threads of their own ──► Collector (OTLP over HTTP)
//! ```
//!
//! A crate of its own, since server and agent begin spans and neither shall build the other; and since nobody else
//! needs to know what the parts of OpenTelemetry are called. Where nothing is exported, spans are disabled at their
//! call sites, and an [`Origin`] is never found.

mod courier;
mod export;
mod origin;
mod settings;

pub use export::{Export, ExportError};
pub use origin::{Origin, rename};
pub use settings::{Collector, Settings, SettingsError};
