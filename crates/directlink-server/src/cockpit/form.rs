//! Forms: what was sent, the fields that are shown, and what is wrong beside each.

use askama::Template;
use http::StatusCode;
use std::collections::BTreeMap;

/// What was sent: the last value of each name.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Without the blanks around it; empty where nothing was sent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field as it was filled in, with what is wrong beside it.
    pub(super) fn input(
        &self,
        complaints: &Complaints,
        (name, label): (&'static str, &'static str),
        hint: impl Into<String>,
        attributes: &'static str,
    ) -> Input {
        let (value, complaint) = (self.text(name).into(), complaints.on(name));
        Input { name, label, value, hint: hint.into(), complaint, attributes }
    }

    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// What is wrong, by field; the empty name stands for the form as a whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Complaints(BTreeMap<&'static str, String>);

impl Complaints {
    pub(super) fn none() -> Self {
        Self::default()
    }

    pub(super) fn one(field: &'static str, text: impl Into<String>) -> Self {
        Self([(field, text.into())].into())
    }

    pub(super) fn add(&mut self, field: &'static str, text: impl Into<String>) {
        self.0.insert(field, text.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of the page that shows them.
    pub(super) fn status(&self) -> StatusCode {
        match self.is_empty() {
            true => StatusCode::OK,
            false => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    pub(super) fn on(&self, field: &str) -> Option<String> {
        self.0.get(field).cloned()
    }

    /// Takes what `parsed` says, or complains beside the field.
    pub(super) fn take<T, E: ToString>(
        &mut self,
        field: &'static str,
        parsed: Result<T, E>,
    ) -> Option<T> {
        parsed.map_err(|why| self.add(field, sentence(&why.to_string()))).ok()
    }

    /// For the top of the form: links to the fields, in their order there.
    pub(super) fn summary(&self, order: &[&'static str]) -> Vec<(&'static str, String)> {
        let place = |field: &str| order.iter().position(|f| *f == field).unwrap_or(usize::MAX);
        let mut all: Vec<_> = self.0.iter().map(|(field, text)| (*field, text.clone())).collect();
        all.sort_by_key(|(field, _)| place(field));
        all
    }
}

/// The model's words as a sentence.
fn sentence(text: &str) -> String {
    let end = if text.ends_with('.') { "" } else { "." };
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}{end}", letters.as_str())
}

/// Above a form that came back.
#[derive(Template)]
#[template(path = "complaints.html")]
pub(super) struct Summary {
    pub(super) complaints: Vec<(&'static str, String)>,
}

/// One line to fill in.
#[derive(Template)]
#[template(path = "input.html")]
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) hint: String,
    pub(super) complaint: Option<String>,
    /// Ours, as they are: type, limits.
    pub(super) attributes: &'static str,
}

/// One of a few, each with its note.
#[derive(Template)]
#[template(path = "choice.html")]
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) legend: &'static str,
    pub(super) options: Vec<Choosable>,
    pub(super) hint: String,
    pub(super) complaint: Option<String>,
}

pub(super) struct Choosable {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) note: String,
    pub(super) chosen: bool,
    /// Shown, with the reason in its note, and not to be had.
    pub(super) closed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_stand_in_the_order_of_the_fields() {
        let mut complaints = Complaints::one("vlan", "b");
        complaints.add("asn", "c");
        complaints.add("", "whole");
        complaints.add("name", "a");
        let order: Vec<_> =
            complaints.summary(&["", "name", "vlan", "asn"]).into_iter().map(|c| c.0).collect();
        assert_eq!(order, ["", "name", "vlan", "asn"]);
    }

    #[test]
    fn what_a_word_says_becomes_a_sentence() {
        assert_eq!(sentence("a BGP key has letters"), "A BGP key has letters.");
        assert_eq!(sentence("1 is no VLAN."), "1 is no VLAN.");
        assert_eq!(sentence(""), ".");
    }
}
