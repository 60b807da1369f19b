//! Reading many: filters, then a page of what they leave.
//!
//! Each resource lists its filters once, each with how it is answered: a filter that is taken but
//! has no effect cannot be written. Values of one filter are alternatives, filters add up, an empty
//! list matches nothing, an unknown or malformed value matches nothing.

use super::{
    Call, Members, Outcome, dates,
    params::{DRY_RUN, Field, Kind, Params, check, optional},
    refusal::{Code, Failure},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::str::FromStr;

/// What a resource can be filtered by.
pub(super) trait Listed: Sized + 'static {
    const FILTERS: &'static [Filter<Self>];
}

pub(super) enum Filter<T> {
    Texts(&'static str, fn(&T) -> Vec<String>),
    Integers(&'static str, fn(&T) -> Vec<i64>),
    Flag(&'static str, fn(&T) -> Vec<bool>),
    /// At or after a date.
    From(&'static str, fn(&T) -> Timestamp),
    /// Before the end of a date.
    Until(&'static str, fn(&T) -> Timestamp),
}

impl<T> Filter<T> {
    pub(super) const fn field(&self) -> Field<'static> {
        match self {
            Self::Texts(name, _) => optional(name, Kind::Texts),
            Self::Integers(name, _) => optional(name, Kind::Integers),
            Self::Flag(name, _) => optional(name, Kind::Flag),
            Self::From(name, _) | Self::Until(name, _) => optional(name, Kind::Text),
        }
    }

    fn admits(&self, wanted: Params<'_>, item: &T) -> bool {
        match self {
            Self::Texts(name, values) => wanted
                .texts(name)
                .is_none_or(|wanted| values(item).iter().any(|v| wanted.contains(&v.as_str()))),
            Self::Integers(name, values) => wanted
                .integers(name)
                .is_none_or(|wanted| values(item).iter().any(|v| wanted.contains(v))),
            Self::Flag(name, values) => {
                wanted.flag(name).is_none_or(|wanted| values(item).contains(&wanted))
            }
            Self::From(name, at) => wanted
                .text(name)
                .is_none_or(|text| dates::from(text).is_some_and(|from| at(item) >= from)),
            Self::Until(name, at) => wanted
                .text(name)
                .is_none_or(|text| dates::until(text).is_some_and(|until| at(item) < until)),
        }
    }
}

/// For filters on what our objects never have, tags for example: they match nothing.
pub(super) fn none<T, V>(_: &T) -> Vec<V> {
    vec![]
}

/// The largest page, and the page of those who do not say.
const PAGE_MAX: usize = 1000;
/// Tokens are opaque to clients; this is what is in ours, before the number of the first item.
const TOKEN_PREFIX: &str = "from:";

/// A checked request for a list.
pub(super) struct List<'a> {
    filters: Option<Params<'a>>,
    first: usize,
    count: usize,
}

impl<'a> List<'a> {
    /// `own`: parameters beside `Filters`, the two of paging and `DryRun`.
    pub(super) fn read<T: Listed>(call: &'a Call<'_>, own: &[Field<'_>]) -> Result<Self, Failure> {
        let paging =
            [optional("NextPageToken", Kind::Text), optional("ResultsPerPage", Kind::Integer)];
        let mut list = Self::read_with::<T>(call, &[own, &paging].concat())?;
        let params = call.params();
        list.first = params.text("NextPageToken").map_or(Ok(0), first_of)?;
        list.count = params.integer("ResultsPerPage").map_or(Ok(PAGE_MAX), page_size)?;
        Ok(list)
    }

    /// Of the few actions that have no pages, or pages of their own kind.
    pub(super) fn read_whole<T: Listed>(
        call: &'a Call<'_>,
        own: &[Field<'_>],
    ) -> Result<Self, Failure> {
        Self::read_with::<T>(call, own)
    }

    fn read_with<T: Listed>(call: &'a Call<'_>, own: &[Field<'_>]) -> Result<Self, Failure> {
        let filters: Vec<_> = T::FILTERS.iter().map(Filter::field).collect();
        let mut fields = [own, &[DRY_RUN]].concat();
        if !filters.is_empty() {
            fields.push(optional("Filters", Kind::Object(&filters)));
        }
        check(call.given, &fields)?;
        Ok(Self { filters: call.params().object("Filters"), first: 0, count: PAGE_MAX })
    }

    /// The ids of a filter, to load no more than these: those that are ids at all.
    pub(super) fn ids<T: FromStr>(&self, name: &str) -> Option<Vec<T>> {
        let texts = self.filters?.texts(name)?;
        Some(texts.into_iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// Whether every filter that was given wants it.
    pub(super) fn admits<T: Listed>(&self, item: &T) -> bool {
        self.filters
            .is_none_or(|wanted| T::FILTERS.iter().all(|filter| filter.admits(wanted, item)))
    }

    /// The page of `items` that was asked for, as the member `name` of the answer.
    pub(super) fn answer<T: Listed, W: Serialize>(
        &self,
        name: &str,
        items: &[T],
        wire: impl Fn(&T) -> W,
    ) -> Outcome {
        let mut rest = items.iter().filter(|item| self.admits(*item)).skip(self.first);
        let page: Vec<_> = rest.by_ref().take(self.count).map(&wire).collect();
        let mut members = Members::new();
        members.insert(name.into(), json!(page));
        if rest.next().is_some() {
            let token = format!("{TOKEN_PREFIX}{}", self.first + self.count);
            members.insert("NextPageToken".into(), json!(BASE64_STANDARD.encode(token)));
        }
        Ok(members)
    }
}

pub(super) fn page_size(wanted: i64) -> Result<usize, Failure> {
    usize::try_from(wanted).ok().filter(|n| (1..=PAGE_MAX).contains(n)).ok_or_else(|| {
        Failure::coded_value(Code::PAGE_SIZE, "ResultsPerPage", wanted, "give 1 to 1000")
    })
}

fn first_of(token: &str) -> Result<usize, Failure> {
    let decoded = BASE64_STANDARD.decode(token).ok().and_then(|b| String::from_utf8(b).ok());
    decoded.and_then(|text| text.strip_prefix(TOKEN_PREFIX)?.parse().ok()).ok_or_else(|| {
        let expected = "give the NextPageToken of the page before";
        Failure::coded_value(Code::PAGE_TOKEN, "NextPageToken", token, expected)
    })
}
