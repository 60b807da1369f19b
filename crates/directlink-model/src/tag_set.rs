//! The tags of a connection, LAG or interface: words that an account keeps with it, for itself.
//!
//! Of a hosted interface both sides may keep some, each its own: nobody's labels are shown to,
//! or changed by, the other.

use crate::{
    fault::Fault,
    ids::{ConnectionId, InterfaceId, LagId},
};
use std::{collections::BTreeMap, fmt};

/// So many a resource.
pub const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// What can have tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tagged {
    Connection(ConnectionId),
    Lag(LagId),
    Interface(InterfaceId),
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(id) => id.fmt(f),
            Self::Lag(id) => id.fmt(f),
            Self::Interface(id) => id.fmt(f),
        }
    }
}

impl From<ConnectionId> for Tagged {
    fn from(id: ConnectionId) -> Self {
        Self::Connection(id)
    }
}

impl From<LagId> for Tagged {
    fn from(id: LagId) -> Self {
        Self::Lag(id)
    }
}

impl From<InterfaceId> for Tagged {
    fn from(id: InterfaceId) -> Self {
        Self::Interface(id)
    }
}

/// Good ones, a value a key, not more than [`TAGS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagSet(BTreeMap<String, String>);

impl TagSet {
    /// As given in one request: keys must differ.
    pub fn new(given: impl IntoIterator<Item = (String, String)>) -> Result<Self, Fault> {
        let mut tags = Self::default();
        for (key, value) in given {
            check("key", &key, 1..=KEY_MAX)?;
            check("value", &value, 0..=VALUE_MAX)?;
            if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
                let expected = "keys that begin with 'aws:' are reserved".into();
                return Err(Fault::BadValue { parameter: "key", given: key, expected });
            }
            if tags.0.contains_key(&key) {
                return Err(Fault::DuplicateTagKeys(key));
            }
            tags.0.insert(key, value);
        }
        tags.check_count()?;
        Ok(tags)
    }

    /// Adds these; a key that is there gets the new value.
    pub fn add(&mut self, more: &Self) -> Result<(), Fault> {
        let added = more.0.iter().map(|(key, value)| (key.clone(), value.clone()));
        self.0.extend(added);
        self.check_count()
    }

    /// Those that are not there are gone already.
    pub fn remove(&mut self, keys: &[String]) {
        self.0.retain(|key, _| !keys.contains(key));
    }

    /// In order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn check_count(&self) -> Result<(), Fault> {
        match self.0.len() <= TAGS_MAX {
            true => Ok(()),
            false => Err(Fault::TooManyTags { limit: TAGS_MAX }),
        }
    }
}

/// Counted in characters; none may move a cursor.
fn check(
    parameter: &'static str,
    text: &str,
    lengths: std::ops::RangeInclusive<usize>,
) -> Result<(), Fault> {
    let good = lengths.contains(&text.chars().count()) && !text.chars().any(char::is_control);
    match good {
        true => Ok(()),
        false => Err(Fault::BadValue {
            parameter,
            given: text.escape_default().to_string(),
            expected: format!(
                "it has {} to {} characters, none of them a control character",
                lengths.start(),
                lengths.end()
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[(&str, &str)]) -> Result<TagSet, Fault> {
        TagSet::new(list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn each_limit_is_kept_to_the_character() {
        let (key, value) = ("k".repeat(128), "é".repeat(256));
        for (key, value, expected) in [
            (key.as_str(), value.as_str(), "ok"),
            ("k", "", "ok"),
            ("", "v", "BadValue"),
            (&format!("{key}k"), "", "BadValue"),
            ("k", &format!("{value}é"), "BadValue"),
            ("k\n", "", "BadValue"),
            ("Aws:x", "", "BadValue"),
            ("éé", "", "ok"),
        ] {
            let got = match tags(&[(key, value)]) {
                Ok(_) => "ok",
                Err(Fault::BadValue { .. }) => "BadValue",
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(got, expected, "{key} {value}");
        }
        assert!(matches!(tags(&[("a", "1"), ("a", "2")]), Err(Fault::DuplicateTagKeys(_))));
    }

    #[test]
    fn the_51st_is_refused_and_a_new_value_is_not_one_more() {
        let many: Vec<_> = (0..50).map(|n| (n.to_string(), String::new())).collect();
        let mut full = TagSet::new(many).unwrap();
        full.add(&tags(&[("7", "new")]).unwrap()).unwrap();
        assert_eq!(full.iter().find(|(key, _)| *key == "7"), Some(("7", "new")));
        assert_eq!(
            full.clone().add(&tags(&[("x", "")]).unwrap()),
            Err(Fault::TooManyTags { limit: 50 })
        );
        full.remove(&["7".into(), "nothing".into()]);
        full.add(&tags(&[("x", "")]).unwrap()).unwrap();
        assert_eq!(full.iter().count(), 50);
    }
}
