//! The many addresses of one action. Clients add a slash, a version, or nothing at all.

use crate::auth::sigv4::collapse_slashes;

/// What an address names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/api`: which versions there are.
    Versions,
    /// `/api/v1`: which actions there are.
    Actions,
    Action(String),
    /// `/directlink/v1/Action`: one that the description does not have.
    Own(String),
    Nothing,
}

pub(super) fn read(path: &str) -> Target {
    let path = collapse_slashes(path);
    let words: Vec<_> = path.trim_matches('/').split('/').collect();
    match words[..] {
        [api] if is_api(api) => Target::Versions,
        [api, version] if is_api(api) && is_version(version) => Target::Actions,
        [api, version, action] if is_api(api) && is_version(version) => {
            Target::Action(action.into())
        }
        ["directlink", "v1", action] => Target::Own(action.into()),
        [action] => Target::Action(action.into()),
        _ => Target::Nothing,
    }
}

fn is_api(word: &str) -> bool {
    word.eq_ignore_ascii_case("api")
}

/// `v1`, `v1.42`, `v1.42.0`, `latest`.
fn is_version(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let minor = |rest: &str| {
        rest.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    word == "latest" || word == "v1" || word.strip_prefix("v1.").is_some_and(minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_clients_send_is_read() {
        let action = || Target::Action("ReadNets".into());
        for (path, expected) in [
            ("/api/v1/ReadNets", action()),
            ("/api/V1/ReadNets", action()),
            ("/API/v1/ReadNets", action()),
            ("/api/latest/ReadNets", action()),
            ("//api/latest/ReadNets", action()),
            ("/api/v1//ReadNets", action()),
            ("/api/v1/ReadNets/", action()),
            ("/api/v1.42/ReadNets", action()),
            ("/api/v1.42.0/ReadNets", action()),
            ("/ReadNets", action()),
            ("/api", Target::Versions),
            ("/api/", Target::Versions),
            ("/api/v1", Target::Actions),
            ("/api/latest/", Target::Actions),
            ("/api/v2/ReadNets", Target::Nothing),
            ("/api/v1.x/ReadNets", Target::Nothing),
            ("/api/v1/ReadNets/more", Target::Nothing),
            ("/other/v1/ReadNets", Target::Nothing),
            ("/directlink/v1/ReadNets", Target::Own("ReadNets".into())),
            ("/directlink/v2/ReadNets", Target::Nothing),
        ] {
            assert_eq!(read(path), expected, "{path}");
        }
    }
}
