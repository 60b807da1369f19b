//! How a Region goes from one certificate authority to the next, without a moment in which somebody trusts nobody.
//!
//! ```text
//!   add      trusted by servers; agents are told, and say so        before: whoever was away would trust nobody then
//!   use      signs from now on: servers show it, agents renew by it
//!   retire   trusted no more                                        before: whoever was away would be a stranger then
//! ```
//!
//! Each step waits for the routers, or for an operator who forces it: those that it leaves behind need a new token.

use crate::ids::RouterName;
use std::collections::BTreeSet;
use thiserror::Error;

/// An authority's id: the SHA-256 of its certificate, in hexadecimal.
pub type AuthorityId = String;

/// What a router that has an identity is known to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterTrust {
    pub router: RouterName,
    /// As its agent said.
    pub trusts: BTreeSet<AuthorityId>,
    /// Who signed its newest certificate; `None`: not known.
    pub certified_by: Option<AuthorityId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorityFault {
    #[error("There is no authority '{0}'.")]
    NoSuch(AuthorityId),
    #[error("The authority '{0}' signs: use another first.")]
    Signs(AuthorityId),
    #[error(
        "The key of the authority '{0}' is not here: it is in files that servers are given (--ca-cert, --ca-key)."
    )]
    NoKey(AuthorityId),
    #[error(
        "Not yet: {} would not know the servers any more. Wait until their agents have been told, or force it and give them new tokens.", names(.0)
    )]
    NotTrusted(Vec<RouterName>),
    #[error(
        "Not yet: the certificate of {} is still signed by it. Wait until their agents have renewed it, or force it and give them new tokens.", names(.0)
    )]
    InUse(Vec<RouterName>),
}

/// Whether servers may show what `id` has signed.
pub fn may_sign(id: &str, routers: &[RouterTrust]) -> Result<(), AuthorityFault> {
    let behind = routers.iter().filter(|router| !router.trusts.contains(id));
    match behind.map(|router| router.router.clone()).collect::<Vec<_>>() {
        behind if behind.is_empty() => Ok(()),
        behind => Err(AuthorityFault::NotTrusted(behind)),
    }
}

/// Whether it may be trusted no more, as `signer` signs.
pub fn may_retire(id: &str, signer: &str, routers: &[RouterTrust]) -> Result<(), AuthorityFault> {
    if id == signer {
        return Err(AuthorityFault::Signs(id.into()));
    }
    let with_it = routers.iter().filter(|it| it.certified_by.as_deref().is_none_or(|by| by == id));
    match with_it.map(|router| router.router.clone()).collect::<Vec<_>>() {
        with_it if with_it.is_empty() => Ok(()),
        with_it => Err(AuthorityFault::InUse(with_it)),
    }
}

fn names(routers: &[RouterName]) -> String {
    routers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(name: &str, trusts: &[&str], certified_by: Option<&str>) -> RouterTrust {
        RouterTrust {
            router: name.parse().unwrap(),
            trusts: trusts.iter().map(ToString::to_string).collect(),
            certified_by: certified_by.map(Into::into),
        }
    }

    #[test]
    fn an_authority_signs_once_all_routers_trust_it() {
        let told = router("r1", &["old", "new"], Some("old"));
        let away = router("r2", &["old"], Some("old"));
        assert_eq!(may_sign("new", std::slice::from_ref(&told)), Ok(()));
        let refused = may_sign("new", &[told, away]).unwrap_err();
        assert_eq!(refused, AuthorityFault::NotTrusted(vec!["r2".parse().unwrap()]));
        assert!(refused.to_string().starts_with("Not yet: r2 would"), "{refused}");
        assert_eq!(may_sign("new", &[]), Ok(()));
    }

    #[test]
    fn an_authority_retires_once_it_does_not_sign_and_no_router_lives_by_it() {
        let renewed = router("r1", &["old", "new"], Some("new"));
        let away = router("r2", &["old", "new"], Some("old"));
        let unknown = router("r3", &[], None);
        let all = [renewed.clone(), away, unknown];
        assert_eq!(may_retire("old", "old", &[]), Err(AuthorityFault::Signs("old".into())));
        let wanted = ["r2", "r3"].map(|name| name.parse().unwrap()).into();
        assert_eq!(may_retire("old", "new", &all), Err(AuthorityFault::InUse(wanted)));
        assert_eq!(may_retire("old", "new", &[renewed]), Ok(()));
    }
}
