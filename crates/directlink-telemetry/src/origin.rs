//! What a span continues: a place in a trace, in this process or another, as W3C's `traceparent` says it.

use http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::{fmt, str::FromStr};
use thiserror::Error;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACEPARENT: &str = "traceparent";

/// A span that others continue. Its text is that of a `traceparent`: ids and a flag, nothing of whose they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin(SpanContext);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no traceparent of version 00")]
pub struct BadTraceparent;

impl Origin {
    /// The span that this task is in, if it is one that is exported.
    pub fn of_current() -> Option<Self> {
        let span = Span::current();
        if span.is_none() {
            return None;
        }
        let context = span.context().span().span_context().clone();
        (context.is_valid() && context.is_sampled()).then_some(Self(context))
    }

    /// What the caller says that its request is part of.
    pub fn of_request(headers: &HeaderMap) -> Option<Self> {
        Self::extract(&HeaderExtractor(headers))
    }

    fn extract(carrier: &dyn Extractor) -> Option<Self> {
        let nothing = Context::new();
        let found = TraceContextPropagator::new().extract_with_context(&nothing, carrier);
        let context = found.span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    /// Makes `span`, which nobody has entered yet, a child of it.
    pub fn leads_to(&self, span: &Span) {
        // It fails where the span is not exported, which is as well.
        let _ = span.set_parent(Context::new().with_remote_span_context(self.0.clone()));
    }

    /// Says of `span` that it has come of this as well.
    pub fn is_linked_to(&self, span: &Span) {
        span.add_link(self.0.clone());
    }
}

/// Another name for a span that has begun, as its own fields cannot give it any more.
pub fn rename(span: &Span, name: &str) {
    span.context().span().update_name(name.to_owned());
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (self.0.trace_id(), self.0.span_id());
        write!(f, "00-{trace}-{span}-{:02x}", self.0.trace_flags().to_u8() & 1)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Origin {
    type Err = BadTraceparent;

    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        Self::extract(&Alone(text)).ok_or(BadTraceparent)
    }
}

/// A `traceparent` without a `tracestate`.
struct Alone<'a>(&'a str);

impl Extractor for Alone<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_reads_as_written() {
        assert_eq!(TEXT.parse::<Origin>().unwrap().to_string(), TEXT);
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(BadTraceparent), "{text}");
        }
    }

    #[test]
    fn a_request_without_one_continues_nothing() {
        let mut headers = HeaderMap::new();
        assert_eq!(Origin::of_request(&headers), None);
        headers.insert(TRACEPARENT, http::HeaderValue::from_bytes(b"00-\xff").unwrap());
        assert_eq!(Origin::of_request(&headers), None);
        headers.insert(TRACEPARENT, http::HeaderValue::from_static(TEXT));
        assert_eq!(Origin::of_request(&headers), TEXT.parse().ok());
    }

    #[test]
    fn where_nothing_is_exported_there_is_no_origin() {
        let _entered = tracing::info_span!("of nobody").entered();
        assert_eq!(Origin::of_current(), None);
    }
}
