//! The rows of `src/tables.rs` against the compiled object's BTF.

use crate::{
    load::OBJECT,
    tables::{self, Mirror},
    verdict::Verdict,
};
use serde_json::Value;
use std::{collections::BTreeMap, io::Write as _, process::Command};

struct Btf {
    structs: BTreeMap<String, (usize, BTreeMap<String, usize>)>,
    enums: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Btf {
    fn read() -> Self {
        let mut object = tempfile::Builder::new().suffix(".o").tempfile().unwrap();
        object.write_all(OBJECT).unwrap();
        let output = Command::new("bpftool")
            .args(["-j", "btf", "dump", "file"])
            .arg(object.path())
            .output()
            .expect("bpftool is needed");
        let types: Value = serde_json::from_slice(&output.stdout).unwrap();
        let (mut structs, mut enums) = (BTreeMap::new(), BTreeMap::new());
        for item in types["types"].as_array().unwrap() {
            let name = item["name"].as_str().unwrap().to_owned();
            match item["kind"].as_str().unwrap() {
                "STRUCT" => {
                    let bytes = usize::try_from(item["size"].as_u64().unwrap()).unwrap();
                    structs.insert(name, (bytes, members(item)));
                }
                "ENUM" => {
                    enums.insert(name, values(item));
                }
                _ => {}
            }
        }
        Self { structs, enums }
    }
}

fn members(item: &Value) -> BTreeMap<String, usize> {
    let members = item["members"].as_array().unwrap().iter();
    members
        .map(|member| {
            let bits = usize::try_from(member["bits_offset"].as_u64().unwrap()).unwrap();
            (member["name"].as_str().unwrap().to_owned(), bits / 8)
        })
        .collect()
}

fn values(item: &Value) -> BTreeMap<String, u64> {
    let values = item["values"].as_array().unwrap().iter();
    values
        .map(|value| (value["name"].as_str().unwrap().to_owned(), value["val"].as_u64().unwrap()))
        .collect()
}

#[test]
fn every_row_is_laid_out_as_the_programs_have_it() {
    let btf = Btf::read();
    for Mirror { name, bytes, fields } in tables::mirrors() {
        let (size, offsets) = btf.structs.get(name).unwrap_or_else(|| panic!("no struct {name}"));
        assert_eq!(*size, bytes, "size of {name}");
        let ours: BTreeMap<_, _> = fields.into_iter().map(|(f, at)| (f.to_owned(), at)).collect();
        assert_eq!(*offsets, ours, "fields of {name}");
    }
}

#[test]
fn every_verdict_has_the_programs_number() {
    let btf = Btf::read();
    let verdicts = &btf.enums["verdict"];
    assert_eq!(verdicts.len(), Verdict::COUNT + 1);
    assert_eq!(verdicts["VERDICT_COUNT"], Verdict::COUNT as u64);
    for verdict in Verdict::ALL {
        let name = format!("VERDICT_{}", verdict.name().to_uppercase());
        assert_eq!(verdicts[&name], u64::from(verdict as u32), "{name}");
    }
    let directions = &btf.enums["direction"];
    assert_eq!(directions["DIRECTION_INBOUND"], tables::Direction::Inbound as u64);
    assert_eq!(directions["DIRECTION_OUTBOUND"], tables::Direction::Outbound as u64);
}
