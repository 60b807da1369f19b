//! What a page of rows is narrowed by, for lists that are too long to be read whole.

use super::interfaces::GoneBefore;
use directlink_model::ids::AccountId;
use jiff::Timestamp;

/// The row that a page comes after, in order of creation.
#[derive(Clone, Debug)]
pub(crate) struct After {
    pub(crate) at: Timestamp,
    pub(crate) id: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Narrowed {
    /// `None`: everybody's.
    pub(crate) account: Option<AccountId>,
    pub(crate) gone: GoneBefore,
    pub(crate) after: Option<After>,
    pub(crate) text: String,
    pub(crate) rows: usize,
}

impl Narrowed {
    pub(super) fn after_us(&self) -> i64 {
        self.after.as_ref().map_or(i64::MIN, |after| after.at.as_microsecond())
    }

    pub(super) fn after_id(&self) -> String {
        self.after.as_ref().map_or_else(String::new, |after| after.id.clone())
    }

    pub(super) fn limit(&self) -> i64 {
        i64::try_from(self.rows).unwrap_or(i64::MAX)
    }

    /// For LIKE with `\` before what it would read otherwise. The database knows lower case of ASCII
    /// alone: what has other letters is left to whoever looks at the rows.
    pub(super) fn pattern(&self) -> String {
        let text = self.text.trim().to_lowercase();
        if !text.is_ascii() {
            return "%".into();
        }
        let escape = |c: char| match c {
            '%' | '_' | '\\' => vec!['\\', c],
            c => vec![c],
        };
        let inner: String = text.chars().flat_map(escape).collect();
        format!("%{inner}%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_for_the_text_as_it_is() {
        let pattern = |text: &str| {
            let (account, after, text, rows) = (None, None, text.to_owned(), 1);
            Narrowed { account, gone: GoneBefore::EVER, after, text, rows }.pattern()
        };
        for (text, expected) in [
            ("", "%%"),
            (" Paris ", "%paris%"),
            ("100%", "%100\\%%"),
            ("a_b\\", "%a\\_b\\\\%"),
            ("Élysée", "%"),
        ] {
            assert_eq!(pattern(text), expected);
        }
    }
}
