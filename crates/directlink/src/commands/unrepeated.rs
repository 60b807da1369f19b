//! Settings that may have a password in them. clap repeats a value that it refuses; here what is wrong with it is said,
//! and no more.

use clap::{
    Arg, Command,
    builder::TypedValueParser,
    error::{Error, ErrorKind},
};
use std::{ffi::OsStr, fmt::Display, marker::PhantomData, str::FromStr};

/// Reads a `T`, whose own errors do not repeat what they were given either.
#[derive(Clone)]
pub(super) struct Unrepeated<T>(PhantomData<T>);

impl<T> Unrepeated<T> {
    pub(super) const PARSER: Self = Self(PhantomData);
}

impl<T> TypedValueParser for Unrepeated<T>
where
    T: FromStr<Err: Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let read = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
        read.and_then(|text| text.parse().map_err(|why: T::Err| why.to_string())).map_err(|why| {
            let arg = arg.map(Arg::to_string).unwrap_or_default();
            let said = format!("invalid value for '{arg}': {why}\n");
            Error::raw(ErrorKind::ValueValidation, said).with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::CommandLine;
    use clap::Parser;

    #[test]
    fn an_address_that_is_refused_is_not_repeated() {
        for (words, why) in [
            ("serve --state x --otlp-endpoint http://me:tops@c:4318", "a login in it"),
            ("agent --router r --otlp-endpoint ftp://me:tops@c", "a login in it"),
            ("serve --state x --store postgres://me:tops@h:port/d", "--store"),
            ("store copy postgres://me:tops@h:port/d sqlite:x", "<FROM>"),
        ] {
            let words = format!("directlink {words}");
            let Err(refused) = CommandLine::try_parse_from(words.split(' ')) else {
                panic!("taken: {words}");
            };
            let said = refused.to_string();
            assert!(said.contains(why) && !said.contains("tops"), "{words}:\n{said}");
        }
    }
}
