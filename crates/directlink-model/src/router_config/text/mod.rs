//! Router configurations as plain statements: the whole path of words from the root, and a line.
//!
//! ```text
//!   interface Gi0/0.101            ┐                 4  interface Gi0/0.101 encapsulation dot1Q 101
//!    encapsulation dot1Q 101       ├ indent          7  router bgp 65000 no neighbor 192.0.2.1 shutdown
//!   unit 101 { vlan-id 101; }      ├ braces ───────►
//!   /interface vlan add vlan-id=1  ├ slashes         so that a reader for a vendor is one `match`
//!   [neighbors.config] peer-as = 1 ┘ tables          on words, whatever the syntax looks like
//! ```
//!
//! The readers take any text: what they do not understand is a statement that nobody matches.

pub(super) mod braces;
pub(super) mod indent;
pub(super) mod linux;
pub(super) mod slashes;
pub(super) mod tables;

/// Blocks deeper than any router has are read as if they were this deep.
const DEPTH_MAX: usize = 24;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) line: usize,
    /// `no …`, `deactivate …`, `inactive: …`.
    pub(super) negated: bool,
    pub(super) words: Vec<String>,
}

impl Statement {
    pub(super) fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }
}

/// The words before and after the first `word`.
pub(super) fn split_at_word<'w, 'a>(
    words: &'w [&'a str],
    word: &str,
) -> Option<(&'w [&'a str], &'w [&'a str])> {
    let place = words.iter().position(|w| *w == word)?;
    Some((words.get(..place)?, words.get(place + 1..)?))
}

/// A line of a well-indented text with the lines that it stands under.
pub(super) fn snippet(text: &str, line: usize) -> String {
    let depth = |l: &str| l.len() - l.trim_start().len();
    let lines: Vec<_> = text.lines().take(line).collect();
    let Some((last, above)) = lines.split_last() else { return String::new() };
    let mut shown = vec![*last];
    let mut limit = depth(last);
    for candidate in above.iter().rev() {
        let is_comment = candidate.trim_start().starts_with(['!', '#']);
        if !candidate.trim().is_empty() && !is_comment && depth(candidate) < limit {
            limit = depth(candidate);
            shown.push(candidate);
        }
    }
    shown.reverse();
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_has_the_blocks_that_its_line_stands_in() {
        let text = "interface a\n mtu 1\n!\nrouter bgp 1\n ! note\n neighbor x\n  remote-as 2\n";
        assert_eq!(snippet(text, 7), "router bgp 1\n neighbor x\n  remote-as 2");
        assert_eq!(snippet(text, 1), "interface a");
        assert_eq!(snippet("", 4), "");
    }
}
