//! The members of a request, read in the words that this service answers with when they are wrong.
//!
//! Members that it does not know are ignored, as the service does. One that would change what is
//! made and that we do not offer is refused: see [`Members::refuse`].

use super::refusal::Failure;
use directlink_model::ids::AccountId;
use serde_json::{Map, Value};
use std::str::FromStr;

#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    object: &'a Map<String, Value>,
    /// `newPrivateVirtualInterface.`, for messages.
    path: String,
}

impl<'a> Members<'a> {
    pub(super) const fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, path: String::new() }
    }

    /// The two operations without parameters take none.
    pub(super) fn expect_none(&self) -> Result<(), Failure> {
        match self.object.is_empty() {
            true => Ok(()),
            false => Err(Failure::client("Operation doesn't expect any parameters")),
        }
    }

    /// `null` is as good as nothing: some clients write what they have not.
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// That it is given at all.
    pub(super) fn needed(&self, name: &str) -> Result<(), Failure> {
        self.value(name).map(drop).ok_or_else(|| self.missing(name))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        self.value(name).map(|v| v.as_str().ok_or_else(|| self.wrong(name, "a string"))).transpose()
    }

    pub(super) fn needed_text(&self, name: &str) -> Result<&'a str, Failure> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.value(name)
            .map(|v| v.as_i64().ok_or_else(|| self.wrong(name, "an integer")))
            .transpose()
    }

    pub(super) fn needed_integer(&self, name: &str) -> Result<i64, Failure> {
        self.integer(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn id<T: FromStr>(&self, name: &str, prefix: &str) -> Result<Option<T>, Failure> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Failure::client(format!("Invalid ID received: {text}. Expected format: {prefix}-"))
            })
        };
        self.text(name)?.map(parse).transpose()
    }

    pub(super) fn needed_id<T: FromStr>(&self, name: &str, prefix: &str) -> Result<T, Failure> {
        self.id(name, prefix)?.ok_or_else(|| self.missing(name))
    }

    /// osc-cli makes a number of an account's twelve digits.
    pub(super) fn needed_account(&self, name: &str) -> Result<AccountId, Failure> {
        let value = self.value(name).ok_or_else(|| self.missing(name))?;
        let text = match (value.as_str(), value.as_u64()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(number)) => format!("{number:012}"),
            (None, None) => return Err(self.wrong(name, "a string")),
        };
        text.parse().map_err(|_| {
            Failure::client(format!("Invalid {name} '{text}': an account has 12 digits"))
        })
    }

    pub(super) fn needed_object(&self, name: &str) -> Result<Self, Failure> {
        let value = self.value(name).ok_or_else(|| self.missing(name))?;
        let object = value.as_object().ok_or_else(|| self.wrong(name, "a structure"))?;
        Ok(Self { object, path: format!("{}{name}.", self.path) })
    }

    /// A list of texts; none given is an empty one.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, Failure> {
        let wrong = || self.wrong(name, "a list of strings");
        self.list(name)?.iter().map(|item| item.as_str().ok_or_else(wrong)).collect()
    }

    pub(super) fn integers(&self, name: &str) -> Result<Vec<i64>, Failure> {
        let wrong = || self.wrong(name, "a list of integers");
        self.list(name)?.iter().map(|item| item.as_i64().ok_or_else(wrong)).collect()
    }

    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, Failure> {
        let wrong = || self.wrong(name, "a list of structures");
        let object = |(n, item): (usize, &'a Value)| {
            let path = format!("{}{name}[{n}].", self.path);
            Ok(Self { object: item.as_object().ok_or_else(wrong)?, path })
        };
        self.list(name)?.iter().enumerate().map(object).collect()
    }

    fn list(&self, name: &str) -> Result<&'a [Value], Failure> {
        let Some(value) = self.value(name) else { return Ok(&[]) };
        value.as_array().map(Vec::as_slice).ok_or_else(|| self.wrong(name, "a list"))
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Failure> {
        self.value(name).map(|_| self.needed_object(name)).transpose()
    }

    /// Members that ask for what we do not offer: better a refusal than another thing than asked.
    pub(super) fn refuse(&self, names: &[&str]) -> Result<(), Failure> {
        let asked = |name: &&&str| {
            self.value(name).is_some_and(|value| !matches!(value, Value::Bool(false)))
        };
        match names.iter().find(asked) {
            Some(name) => Err(Failure::client(format!(
                "{}{name} is not supported by this endpoint",
                self.path
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn missing(&self, name: &str) -> Failure {
        Failure::client(format!("Field {}{name} is required", self.path))
    }

    fn wrong(&self, name: &str, kind: &str) -> Failure {
        Failure::client(format!("Invalid type, {}{name} must be {kind}", self.path))
    }
}
