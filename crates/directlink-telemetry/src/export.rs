//! The way out of this process: two queues that never grow beyond their bounds, and what empties them.

use crate::{courier::Courier, settings::Settings};
use http::Uri;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider, trace::SdkTracerProvider};
use std::{io, path::PathBuf, time::Duration};
use thiserror::Error;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::{
    Layer,
    filter::{FilterFn, LevelFilter},
    registry::LookupSpan,
};

/// What the last queue holds has so long to be sent, each kind: less than a service manager waits.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whose spans and log lines are exported. What sends them speaks of itself as well, and would never be done.
const OURS: &str = "directlink";

#[derive(Debug, Error)]
pub enum ExportError {
    #[error("cannot start the runtime of what exports traces and logs")]
    Runtime(#[source] io::Error),
    #[error("this machine's certificates cannot be read")]
    Roots(#[source] io::Error),
    #[error("OTEL_EXPORTER_OTLP_CERTIFICATE, {}: {why}", path.display())]
    Authorities { path: PathBuf, why: String },
    #[error("traces and logs cannot be exported")]
    Exporter(#[from] ExporterBuildError),
}

/// What is exported goes through here, until [`Export::end`].
#[derive(Debug)]
pub struct Export {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

impl Export {
    /// Dials nobody yet.
    ///
    /// # Errors
    /// Certificates cannot be read, or a variable of the standard has a value that means nothing.
    pub fn start(settings: &Settings) -> Result<Self, ExportError> {
        let resource = resource(settings);
        let traces = settings.traces.as_ref().map(|to| traces(settings, to, &resource));
        let logs = settings.logs.as_ref().map(|to| logs(settings, to, &resource));
        Ok(Self { traces: traces.transpose()?, logs: logs.transpose()? })
    }

    /// They take spans, and events down to `level`, from a subscriber.
    pub fn layers<S>(&self, level: LevelFilter) -> Vec<Box<dyn Layer<S> + Send + Sync>>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let mut layers: Vec<Box<dyn Layer<S> + Send + Sync>> = Vec::new();
        if let Some(provider) = &self.traces {
            let layer = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(OURS))
                .with_location(false)
                .with_tracked_inactivity(false)
                .with_threads(false)
                .with_target(false)
                .with_level(false);
            let is_span = |it: &Metadata<'_>| it.is_span() && is_ours(it);
            let filter = FilterFn::new(is_span).with_max_level_hint(LevelFilter::INFO);
            layers.push(layer.with_filter(filter).boxed());
        }
        if let Some(provider) = &self.logs {
            let is_line =
                move |it: &Metadata<'_>| it.is_event() && is_ours(it) && *it.level() <= level;
            let filter = FilterFn::new(is_line).with_max_level_hint(level);
            layers.push(OpenTelemetryTracingBridge::new(provider).with_filter(filter).boxed());
        }
        layers
    }

    /// Sends what is still there, or gives up in good time. Not from within a runtime: it waits.
    pub fn end(&self) {
        // What cannot be sent is lost, and has been told by the courier.
        if let Some(traces) = &self.traces {
            let _ = traces.shutdown_with_timeout(FAREWELL);
        }
        if let Some(logs) = &self.logs {
            let _ = logs.shutdown_with_timeout(FAREWELL);
        }
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with(OURS)
}

/// The standard's variables come before what is said here.
fn resource(settings: &Settings) -> Resource {
    let mut resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if let Some(service) = &settings.service {
        resource = resource.with_service_name(service.clone());
    }
    if let Some(instance) = &settings.instance {
        resource = resource.with_attribute(KeyValue::new("service.instance.id", instance.clone()));
    }
    resource.build()
}

/// Sampled as `OTEL_TRACES_SAMPLER` says, queued as `OTEL_BSP_…`.
fn traces(
    settings: &Settings,
    to: &Uri,
    resource: &Resource,
) -> Result<SdkTracerProvider, ExportError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Courier::new(settings)?)
        .with_timeout(settings.timeout)
        .with_endpoint(to.to_string())
        .build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
    Ok(provider.with_resource(resource.clone()).build())
}

/// Queued as `OTEL_BLRP_…` says.
fn logs(
    settings: &Settings,
    to: &Uri,
    resource: &Resource,
) -> Result<SdkLoggerProvider, ExportError> {
    let exporter = LogExporter::builder()
        .with_http()
        .with_http_client(Courier::new(settings)?)
        .with_timeout(settings.timeout)
        .with_endpoint(to.to_string())
        .build()?;
    let provider = SdkLoggerProvider::builder().with_batch_exporter(exporter);
    Ok(provider.with_resource(resource.clone()).build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::TcpListener,
        thread::{self, JoinHandle},
    };
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// What each of so many exports says, answered with this status.
    fn collector(exports: usize, status: &'static str) -> (String, JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let told = thread::spawn(move || {
            let mut told = Vec::new();
            for _ in 0..exports {
                let (mut stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).unwrap() > 2 {
                    let said = line.to_lowercase();
                    let said = said.strip_prefix("content-length:").map(str::trim);
                    length = said.map_or(length, |said| said.parse().unwrap());
                    line.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                told.extend(body);
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
            told
        });
        (address, told)
    }

    fn export(collector: &str) -> Export {
        let collector = collector.parse().unwrap();
        let settings = Settings::new(&collector, ("directlink-test", Some("x")), |_| None);
        Export::start(&settings.unwrap().unwrap()).unwrap()
    }

    fn speak(export: &Export) {
        let subscriber = tracing_subscriber::registry().with(export.layers(LevelFilter::INFO));
        with_default(subscriber, || {
            let _ours = tracing::info_span!("our span").entered();
            let _theirs = tracing::info_span!(target: "hyper", "their span").entered();
            tracing::info!("our line");
            tracing::debug!("our whisper");
            tracing::info!(target: "hyper", "their line");
        });
    }

    #[test]
    fn the_end_sends_what_is_ours_and_nothing_of_what_sends_it() {
        let (address, told) = collector(2, "200 OK");
        let export = export(&address);
        speak(&export);
        export.end();
        let told = String::from_utf8_lossy(&told.join().unwrap()).into_owned();
        for said in ["directlink-test", "our span", "our line"] {
            assert!(told.contains(said), "{said}: {told}");
        }
        for unsaid in ["their span", "their line", "our whisper"] {
            assert!(!told.contains(unsaid), "{unsaid}: {told}");
        }
    }

    #[test]
    fn the_end_is_not_held_up_by_a_collector_that_refuses_or_is_not_there() {
        let (refusing, told) = collector(2, "400 Bad Request");
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for address in [refusing, format!("http://{nobody}")] {
            let export = export(&address);
            speak(&export);
            export.end();
        }
        told.join().unwrap();
    }
}
