//! Links as the kernel has them, read through `ip -json link`.

use crate::tool;
use anyhow::{Context as _, Result};
use serde::Deserialize;

/// One link of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Link {
    #[serde(rename = "ifindex")]
    pub(crate) index: u32,
    #[serde(rename = "ifname")]
    pub(crate) name: String,
    #[serde(default)]
    flags: Vec<String>,
    /// What we wrote on it.
    #[serde(rename = "ifalias", default)]
    pub(crate) alias: Option<String>,
}

impl Link {
    /// It was set up.
    pub(crate) fn is_up(&self) -> bool {
        self.has("UP")
    }

    /// It is up, and so is its far end.
    pub(crate) fn has_carrier(&self) -> bool {
        self.has("LOWER_UP")
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }
}

/// All links of a namespace.
pub(crate) fn list(netns: &str) -> Result<Vec<Link>> {
    let text = tool::output("ip", ["-n", netns, "-json", "link", "show"])?;
    parse(&text).with_context(|| format!("the links of namespace '{netns}'"))
}

/// Deletes links, and is content with those that the kernel is taking away by itself meanwhile,
/// as it does some time after the namespace of the far end is gone.
pub(crate) fn delete(netns: &str, names: &[String]) -> Result<()> {
    let lines: Vec<_> = names.iter().map(|name| format!("link delete {name}")).collect();
    match tool::ip_all(netns, &lines) {
        Err(error) if list(netns)?.iter().any(|link| names.contains(&link.name)) => Err(error),
        _ => Ok(()),
    }
}

fn parse(text: &str) -> Result<Vec<Link>> {
    serde_json::from_str(text).with_context(|| format!("not what ip -json prints: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrier_and_alias_are_read() {
        let links = parse(
            r#"[{"ifindex":2,"ifname":"trunk0.0","flags":["NO-CARRIER","BROADCAST","UP"],"ifalias":"a/b"},
                {"ifindex":3,"ifname":"port0.0","flags":["BROADCAST","UP","LOWER_UP"]}]"#,
        )
        .unwrap();
        let seen: Vec<_> = links
            .iter()
            .map(|l| (l.index, l.is_up(), l.has_carrier(), l.alias.as_deref()))
            .collect();
        assert_eq!(seen, [(2, true, false, Some("a/b")), (3, true, true, None)]);
    }
}
