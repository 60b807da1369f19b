//! TOML and YAML, as much of them as GoBGP's configuration uses, with line numbers.
//!
//! ```text
//!   [[neighbors]]                        neighbors:
//!     [neighbors.config]                   - config:
//!       peer-as = 50624                        peer-as: 50624
//!   both ─► neighbors 0 config peer-as 50624
//! ```

use super::{DEPTH_MAX, Statement};
use std::collections::BTreeMap;

pub(in super::super) fn statements(text: &str) -> Vec<Statement> {
    let is_toml = text.lines().any(|line| line.trim_start().starts_with('['));
    match is_toml {
        true => toml(text),
        false => yaml(text),
    }
}

fn toml(text: &str) -> Vec<Statement> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut path: Vec<String> = vec![];
    let mut list: Option<(usize, String)> = None;
    let mut found = vec![];
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let content = without_comment(line).trim();
        if let Some((_, name)) = &list {
            found.extend(values(&path, name, content, line_number));
            if content.ends_with(']') {
                list = None;
            }
        } else if let Some(header) = content.strip_prefix("[[") {
            let name = header.trim_end_matches(']').trim();
            *counts.entry(name.to_owned()).or_default() += 1;
            path = numbered(name, &counts);
        } else if let Some(header) = content.strip_prefix('[') {
            path = numbered(header.trim_end_matches(']').trim(), &counts);
        } else if let Some((name, value)) = content.split_once('=') {
            let name = name.trim();
            found.extend(values(&path, name, value.trim(), line_number));
            if value.trim_start().starts_with('[') && !value.trim_end().ends_with(']') {
                list = Some((line_number, name.to_owned()));
            }
        }
    }
    found
}

/// `a.b.c` with the number of the last `[[a]]`, `[[a.b]]` in its place.
fn numbered(name: &str, counts: &BTreeMap<String, usize>) -> Vec<String> {
    let mut sofar = String::new();
    let mut path = vec![];
    for part in name.split('.').take(DEPTH_MAX) {
        if !sofar.is_empty() {
            sofar.push('.');
        }
        sofar.push_str(part);
        path.push(part.to_owned());
        path.extend(counts.get(&sofar).map(|n| (n - 1).to_string()));
    }
    path
}

/// A name's block is as deep as twice its indentation, an item's one deeper: a list may stand
/// right under its name or further in.
fn yaml(text: &str) -> Vec<Statement> {
    let mut blocks: Vec<(usize, String)> = vec![];
    let mut items: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = vec![];
    for (index, line) in text.lines().enumerate() {
        let bare = without_comment(line).trim_end();
        let mut content = bare.trim_start();
        let mut indentation = bare.len() - content.len();
        while let Some(rest) = content.strip_prefix("- ") {
            leave(&mut blocks, 2 * indentation + 1);
            let count = items.entry(names(&blocks).join(" ")).or_default();
            enter(&mut blocks, 2 * indentation + 1, &count.to_string());
            *count += 1;
            indentation += content.len() - rest.trim_start().len();
            content = rest.trim_start();
        }
        if content.is_empty() {
            continue;
        }
        leave(&mut blocks, 2 * indentation);
        match content.split_once(':') {
            Some((name, "")) => enter(&mut blocks, 2 * indentation, name),
            Some((name, value)) if value.starts_with(' ') => {
                found.extend(values(&names(&blocks), name.trim(), value.trim(), index + 1));
            }
            _ => {
                // A list of plain values: like one in brackets, they have no number.
                blocks.pop_if(|(depth, _)| *depth % 2 == 1);
                found.extend(values(&names(&blocks), "", content, index + 1));
            }
        }
    }
    found
}

fn leave(blocks: &mut Vec<(usize, String)>, depth: usize) {
    while blocks.last().is_some_and(|(outer, _)| *outer >= depth) {
        blocks.pop();
    }
}

fn enter(blocks: &mut Vec<(usize, String)>, depth: usize, name: &str) {
    if blocks.len() < DEPTH_MAX {
        blocks.push((depth, name.to_owned()));
    }
}

fn names(blocks: &[(usize, String)]) -> Vec<String> {
    blocks.iter().map(|(_, name)| name.clone()).collect()
}

/// One statement per value; a list's values are several.
fn values(path: &[String], name: &str, text: &str, line: usize) -> Vec<Statement> {
    let inside = text.trim_start_matches('[').trim_end_matches([',', ']']);
    let several = text.starts_with('[') || text.ends_with(',');
    let parts: Vec<_> = match several {
        true => inside.split(',').map(str::trim).filter(|v| !v.is_empty()).collect(),
        false => vec![inside.trim()],
    };
    let statement = |value: &str| {
        let mut words = path.to_vec();
        words.extend((!name.is_empty()).then(|| name.to_owned()));
        words.push(unquoted(value));
        Statement { line, negated: false, words }
    };
    parts.into_iter().filter(|value| !value.is_empty()).map(statement).collect()
}

fn unquoted(value: &str) -> String {
    let inside = |q: char| value.strip_prefix(q).and_then(|v| v.strip_suffix(q));
    match (inside('"'), inside('\'')) {
        (Some(escaped), _) => escaped.replace("\\\"", "\"").replace("\\\\", "\\"),
        (None, Some(literal)) => literal.to_owned(),
        (None, None) => value.to_owned(),
    }
}

/// A `#` outside quotes begins a comment.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (place, c) in line.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', Some('"')) => escaped = true,
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('#', None) => return line.get(..place).unwrap_or(line),
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        statements(text).iter().map(|s| format!("{} {}", s.line, s.words.join(" "))).collect()
    }

    const WANTED: [&str; 4] = [
        "neighbors 0 config peer-as 1",
        "neighbors 0 afi-safis 0 config afi-safi-name ipv4-unicast",
        "neighbors 1 config auth-password a#b\"c",
        "sets list x",
    ];

    #[test]
    fn toml_and_yaml_give_the_same_paths() {
        let toml = "[[neighbors]] # one\n [neighbors.config]\n peer-as = 1\n [[neighbors.afi-safis]]\n  [neighbors.afi-safis.config]\n afi-safi-name = \"ipv4-unicast\"\n[[neighbors]]\n[neighbors.config]\nauth-password = \"a#b\\\"c\"\n[sets]\nlist = [\n \"x\",\n]";
        let yaml = "neighbors:\n  - config:\n      peer-as: 1\n    afi-safis:\n      - config:\n          afi-safi-name: ipv4-unicast\n  - config:\n      auth-password: \"a#b\\\"c\"\nsets:\n  list: [\"x\"]";
        let strip = |lines: Vec<String>| -> Vec<String> {
            lines.iter().filter_map(|l| Some(l.split_once(' ')?.1.to_owned())).collect()
        };
        assert_eq!(strip(shown(toml)), WANTED);
        assert_eq!(strip(shown(yaml)), WANTED);
        assert!(shown(toml).contains(&"9 neighbors 1 config auth-password a#b\"c".to_owned()));
    }
}
