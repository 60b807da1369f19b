//! The parameters of a request, described as data and checked before any rule is asked.
//!
//! ```text
//!   unknown (3001) → missing (7000) → wrong JSON type (4110) → id syntax (4104, 4105)
//!   each over all parameters, nested ones too; then the action runs, and values are judged
//! ```
//!
//! That order is the service's own: a malformed gateway id is reported even when the DirectLink of
//! the same request does not exist. A description is data so that a test can hold it against the
//! published schema.

use super::refusal::{Code, Failure};
use directlink_model::ids::BadId;
use serde_json::{Map, Value};
use std::str::FromStr;

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'f> {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) kind: Kind<'f>,
}

/// What JSON it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'f> {
    Text,
    Integer,
    Flag,
    /// Prefix, hyphen, eight hexadecimal digits.
    Id(fn(&str) -> Result<(), BadId>),
    Texts,
    Integers,
    Ids(fn(&str) -> Result<(), BadId>),
    Object(&'f [Field<'f>]),
    Objects(&'f [Field<'f>]),
}

pub(super) const fn required<'f>(name: &'static str, kind: Kind<'f>) -> Field<'f> {
    Field { name, required: true, kind }
}

pub(super) const fn optional<'f>(name: &'static str, kind: Kind<'f>) -> Field<'f> {
    Field { name, required: false, kind }
}

/// For [`Kind::Id`]: is it one of `T`?
pub(super) fn id_of<T: FromStr<Err = BadId>>(text: &str) -> Result<(), BadId> {
    text.parse::<T>().map(|_| ())
}

/// Every action takes it.
pub(super) const DRY_RUN: Field<'_> = optional("DryRun", Kind::Flag);

/// # Errors
/// The first thing wrong, in the service's order.
pub(super) fn check(given: &Map<String, Value>, fields: &[Field<'_>]) -> Result<(), Failure> {
    unknown(given, fields)?;
    missing(given, fields)?;
    types(given, fields)?;
    ids(given, fields)
}

fn unknown(given: &Map<String, Value>, fields: &[Field<'_>]) -> Result<(), Failure> {
    let known = |name: &str| fields.iter().any(|field| field.name == name);
    if let Some(name) = given.keys().find(|name| !known(name)) {
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        return Err(Failure::new(
            Code::UNKNOWN_PARAMETER,
            format!("The parameter '{name}' is unknown here. Known are: {}.", names.join(", ")),
        ));
    }
    nested(given, fields, unknown)
}

fn missing(given: &Map<String, Value>, fields: &[Field<'_>]) -> Result<(), Failure> {
    match fields.iter().find(|field| field.required && !given.contains_key(field.name)) {
        Some(field) => Err(Failure::missing(field.name)),
        None => nested(given, fields, missing),
    }
}

fn types(given: &Map<String, Value>, fields: &[Field<'_>]) -> Result<(), Failure> {
    for field in fields {
        let Some(value) = given.get(field.name) else { continue };
        let (good, wanted) = match field.kind {
            Kind::Text | Kind::Id(_) => (value.is_string(), "a string"),
            Kind::Integer => (is_integer(value), "an integer"),
            Kind::Flag => (value.is_boolean(), "true or false"),
            Kind::Texts | Kind::Ids(_) => (all(value, Value::is_string), "a list of strings"),
            Kind::Integers => (all(value, is_integer), "a list of integers"),
            Kind::Object(_) => (value.is_object(), "an object"),
            Kind::Objects(_) => (all(value, Value::is_object), "a list of objects"),
        };
        if !good {
            return Err(Failure::new(
                Code::JSON_TYPE,
                format!("The parameter '{}' must be {wanted}, not {value}.", field.name),
            ));
        }
    }
    nested(given, fields, types)
}

fn ids(given: &Map<String, Value>, fields: &[Field<'_>]) -> Result<(), Failure> {
    for field in fields {
        match (field.kind, given.get(field.name)) {
            (Kind::Id(check), Some(Value::String(text))) => check(text)?,
            (Kind::Ids(check), Some(Value::Array(list))) => {
                list.iter().filter_map(Value::as_str).try_for_each(check)?;
            }
            _ => {}
        }
    }
    nested(given, fields, ids)
}

type Pass = fn(&Map<String, Value>, &[Field<'_>]) -> Result<(), Failure>;

fn nested(given: &Map<String, Value>, fields: &[Field<'_>], pass: Pass) -> Result<(), Failure> {
    for field in fields {
        match (field.kind, given.get(field.name)) {
            (Kind::Object(inner), Some(Value::Object(object))) => pass(object, inner)?,
            (Kind::Objects(inner), Some(Value::Array(list))) => {
                list.iter().filter_map(Value::as_object).try_for_each(|o| pass(o, inner))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn all(value: &Value, good: fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(good))
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64()
}

/// Parameters that were checked: what is there is of its kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Params<'a> {
    pub(super) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn needed_text(self, name: &str) -> Result<&'a str, Failure> {
        self.text(name).ok_or_else(|| Failure::missing(name))
    }

    /// One that is too large for 64 bits is as good as the largest: no rule takes either.
    pub(super) fn integer(self, name: &str) -> Option<i64> {
        self.0.get(name).map(|value| value.as_i64().unwrap_or(i64::MAX))
    }

    pub(super) fn needed_integer(self, name: &str) -> Result<i64, Failure> {
        self.integer(name).ok_or_else(|| Failure::missing(name))
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub(super) fn id<T: FromStr<Err = BadId>>(self, name: &str) -> Result<Option<T>, Failure> {
        Ok(self.text(name).map(str::parse).transpose()?)
    }

    pub(super) fn needed_id<T: FromStr<Err = BadId>>(self, name: &str) -> Result<T, Failure> {
        self.id(name)?.ok_or_else(|| Failure::missing(name))
    }

    pub(super) fn texts(self, name: &str) -> Option<Vec<&'a str>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
    }

    pub(super) fn integers(self, name: &str) -> Option<Vec<i64>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(Value::as_i64).collect())
    }

    pub(super) fn object(self, name: &str) -> Option<Self> {
        self.0.get(name)?.as_object().map(Self)
    }

    pub(super) fn objects(self, name: &str) -> Option<Vec<Self>> {
        Some(self.0.get(name)?.as_array()?.iter().filter_map(Value::as_object).map(Self).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use directlink_model::ids::{ConnectionId, GatewayId};
    use serde_json::json;

    const INNER: &[Field<'_>] = &[
        required("Vlan", Kind::Integer),
        required("VirtualGatewayId", Kind::Id(id_of::<GatewayId>)),
    ];
    const OUTER: &[Field<'_>] = &[
        required("DirectLinkId", Kind::Id(id_of::<ConnectionId>)),
        required("DirectLinkInterface", Kind::Object(INNER)),
        optional("Filters", Kind::Texts),
        DRY_RUN,
    ];

    #[test]
    fn the_first_thing_wrong_is_reported_in_the_services_order() {
        let inner = || json!({"Vlan": 101, "VirtualGatewayId": "vgw-12345678"});
        for (body, expected) in [
            (json!({"DirectLinkId": "dxcon-12345678", "DirectLinkInterface": inner()}), 0),
            (json!({}), 7000),
            (json!({"Nope": 1}), 3001),
            (json!({"DirectLinkId": 5, "DirectLinkInterface": {"Nope": 1}}), 3001),
            (json!({"DirectLinkId": 5, "DirectLinkInterface": {"Vlan": "x"}}), 7000),
            (json!({"DirectLinkId": 5, "DirectLinkInterface": inner()}), 4110),
            (json!({"DirectLinkId": null, "DirectLinkInterface": inner()}), 4110),
            (
                json!({"DirectLinkId": "foo", "DirectLinkInterface": {"Vlan": "1", "VirtualGatewayId": "vgw-12345678"}}),
                4110,
            ),
            (
                json!({"DirectLinkId": "dxcon-12345678", "DirectLinkInterface": {"Vlan": 1.5, "VirtualGatewayId": "vgw-12345678"}}),
                4110,
            ),
            (json!({"DirectLinkId": "foo", "DirectLinkInterface": inner()}), 4104),
            (json!({"DirectLinkId": "dxcon-1234567", "DirectLinkInterface": inner()}), 4105),
            (
                json!({"DirectLinkId": "dxcon-12345678", "DirectLinkInterface": {"Vlan": 1, "VirtualGatewayId": "vgw-x"}}),
                4105,
            ),
            (
                json!({"DirectLinkId": "dxcon-12345678", "DirectLinkInterface": [], "DryRun": true}),
                4110,
            ),
            (
                json!({"DirectLinkId": "dxcon-12345678", "DirectLinkInterface": inner(), "DryRun": "true"}),
                4110,
            ),
            (
                json!({"DirectLinkId": "dxcon-12345678", "DirectLinkInterface": inner(), "Filters": "a"}),
                4110,
            ),
            (
                json!({"DirectLinkId": "dxcon-12345678", "DirectLinkInterface": inner(), "Filters": [1]}),
                4110,
            ),
        ] {
            let code = match check(body.as_object().unwrap(), OUTER) {
                Ok(()) => 0,
                Err(Failure::Refused { code, .. }) => code.0,
                Err(other) => panic!("{other:?}"),
            };
            assert_eq!(code, expected, "{body}");
        }
    }
}
