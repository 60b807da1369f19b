//! Any text may be pasted: no reader panics, whatever it is given.

use crate::{all, dual, full, key};
use directlink_model::router_config::{Software, check, configuration};
use proptest::prelude::*;

/// Words that readers know, in any order and shape.
fn almost_a_configuration() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "interface",
        "router",
        "bgp",
        "neighbor",
        "172.16.0.1",
        "/30",
        "address-family",
        "ipv4",
        "ipv6",
        "no",
        "set",
        "/configure",
        "{",
        "}",
        "[[",
        "]]",
        "[",
        "]",
        "=",
        "-",
        ":",
        "\"",
        "'",
        "\\",
        "/*",
        "#",
        "!",
        "password",
        "7",
        "as",
        "protocols",
        "group",
        "unit",
        "port",
        "1/1:5",
        "add",
        "/routing bgp connection",
        "remote.address=1",
        ".as=",
        "neighbors:",
        "- config:",
        "protocol",
        "define",
        "ip link add",
        "dev",
        "mtu",
        "99999999999",
        "255.0.255.0",
        "::/0",
        "é",
    ]);
    let gap = prop::sample::select(vec![" ", "\n", "\n ", "\n    ", "", "\t", "\r\n", ";"]);
    prop::collection::vec((word, gap), 0..60)
        .prop_map(|parts| parts.into_iter().map(|(word, gap)| format!("{word}{gap}")).collect())
}

/// A written configuration after something happened to it.
fn damaged() -> impl Strategy<Value = String> {
    let software = prop::sample::select(Software::ALL.to_vec());
    (software, 0..3usize, any::<prop::sample::Index>(), any::<prop::sample::Index>(), ".{0,6}")
        .prop_map(|(software, which, from, to, put)| {
            let mut text = configuration(software, &all()[which].1);
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            text.replace_range(from.min(to)..from.max(to), &put);
            text
        })
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), "(?s).{0,400}", almost_a_configuration(), damaged()]) {
        for software in Software::ALL {
            for finding in check(software, &text, &dual()) {
                prop_assert!(!finding.remedy.is_empty());
                let lines = text.lines().count().max(1);
                prop_assert!(finding.line.is_none_or(|line| (1..=lines).contains(&line)));
            }
        }
    }

    /// A quotation mark apart, which BIRD and VyOS (with an apostrophe) have no words for.
    #[test]
    fn any_key_is_written_so_that_it_reads_back(text in "[!-~&&[^\"']]{1,80}") {
        let mut intent = full();
        intent.sessions[0].key = key(&text);
        for software in Software::ALL {
            let written = configuration(software, &intent);
            prop_assert_eq!(check(software, &written, &intent), vec![], "{}:\n{}", software, written);
        }
    }
}

#[test]
fn a_text_in_another_language_is_one_finding() {
    for text in ["", "Dear customer,\nplease find attached", "<xml/>"] {
        for software in Software::ALL {
            let findings = check(software, text, &full());
            assert_eq!(findings.len(), 1, "{software}: {findings:?}");
        }
    }
}

/// Deep nesting must cost neither the stack nor quadratic time.
#[test]
fn deep_nesting_is_read_in_linear_time() {
    let steps = 0..20_000;
    let text = [
        "a {\n".repeat(20_000),
        "[".repeat(40_000),
        steps.clone().map(|n| format!("{}x\n", " ".repeat(n % 200))).collect(),
        steps.map(|n| format!("{}- \n", " ".repeat(n % 200))).collect(),
        "\\\n".repeat(20_000),
    ];
    for text in text {
        for software in Software::ALL {
            check(software, &text, &full());
        }
    }
}
