//! What an account may have only so many of. The number is a fact of the account, or the Region's rule.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    Connections,
    Lags,
    InterfacesPerConnection,
    Gateways,
    Nets,
    Nics,
    RouteTables,
    RoutesPerTable,
    SecurityGroups,
    RulesPerGroup,
    TagsPerResource,
    AccessKeys,
}

impl Quota {
    pub const ALL: [Self; 12] = [
        Self::Connections,
        Self::Lags,
        Self::InterfacesPerConnection,
        Self::Gateways,
        Self::Nets,
        Self::Nics,
        Self::RouteTables,
        Self::RoutesPerTable,
        Self::SecurityGroups,
        Self::RulesPerGroup,
        Self::TagsPerResource,
        Self::AccessKeys,
    ];

    /// For programs: how the store and the operator call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Lags => "lags",
            Self::InterfacesPerConnection => "interfaces_per_connection",
            Self::Gateways => "gateways",
            Self::Nets => "nets",
            Self::Nics => "nics",
            Self::RouteTables => "route_tables",
            Self::RoutesPerTable => "routes_per_table",
            Self::SecurityGroups => "security_groups",
            Self::RulesPerGroup => "rules_per_group",
            Self::TagsPerResource => "tags_per_resource",
            Self::AccessKeys => "access_keys",
        }
    }

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quota| quota.as_str() == name)
    }
}

/// For a person, after a number.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "DirectLinks per account",
            Self::Lags => "LAGs per account",
            Self::InterfacesPerConnection => "interfaces per DirectLink",
            Self::Gateways => "virtual gateways per account",
            Self::Nets => "Nets per account",
            Self::Nics => "NICs per account",
            Self::RouteTables => "route tables per account",
            Self::RoutesPerTable => "routes per route table",
            Self::SecurityGroups => "security groups per account",
            Self::RulesPerGroup => "rules per security group",
            Self::TagsPerResource => "tags per resource",
            Self::AccessKeys => "access keys per account",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quota_is_found_by_its_name() {
        for quota in Quota::ALL {
            assert_eq!(Quota::of_name(quota.as_str()), Some(quota));
        }
        assert_eq!(Quota::of_name("dragons"), None);
    }
}
