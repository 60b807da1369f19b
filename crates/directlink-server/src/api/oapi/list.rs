//! Reading many: filters, then a page of what they leave.
//!
//! Each resource lists its filters once, each with how it is answered: a filter that is taken but
//! has no effect cannot be written. Values of one filter are alternatives, filters add up, an empty
//! list matches nothing, an unknown or malformed value matches nothing.

use super::{
    Call, Members, Outcome,
    params::{DRY_RUN, Field, Kind, Params, check, optional},
    refusal::{Code, Failure},
};
use base64::{Engine, prelude::BASE64_STANDARD};
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
}

impl<T> Filter<T> {
    pub(super) const fn field(&self) -> Field<'static> {
        match self {
            Self::Texts(name, _) => optional(name, Kind::Texts),
            Self::Integers(name, _) => optional(name, Kind::Integers),
            Self::Flag(name, _) => optional(name, Kind::Flag),
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
        Self::read_with::<T>(call, &[own, &paging].concat())
    }

    /// Of the few actions that have no pages.
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
        let params = call.params();
        Ok(Self {
            filters: params.object("Filters"),
            first: params.text("NextPageToken").map_or(Ok(0), first_of)?,
            count: params.integer("ResultsPerPage").map_or(Ok(PAGE_MAX), page_size)?,
        })
    }

    /// The ids of a filter, to load no more than these: those that are ids at all.
    pub(super) fn ids<T: FromStr>(&self, name: &str) -> Option<Vec<T>> {
        let texts = self.filters?.texts(name)?;
        Some(texts.into_iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// The page of `items` that was asked for, as the member `name` of the answer.
    pub(super) fn answer<T: Listed, W: Serialize>(
        &self,
        name: &str,
        items: &[T],
        wire: impl Fn(&T) -> W,
    ) -> Outcome {
        let admitted = |item: &&T| {
            self.filters
                .is_none_or(|wanted| T::FILTERS.iter().all(|filter| filter.admits(wanted, item)))
        };
        let mut rest = items.iter().filter(admitted).skip(self.first);
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

fn page_size(wanted: i64) -> Result<usize, Failure> {
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
