//! From a row's texts and numbers to words, and back.

use super::Error;
use jiff::Timestamp;
use sqlx::{Row, any::AnyRow};
use std::{fmt::Display, str::FromStr};

/// Typed access to a row by column name.
pub(super) trait Columns {
    /// As it lies in the row.
    fn str(&self, column: &str) -> Result<&str, Error>;
    fn str_or_null(&self, column: &str) -> Result<Option<&str>, Error>;
    fn number(&self, column: &str) -> Result<i64, Error>;
    fn number_or_null(&self, column: &str) -> Result<Option<i64>, Error>;

    fn text(&self, column: &str) -> Result<String, Error> {
        self.str(column).map(str::to_owned)
    }

    fn text_or_null(&self, column: &str) -> Result<Option<String>, Error> {
        Ok(self.str_or_null(column)?.map(str::to_owned))
    }

    fn word<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, Error> {
        parse(column, self.str(column)?)
    }

    fn word_or_null<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, Error> {
        self.str_or_null(column)?.map(|text| parse(column, text)).transpose()
    }

    /// A number that a narrower type holds.
    fn narrow<T: TryFrom<i64, Error: Display>>(&self, column: &str) -> Result<T, Error> {
        let number = self.number(column)?;
        T::try_from(number).map_err(|e| unreadable(column, number, e))
    }

    fn narrow_or_null<T: TryFrom<i64, Error: Display>>(
        &self,
        column: &str,
    ) -> Result<Option<T>, Error> {
        let number = self.number_or_null(column)?;
        number
            .map(|number| T::try_from(number).map_err(|e| unreadable(column, number, e)))
            .transpose()
    }

    fn yes(&self, column: &str) -> Result<bool, Error> {
        Ok(self.number(column)? != 0)
    }

    fn time(&self, column: &str) -> Result<Timestamp, Error> {
        let us = self.number(column)?;
        Timestamp::from_microsecond(us).map_err(|e| unreadable(column, us, e))
    }

    fn time_or_null(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        self.number_or_null(column)?
            .map(|us| Timestamp::from_microsecond(us).map_err(|e| unreadable(column, us, e)))
            .transpose()
    }
}

impl Columns for AnyRow {
    fn str(&self, column: &str) -> Result<&str, Error> {
        Ok(self.try_get(column)?)
    }

    fn str_or_null(&self, column: &str) -> Result<Option<&str>, Error> {
        Ok(self.try_get(column)?)
    }

    fn number(&self, column: &str) -> Result<i64, Error> {
        Ok(self.try_get(column)?)
    }

    fn number_or_null(&self, column: &str) -> Result<Option<i64>, Error> {
        Ok(self.try_get(column)?)
    }
}

/// Microseconds, or NULL.
pub(super) fn us(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_microsecond)
}

pub(super) fn unreadable(column: &str, text: impl Display, why: impl Display) -> Error {
    Error::Unreadable { column: column.into(), text: text.to_string(), why: why.to_string() }
}

fn parse<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|why| unreadable(column, text, why))
}
