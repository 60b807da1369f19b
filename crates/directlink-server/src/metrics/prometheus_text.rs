//! Prometheus's text format 0.0.4, out of OpenMetrics: what older scrapers and `promtool` read.
//!
//! They differ in a counter's name, which has its `_total` in the comments as well, and in an end
//! that is told.

use std::collections::BTreeSet;

pub(super) fn of(open_metrics: &str) -> String {
    let counters: BTreeSet<_> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        match comment(line).filter(|(_, name, _)| counters.contains(name)) {
            Some((keyword, name, rest)) => text += &format!("# {keyword} {name}_total {rest}"),
            None => text += line,
        }
        text.push('\n');
    }
    text
}

/// Keyword, name, and the rest.
fn comment(line: &str) -> Option<(&str, &str, &str)> {
    let (keyword, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    Some((keyword, name, rest))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_counter_has_its_whole_name_and_nothing_says_the_end() {
        let open = "# HELP a Some.\n# TYPE a counter\na_total{x=\"y\"} 1\n\
                    # HELP b Others.\n# TYPE b gauge\nb 2\n# EOF\n";
        let old = "# HELP a_total Some.\n# TYPE a_total counter\na_total{x=\"y\"} 1\n\
                   # HELP b Others.\n# TYPE b gauge\nb 2\n";
        assert_eq!(super::of(open), old);
    }
}
