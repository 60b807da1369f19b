//! Takes OTLP over HTTP, and keeps all that it is told: decoded, and byte for byte.

use anyhow::{Context as _, Result, bail, ensure};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, KeyValue, any_value::Value},
};
use prost::Message as _;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

pub(super) struct Collector {
    pub(super) endpoint: String,
    seen: Arc<Mutex<Seen>>,
}

/// All that was told.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) spans: Vec<Span>,
    pub(super) logs: Vec<Line>,
    pub(super) bytes: Vec<u8>,
}

type Attributes = BTreeMap<String, String>;

#[derive(Clone, Debug)]
pub(super) struct Span {
    trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) name: String,
    began: u64,
    pub(super) ended: u64,
    pub(super) attributes: Attributes,
    pub(super) resource: Attributes,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) trace: String,
    pub(super) severity: String,
    pub(super) body: String,
}

impl Collector {
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let seen = Arc::<Mutex<Seen>>::default();
        let told = Arc::clone(&seen);
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = take(stream, &told) {
                    eprintln!("an export was not taken: {error:#}");
                }
            }
        });
        Ok(Self { endpoint, seen })
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One connection brings one export.
fn take(mut stream: TcpStream, told: &Mutex<Seen>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        ensure!(reader.read_line(&mut line)? > 0, "no end of the head");
        if line.trim().is_empty() {
            break;
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).context("a path")?;
    let mut seen = told.lock().unwrap_or_else(PoisonError::into_inner);
    match path {
        "/v1/traces" => seen.take_spans(ExportTraceServiceRequest::decode(&body[..])?),
        "/v1/logs" => seen.take_lines(ExportLogsServiceRequest::decode(&body[..])?),
        _ => bail!("{path}"),
    }
    seen.bytes.extend_from_slice(head.as_bytes());
    seen.bytes.extend(body);
    drop(seen);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(())
}

impl Seen {
    fn take_spans(&mut self, request: ExportTraceServiceRequest) {
        for resource in request.resource_spans {
            let whose = attributes(&resource.resource.unwrap_or_default().attributes);
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.spans.push(Span {
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    name: span.name,
                    began: span.start_time_unix_nano,
                    ended: span.end_time_unix_nano,
                    attributes: attributes(&span.attributes),
                    resource: whose.clone(),
                });
            }
        }
    }

    fn take_lines(&mut self, request: ExportLogsServiceRequest) {
        let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        for record in scopes.flat_map(|scope| scope.log_records) {
            self.logs.push(Line {
                trace: hex(&record.trace_id),
                severity: record.severity_text,
                body: word(record.body.as_ref()),
            });
        }
    }

    pub(super) fn of<'a>(&'a self, trace: &'a str) -> impl Iterator<Item = &'a Span> {
        self.spans.iter().filter(move |span| span.trace == trace)
    }

    /// The first of that name; of that port, if one is named.
    pub(super) fn one<'a>(&'a self, trace: &'a str, name: &str, port: &str) -> Result<&'a Span> {
        let scope = format!("port/{port}");
        let is_its = |span: &&Span| {
            let own = span.attributes.get("directlink.scope");
            span.name == name && (port.is_empty() || own == Some(&scope))
        };
        let drawn = || format!("no {name} of {scope} in\n{}", self.drawn(trace));
        self.of(trace).find(is_its).with_context(drawn)
    }

    /// As a tree, each with when it began after the first and how long it took.
    pub(super) fn drawn(&self, trace: &str) -> String {
        let mut spans: Vec<_> = self.of(trace).collect();
        spans.sort_by_key(|span| span.began);
        let zero = spans.first().map_or(0, |span| span.began);
        let ids: Vec<_> = spans.iter().map(|span| &span.id).collect();
        let roots = spans.iter().filter(|span| !ids.contains(&&span.parent));
        let mut text = String::new();
        for root in roots {
            draw(&mut text, (&spans, zero), root, 0);
        }
        text
    }
}

fn draw(text: &mut String, (spans, zero): (&[&Span], u64), span: &Span, depth: usize) {
    let milliseconds =
        |from: u64, to: u64| std::time::Duration::from_nanos(to - from).as_secs_f64() * 1e3;
    let name = format!("{:depth$}{}", "", span.name, depth = depth * 2);
    let (after, took) = (milliseconds(zero, span.began), milliseconds(span.began, span.ended));
    let service = span.resource.get("service.name").map_or("", String::as_str);
    let scope = span.attributes.get("directlink.scope").map_or("", String::as_str);
    writeln!(text, "{name:<36} {after:>7.1} ms  +{took:>6.1} ms  {service:<17}  {scope}").ok();
    for child in spans.iter().filter(|child| child.parent == span.id) {
        draw(text, (spans, zero), child, depth + 1);
    }
}

fn attributes(pairs: &[KeyValue]) -> Attributes {
    pairs.iter().map(|pair| (pair.key.clone(), word(pair.value.as_ref()))).collect()
}

fn word(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}
