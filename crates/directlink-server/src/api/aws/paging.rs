//! Pages of a list: `maxResults` and `nextToken`.
//!
//! A token is the place of the last item that was given, so that what comes and goes between two
//! pages neither repeats an item nor hides one.

use super::{members::Members, refusal::Failure};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fmt::Display;

/// AWS: a larger number gives so many.
const RESULTS_MAX: usize = 100;

/// What a caller wants to see of a list.
#[derive(Debug)]
pub(super) struct Page {
    /// `None`: all.
    max: Option<usize>,
    after: Option<String>,
}

impl Page {
    pub(super) fn asked(given: &Members<'_>) -> Result<Self, Failure> {
        let max = match given.integer("maxResults")? {
            None => None,
            Some(number) => match usize::try_from(number) {
                Ok(number @ 1..) => Some(number.min(RESULTS_MAX)),
                Ok(0) | Err(_) => {
                    let text = format!("Invalid maxResults {number}: give a number from 1 to 100");
                    return Err(Failure::client(text));
                }
            },
        };
        let after = given.text("nextToken")?.map(read).transpose()?;
        Ok(Self { max, after })
    }

    /// Whether it is the whole list.
    pub(super) fn is_all(&self) -> bool {
        self.max.is_none() && self.after.is_none()
    }

    /// The items of this page and the token of the next, if there is one. `key` says an item's
    /// place; the list is in its order.
    pub(super) fn of<T>(
        &self,
        list: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let follows = |item: &T| self.after.as_ref().is_none_or(|after| key(item) > *after);
        let mut rest: Vec<T> = list.into_iter().filter(follows).collect();
        let is_more = self.max.is_some_and(|max| rest.len() > max);
        rest.truncate(self.max.unwrap_or(usize::MAX));
        let last = rest.last().filter(|_| is_more).map(|item| token(&key(item)));
        (rest, last)
    }
}

/// The place of what was made then, among others of its moment.
pub(super) fn position(made_at: Timestamp, id: impl Display) -> String {
    format!("{:020}/{id}", made_at.as_microsecond())
}

/// The answer with the token of what follows.
pub(super) fn with_next(mut answer: Value, next: Option<String>) -> Value {
    if let Some(token) = next {
        answer["nextToken"] = json!(token);
    }
    answer
}

fn token(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn read(token: &str) -> Result<String, Failure> {
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| Failure::client("Invalid nextToken: give the one of the page before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(given: Value) -> Result<Page, Failure> {
        Page::asked(&Members::new(given.as_object().unwrap()))
    }

    #[test]
    fn pages_together_are_the_list_whatever_leaves_it_meanwhile() {
        let mut list: Vec<u32> = (100..350).collect();
        let mut seen = vec![];
        let mut given = json!({"maxResults": 1000});
        loop {
            let (items, next) = page(given).unwrap().of(list.clone(), u32::to_string);
            assert!(items.len() <= 100);
            seen.extend(items);
            let Some(next) = next else { break };
            // The very item that the token names goes.
            list.retain(|item| seen.last() != Some(item));
            given = json!({"nextToken": next, "maxResults": 70});
        }
        assert_eq!(seen, (100..350).collect::<Vec<_>>());
    }

    #[test]
    fn without_a_number_all_comes_and_nonsense_is_refused() {
        let (items, next) = page(json!({})).unwrap().of(vec![1; 500], u32::to_string);
        assert_eq!((items.len(), next), (500, None));
        for bad in [json!({"maxResults": 0}), json!({"maxResults": -1}), json!({"nextToken": "%"})]
        {
            assert!(page(bad.clone()).is_err(), "{bad}");
        }
    }
}
