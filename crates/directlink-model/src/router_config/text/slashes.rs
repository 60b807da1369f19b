//! RouterOS: a path of menus, a verb, and `name=value` words; the path holds for the next lines.
//!
//! ```text
//!   /interface vlan                       ─► interface vlan add vlan-id=101 name=dl
//!   add vlan-id=101 \
//!       name=dl
//!   remote.address=192.0.2.1 .as=50624    ─► … remote.address=192.0.2.1 remote.as=50624
//! ```

use super::{
    Statement,
    braces::{Style, Token, tokens},
};
use std::mem;

const VERBS: [&str; 3] = ["add", "set", "remove"];

pub(in super::super) fn statements(text: &str) -> Vec<Statement> {
    let joined = join_continued(text);
    let mut path: Vec<String> = vec![];
    let mut own: Vec<String> = vec![];
    let mut line_of_own = 1;
    let mut found = vec![];
    for (line, token) in tokens(&joined, Style { by_line: true, escapes: true }) {
        if let Token::Word(word) = token {
            if own.is_empty() {
                line_of_own = line;
            }
            own.push(word);
            continue;
        }
        let words = mem::take(&mut own);
        let verb = words.iter().position(|word| VERBS.contains(&word.as_str()));
        let (menus, rest) = words.split_at(verb.unwrap_or(words.len()));
        if menus.first().is_some_and(|menu| menu.starts_with('/')) {
            path = menus.iter().flat_map(|menu| menu.split('/')).map(str::to_owned).collect();
            path.retain(|menu| !menu.is_empty());
        }
        if verb.is_some() {
            let words = path.iter().cloned().chain(with_full_names(rest)).collect();
            found.push(Statement { line: line_of_own, negated: false, words });
        }
    }
    found
}

/// The value of `name=value` among the words.
pub(in super::super) fn value<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// Lines that end in `\` go on in the next; empty lines keep the numbers right.
fn join_continued(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut owed = 0;
    for line in text.lines() {
        match line.trim_end().strip_suffix('\\') {
            Some(part) => {
                joined.push_str(part);
                owed += 1;
            }
            None => {
                joined.push_str(if owed > 0 { line.trim_start() } else { line });
                joined.extend(std::iter::repeat_n('\n', owed + 1));
                owed = 0;
            }
        }
    }
    joined
}

fn with_full_names(words: &[String]) -> impl Iterator<Item = String> + '_ {
    let mut group = String::new();
    words.iter().map(move |word| match (word.strip_prefix('.'), word.split_once('=')) {
        (Some(short), Some(_)) => format!("{group}.{short}"),
        (None, Some((name, _))) => {
            if let Some((first, _)) = name.split_once('.') {
                group = first.to_owned();
            }
            word.clone()
        }
        (_, None) => word.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn menus_continuations_and_short_names_are_spelled_out() {
        let text = "/interface vlan\nadd vlan-id=101 \\\n    name=dl\n/routing/bgp/connection\nadd remote.address=192.0.2.1 .as=50624 rule=\"if (a) { accept }\"\n/ip address add address=x";
        let shown: Vec<_> =
            statements(text).iter().map(|s| format!("{} {}", s.line, s.words.join(" "))).collect();
        assert_eq!(
            shown,
            [
                "2 interface vlan add vlan-id=101 name=dl",
                "5 routing bgp connection add remote.address=192.0.2.1 remote.as=50624 rule=if (a) { accept }",
                "6 ip address add address=x",
            ]
        );
    }
}
