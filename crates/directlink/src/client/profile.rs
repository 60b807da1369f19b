//! Who a customer is, and where their Region: as osc-cli and the OUTSCALE SDKs are told.
//!
//! ```text
//!   a profile is named (--profile, OSC_PROFILE)   the file's, and from the environment what it lacks
//!   OSC_ACCESS_KEY is there                       the environment's
//!   neither                                       the file's `default`
//!
//!   endpoint   --endpoint · direct_link · api, without its path · osc-cli's `endpoint`
//! ```
//!
//! One address serves both APIs of a Region of ours, so the one that is configured will do.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// Who calls, and whom. Holds a secret: no `Debug`.
pub struct Profile {
    /// `https://host:port`
    pub endpoint: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
}

/// Where it is looked up. Words of the command line go before everything.
pub struct Sources<'a> {
    pub profile: Option<&'a str>,
    pub endpoint: Option<&'a str>,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// What `~/.osc/config.json` holds, where there is one.
    pub file: Option<&'a str>,
}

impl Profile {
    /// # Errors
    /// Something is missing, or the file is none; says what to give.
    pub fn find(sources: &Sources<'_>) -> Result<Self> {
        let variable = |name: &str| (sources.environment)(name).filter(|value| !value.is_empty());
        let named = sources.profile.map(str::to_owned).or_else(|| variable("OSC_PROFILE"));
        let in_file = match named.is_some() || variable("OSC_ACCESS_KEY").is_none() {
            true => in_file(sources.file, named.as_deref())?,
            false => Value::Null,
        };
        let text = |path: &str| in_file.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let one = |path: &str, name: &str| text(path).or_else(|| variable(name));
        let needed = |path: &str, name: &str| {
            let what = path.trim_start_matches('/');
            one(path, name).with_context(|| {
                format!("no {what}: set {name}, or `{what}` of a profile in ~/.osc/config.json")
            })
        };
        let cli = || {
            let scheme = if in_file["https"].as_bool().unwrap_or(true) { "https" } else { "http" };
            let endpoint = text("/endpoint")?;
            Some(if endpoint.contains("://") { endpoint } else { format!("{scheme}://{endpoint}") })
        };
        let endpoint = sources
            .endpoint
            .map(str::to_owned)
            .or_else(|| one("/endpoints/direct_link", "OSC_ENDPOINT_DIRECT_LINK"))
            .or_else(|| one("/endpoints/api", "OSC_ENDPOINT_API"))
            .or_else(cli)
            .context("which Region? --endpoint URL, or OSC_ENDPOINT_API, or `endpoints` of a profile in ~/.osc/config.json")?;
        Ok(Self {
            endpoint: origin(&endpoint)?,
            region: text("/region")
                .or_else(|| one("/region_name", "OSC_REGION"))
                .unwrap_or_else(|| "eu-west-2".to_owned()),
            access_key: needed("/access_key", "OSC_ACCESS_KEY")?,
            secret_key: needed("/secret_key", "OSC_SECRET_KEY")?,
        })
    }
}

fn in_file(text: Option<&str>, named: Option<&str>) -> Result<Value> {
    let name = named.unwrap_or("default");
    let Some(text) = text else {
        ensure!(named.is_none(), "there is no profile '{name}': ~/.osc/config.json does not exist");
        return Ok(Value::Null);
    };
    let profiles: Value = serde_json::from_str(text).context("~/.osc/config.json is not JSON")?;
    match profiles.get(name) {
        Some(profile) => Ok(profile.clone()),
        None if named.is_none() => Ok(Value::Null),
        None => bail!("~/.osc/config.json has no profile '{name}'"),
    }
}

/// Scheme, host and port of any address there.
fn origin(url: &str) -> Result<String> {
    let uri: http::Uri = url.parse().with_context(|| format!("'{url}' is no URL"))?;
    let host = uri.authority().with_context(|| format!("'{url}' has no host"))?;
    let scheme = uri.scheme_str().unwrap_or_default();
    ensure!(matches!(scheme, "http" | "https"), "'{url}': give an http:// or https:// address");
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
        "default": {"access_key": "FILE", "secret_key": "s", "region": "us-east-2",
                    "endpoints": {"api": "http://file:1/api/v1"}},
        "cli": {"access_key": "CLI", "secret_key": "s", "region_name": "r", "https": false,
                "endpoint": "cli:2"},
        "own": {"access_key": "OWN", "secret_key": "s",
                "endpoints": {"api": "http://file:1/api/v1", "direct_link": "http://own:3/"}},
        "keys": {"access_key": "KEYS", "secret_key": "s"},
        "tls": {"access_key": "TLS", "secret_key": "s", "endpoint": "cli:2"},
        "odd": {"access_key": "ODD", "secret_key": "s", "endpoint": "ftp://cli:2"}
    }"#;

    fn found(
        profile: Option<&str>,
        environment: &[(&str, &str)],
        file: bool,
    ) -> Result<[String; 3]> {
        let variable = |name: &str| {
            environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        let sources =
            Sources { profile, endpoint: None, environment: &variable, file: file.then_some(FILE) };
        let Profile { endpoint, region, access_key, .. } = Profile::find(&sources)?;
        Ok([access_key, region, endpoint])
    }

    #[test]
    fn a_named_profile_goes_before_the_environment_and_that_before_the_default_one() {
        let environment = [
            ("OSC_ACCESS_KEY", "ENV"),
            ("OSC_SECRET_KEY", "s"),
            ("OSC_ENDPOINT_API", "http://env:4/api/v1"),
        ];
        let file_profile = [("OSC_PROFILE", "cli")];
        for (profile, environment, file, expected) in [
            (None, &environment[..], true, ["ENV", "eu-west-2", "http://env:4"]),
            (None, &environment[..], false, ["ENV", "eu-west-2", "http://env:4"]),
            (None, &[], true, ["FILE", "us-east-2", "http://file:1"]),
            (Some("cli"), &environment[..], true, ["CLI", "r", "http://env:4"]),
            (Some("cli"), &[], true, ["CLI", "r", "http://cli:2"]),
            (None, &file_profile[..], true, ["CLI", "r", "http://cli:2"]),
            (Some("own"), &[], true, ["OWN", "eu-west-2", "http://own:3"]),
            (Some("tls"), &[], true, ["TLS", "eu-west-2", "https://cli:2"]),
            (Some("keys"), &environment[2..], true, ["KEYS", "eu-west-2", "http://env:4"]),
        ] {
            let got = found(profile, environment, file).unwrap();
            assert_eq!(got, expected, "{profile:?} {environment:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (profile, environment, file, expected) in [
            (None, &[][..], false, "OSC_ENDPOINT_API"),
            (None, &[("OSC_ENDPOINT_API", "http://env:4")][..], false, "OSC_ACCESS_KEY"),
            (Some("nobody"), &[], true, "no profile 'nobody'"),
            (Some("nobody"), &[], false, "does not exist"),
            (Some("keys"), &[], true, "OSC_ENDPOINT_API"),
            (Some("odd"), &[], true, "http:// or https://"),
        ] {
            let error = found(profile, environment, file).map(drop).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{profile:?}: {error:#}");
        }
    }
}
