//! The two published descriptions under `spec/`, and whether an answer fits them.

use base64::Engine;
use http::StatusCode;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

pub(in crate::api) static OAPI: LazyLock<Oapi> = LazyLock::new(|| {
    let options = serde_saphyr::options! { budget: None };
    let text = read("outscale-oapi.yaml");
    Oapi(serde_saphyr::from_str_with_options(&text, options).unwrap())
});

pub(in crate::api) static AWS: LazyLock<Aws> =
    LazyLock::new(|| Aws(serde_json::from_str(&read("aws-directconnect-service-2.json")).unwrap()));

fn read(name: &str) -> String {
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec");
    fs::read_to_string(spec.join(name)).unwrap()
}

/// The codes that the OUTSCALE API's own table has a type for.
pub(in crate::api) fn code_types() -> Vec<(u16, String)> {
    let table: Value = serde_saphyr::from_str(&read("outscale-gateway-errors.yaml")).unwrap();
    let row = |(code, row): (&String, &Value)| {
        (code.parse().unwrap(), row["Type"].as_str().unwrap().to_owned())
    };
    table.as_object().unwrap().iter().map(row).collect()
}

/// `spec/outscale-oapi.yaml`.
pub(in crate::api) struct Oapi(Value);

impl Oapi {
    pub(in crate::api) fn actions(&self) -> impl Iterator<Item = &str> {
        self.0["paths"].as_object().unwrap().keys().map(|path| path.trim_start_matches('/'))
    }

    pub(in crate::api) fn schema(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    pub(super) fn check_answer(&self, action: &str, status: StatusCode, answer: &Value) {
        let name = match status {
            StatusCode::OK => format!("{action}Response"),
            _ => "ErrorResponse".to_owned(),
        };
        self.check(self.schema(&name), answer, &name);
        let id = answer["ResponseContext"]["RequestId"].as_str().unwrap();
        assert!(
            id.parse::<uuid::Uuid>().is_ok_and(|uuid| uuid.to_string() == id),
            "{action}: {id}"
        );
    }

    /// The schema of a member, with references followed.
    pub(in crate::api) fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.schema(reference.rsplit('/').next().unwrap()),
            None => schema,
        }
    }

    fn check(&self, schema: &Value, given: &Value, at: &str) {
        let schema = self.resolved(schema);
        match schema["type"].as_str() {
            Some("object") => {
                let given = given.as_object().unwrap_or_else(|| panic!("{at}: no object: {given}"));
                for (name, value) in given {
                    let member = &schema["properties"][name];
                    assert!(!member.is_null(), "{at}: '{name}' is not described");
                    self.check(member, value, &format!("{at}.{name}"));
                }
            }
            Some("array") => {
                let given = given.as_array().unwrap_or_else(|| panic!("{at}: no list: {given}"));
                given.iter().for_each(|item| self.check(&schema["items"], item, at));
            }
            Some("string") => assert!(given.is_string(), "{at}: no string: {given}"),
            Some("integer") => assert!(given.is_i64() || given.is_u64(), "{at}: {given}"),
            Some("boolean") => assert!(given.is_boolean(), "{at}: no boolean: {given}"),
            other => panic!("{at}: cannot check {other:?}"),
        }
    }
}

/// `spec/aws-directconnect-service-2.json`.
pub(in crate::api) struct Aws(Value);

impl Aws {
    pub(in crate::api) fn operations(&self) -> &Map<String, Value> {
        self.0["operations"].as_object().unwrap()
    }

    /// Names of members, in whatever structure, that are of this type.
    pub(in crate::api) fn members_of_type(&self, kind: &str) -> BTreeSet<&str> {
        let shapes = self.0["shapes"].as_object().unwrap();
        let members = shapes.values().filter_map(|shape| shape["members"].as_object()).flatten();
        let of_kind = members.filter(|(_, member)| {
            shapes[member["shape"].as_str().unwrap()]["type"].as_str() == Some(kind)
        });
        of_kind.map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn check_answer(&self, operation: &str, status: StatusCode, answer: &Value) {
        if status != StatusCode::OK {
            let texts = ["__type", "message"].map(|name| answer[name].as_str());
            assert!(texts.iter().all(Option::is_some), "{operation}: {answer}");
            return;
        }
        let shape = self.operations()[operation]["output"]["shape"].as_str().unwrap();
        self.check(shape, answer, operation);
    }

    fn check(&self, shape: &str, given: &Value, at: &str) {
        let described = &self.0["shapes"][shape];
        match described["type"].as_str() {
            Some("structure") => {
                for (name, value) in given.as_object().unwrap() {
                    let member = described["members"][name]["shape"].as_str();
                    let member =
                        member.unwrap_or_else(|| panic!("{at}: '{name}' is not described"));
                    self.check(member, value, &format!("{at}.{name}"));
                }
            }
            Some("list") => {
                let item = described["member"]["shape"].as_str().unwrap();
                given.as_array().unwrap().iter().for_each(|value| self.check(item, value, at));
            }
            Some("string") => {
                let text = given.as_str().unwrap_or_else(|| panic!("{at}: no string: {given}"));
                // The guide has a state that AWS has not.
                let words = described["enum"].as_array().filter(|_| text != "expired");
                let known = words.is_none_or(|words| words.iter().any(|word| word == text));
                assert!(known, "{at}: '{text}' is not one of the words");
            }
            Some("blob") => {
                let base64 = base64::engine::general_purpose::STANDARD;
                let text = given.as_str().unwrap_or_else(|| panic!("{at}: no string: {given}"));
                assert!(base64.decode(text).is_ok(), "{at}: not base64");
            }
            Some("integer" | "long") => assert!(given.is_u64() || given.is_i64(), "{at}: {given}"),
            Some("timestamp") => assert!(given.is_number(), "{at}: {given}"),
            Some("boolean") => assert!(given.is_boolean(), "{at}: {given}"),
            other => panic!("{at}: cannot check {other:?}"),
        }
    }
}
