//! The `ip` commands that make the VLAN under FRR, BIRD or GoBGP, which have no words for it.
//! They are read in comments, too: there is where our own configurations carry them.

use super::super::reading::{At, Reading, at};

/// ```text
///   ip link add link eth0 name eth0.101 type vlan id 101
///   ip link set dev eth0.101 mtu 1500 up
///   ip address add 192.0.2.2/30 dev eth0.101
/// ```
pub(in super::super) fn read(text: &str, reading: &mut Reading) {
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim().trim_start_matches(['#', '!', ' ', '\t']);
        let words: Vec<_> = bare.split_whitespace().collect();
        match words.as_slice() {
            ["ip", "link", "add", rest @ ..] => link_add(rest, index + 1, reading),
            ["ip", "link", "set", rest @ ..] => link_set(rest, index + 1, reading),
            ["ip", "address" | "addr" | "a", "add", address, rest @ ..]
            | ["ip", "-6", "address" | "addr" | "a", "add", address, rest @ ..] => {
                if let Some(name) = after(rest, "dev") {
                    reading.link(name, index + 1).address(address, index + 1);
                }
            }
            _ => {}
        }
    }
}

fn link_add(words: &[&str], line: usize, reading: &mut Reading) {
    let name = after(words, "name").or_else(|| after(words, "dev"));
    let (Some(name), Some(id)) = (name, after(words, "id")) else { return };
    let link = reading.link(name, line);
    link.vlan = at(id, line);
    link.parent = after(words, "link").map(str::to_owned);
    if let Some(bytes) = after(words, "mtu") {
        link.mtu(bytes, 0, line);
    }
}

fn link_set(words: &[&str], line: usize, reading: &mut Reading) {
    let Some(name) = after(words, "dev").or_else(|| words.first().copied()) else { return };
    let link = reading.link(name, line);
    if let Some(bytes) = after(words, "mtu") {
        link.mtu(bytes, 0, line);
    }
    for word in words {
        match *word {
            "up" => link.shut = Some(At { line, is: false }),
            "down" => link.shut = Some(At { line, is: true }),
            _ => {}
        }
    }
}

fn after<'a>(words: &[&'a str], word: &str) -> Option<&'a str> {
    let place = words.iter().position(|w| *w == word)?;
    words.get(place + 1).copied()
}
