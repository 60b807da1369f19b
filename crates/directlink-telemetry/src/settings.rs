//! What an operator says: where the Collector is, and the standard's own variables for all else.

use http::Uri;
use std::{ffi::OsString, fmt, path::PathBuf, str::FromStr, time::Duration};
use thiserror::Error;

/// As the standard has it where nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The address of whoever takes OTLP over HTTP; traces and logs have their paths below it.
///
/// Empty is none, as the standard has it of variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collector(Option<Uri>);

#[derive(Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("not an address as http://127.0.0.1:4318")]
    Address,
    #[error("a login in it would be seen in lists of settings: use OTEL_EXPORTER_OTLP_HEADERS")]
    Login,
    #[error(
        "OTEL_EXPORTER_OTLP_PROTOCOL is '{0}': only http/protobuf is spoken here, which is at port 4318 of most"
    )]
    Protocol(String),
}

impl FromStr for Collector {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let uri: Uri = text.parse().map_err(|_| SettingsError::Address)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => Err(SettingsError::Login),
            Some(_) if is_http && uri.query().is_none() => Ok(Self(Some(uri))),
            _ => Err(SettingsError::Address),
        }
    }
}

impl fmt::Display for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |uri| uri.fmt(f))
    }
}

/// One of the two kinds of things that are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
}

impl Signal {
    const fn variable(self) -> &'static str {
        match self {
            Self::Traces => "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            Self::Logs => "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        }
    }

    const fn exporter(self) -> &'static str {
        match self {
            Self::Traces => "OTEL_TRACES_EXPORTER",
            Self::Logs => "OTEL_LOGS_EXPORTER",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Traces => "v1/traces",
            Self::Logs => "v1/logs",
        }
    }
}

/// All that is said; what is exported, if anything, and as whose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `directlink-server`, unless a variable says otherwise.
    pub(crate) service: Option<String>,
    /// Which of several of that service.
    pub(crate) instance: Option<String>,
    pub(crate) traces: Option<Uri>,
    pub(crate) logs: Option<Uri>,
    /// PEM of the authorities that are believed, instead of this machine's.
    pub(crate) authorities: Option<PathBuf>,
    /// An export takes no longer.
    pub(crate) timeout: Duration,
}

impl Settings {
    /// `service`, one `instance` of it, and what `variable` says. `None`: nothing is exported.
    ///
    /// # Errors
    /// Another protocol than ours is asked for, or a variable's address is none.
    pub fn new(
        collector: &Collector,
        (service, instance): (&str, Option<&str>),
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, SettingsError> {
        // Empty is unset.
        let variable = |name: &str| {
            variable(name)?.into_string().ok().filter(|value| !value.trim().is_empty())
        };
        let is_said = |name: &str, word: &str| {
            variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word))
        };
        if is_said("OTEL_SDK_DISABLED", "true") {
            return Ok(None);
        }
        let endpoint = |signal: Signal| {
            if is_said(signal.exporter(), "none") {
                return Ok(None);
            }
            match variable(signal.variable()) {
                Some(own) => own.parse().map(|Collector(own)| own),
                None => Ok(collector.0.as_ref().and_then(|base| below(base, signal.path()))),
            }
        };
        let (traces, logs) = (endpoint(Signal::Traces)?, endpoint(Signal::Logs)?);
        if traces.is_none() && logs.is_none() {
            return Ok(None);
        }
        let protocol = variable("OTEL_EXPORTER_OTLP_PROTOCOL");
        if let Some(other) = protocol.filter(|protocol| protocol != "http/protobuf") {
            return Err(SettingsError::Protocol(other));
        }
        let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let is_attribute = |name: &str| {
            attributes.split(',').any(|one| one.split('=').next().map(str::trim) == Some(name))
        };
        let is_named = variable("OTEL_SERVICE_NAME").is_some() || is_attribute("service.name");
        let instance = instance.filter(|_| !is_attribute("service.instance.id"));
        let milliseconds = variable("OTEL_EXPORTER_OTLP_TIMEOUT").and_then(|ms| ms.parse().ok());
        Ok(Some(Self {
            service: (!is_named).then(|| service.to_owned()),
            instance: instance.map(str::to_owned),
            traces,
            logs,
            authorities: variable("OTEL_EXPORTER_OTLP_CERTIFICATE").map(PathBuf::from),
            timeout: milliseconds.map_or(TIMEOUT, Duration::from_millis),
        }))
    }

    pub(crate) fn is_secure(&self) -> bool {
        let both = self.traces.iter().chain(&self.logs);
        both.into_iter().any(|uri| uri.scheme_str() == Some("https"))
    }
}

/// A path below an address that may have one itself.
fn below(base: &Uri, path: &str) -> Option<Uri> {
    format!("{}/{path}", base.to_string().trim_end_matches('/')).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(
        collector: &str,
        variables: &[(&str, &str)],
    ) -> Result<Option<Settings>, SettingsError> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Settings::new(&collector.parse()?, ("directlink-agent", Some("par1-a")), variable)
    }

    #[test]
    fn each_signal_has_its_path_below_the_collector_or_an_address_of_its_own() {
        for (collector, variables, traces, logs) in [
            (
                "http://c:4318",
                &[][..],
                Some("http://c:4318/v1/traces"),
                Some("http://c:4318/v1/logs"),
            ),
            ("http://c/x/", &[][..], Some("http://c/x/v1/traces"), Some("http://c/x/v1/logs")),
            (
                "https://c",
                &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/own")][..],
                Some("http://t/own"),
                Some("https://c/v1/logs"),
            ),
            ("http://c", &[("OTEL_LOGS_EXPORTER", "none")][..], Some("http://c/v1/traces"), None),
            (
                "",
                &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l/v1/logs")][..],
                None,
                Some("http://l/v1/logs"),
            ),
        ] {
            let settings = settings(collector, variables).unwrap().unwrap();
            let texts = [settings.traces, settings.logs].map(|uri| uri.map(|uri| uri.to_string()));
            assert_eq!(texts, [traces, logs].map(|text| text.map(str::to_owned)), "{collector}");
        }
    }

    #[test]
    fn nothing_is_exported_unless_somebody_says_where_to() {
        for (collector, variables) in [
            ("", &[][..]),
            ("", &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", " ")][..]),
            ("http://c", &[("OTEL_SDK_DISABLED", "TRUE")][..]),
            ("http://c", &[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_LOGS_EXPORTER", "none")][..]),
        ] {
            assert!(settings(collector, variables).unwrap().is_none(), "{collector} {variables:?}");
        }
    }

    #[test]
    fn names_of_the_standards_variables_come_before_ours() {
        for (variables, service, instance) in [
            (&[][..], Some("directlink-agent"), Some("par1-a")),
            (&[("OTEL_SERVICE_NAME", "x")][..], None, Some("par1-a")),
            (
                &[("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=x,service.instance.id=y")][..],
                None,
                None,
            ),
        ] {
            let settings = settings("http://c", variables).unwrap().unwrap();
            assert_eq!(settings.service.as_deref(), service, "{variables:?}");
            assert_eq!(settings.instance.as_deref(), instance, "{variables:?}");
        }
    }

    #[test]
    fn an_address_that_is_none_and_another_protocol_are_refused() {
        for text in ["c:4318", "ftp://c", "http://", "http://c/?a=b", "/v1", "http://c d"] {
            assert_eq!(text.parse::<Collector>(), Err(SettingsError::Address), "{text}");
        }
        assert_eq!("http://me:secret@c".parse::<Collector>(), Err(SettingsError::Login));
        let grpc = settings("http://c", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
        assert_eq!(grpc.unwrap_err(), SettingsError::Protocol("grpc".into()));
    }

    #[test]
    fn an_address_reads_as_written_but_for_its_last_slash() {
        for text in ["", "http://c:4318/", "https://c/otlp"] {
            assert_eq!(text.parse::<Collector>().unwrap().to_string(), text);
        }
    }
}
