//! Blocks by indentation: Cisco, Arista, FRR.

use super::{DEPTH_MAX, Statement};

/// Comments (`!`, `#`) are left out. Block headers are statements of their own, too.
pub(in super::super) fn statements(text: &str) -> Vec<Statement> {
    let mut blocks: Vec<(usize, Vec<String>)> = vec![];
    let mut found = vec![];
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['!', '#']) {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        while blocks.last().is_some_and(|(outer, _)| *outer >= depth) {
            blocks.pop();
        }
        let mut own: Vec<String> = content.split_whitespace().map(str::to_owned).collect();
        let negated = own.first().is_some_and(|word| word == "no") && own.len() > 1;
        if negated {
            own.remove(0);
        }
        let path = blocks.iter().flat_map(|(_, words)| words.iter().cloned());
        let words = path.chain(own.iter().cloned()).collect();
        found.push(Statement { line: index + 1, negated, words });
        if blocks.len() < DEPTH_MAX {
            blocks.push((depth, own));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_the_indentation_wherever_it_starts() {
        let text = "  router bgp 1\r\n    neighbor x\r\n      no shutdown\r\n    !\r\n  end\r\n";
        let shown: Vec<_> = statements(text)
            .iter()
            .map(|s| format!("{} {} {}", s.line, s.negated, s.words.join(" ")))
            .collect();
        assert_eq!(
            shown,
            [
                "1 false router bgp 1",
                "2 false router bgp 1 neighbor x",
                "3 true router bgp 1 neighbor x shutdown",
                "5 false end",
            ]
        );
    }
}
