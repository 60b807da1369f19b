//! What a customer tells with an order: how its network reaches the location, and whether it wishes to
//! host equipment there. Recorded for whoever approves the order.

use crate::fault::Fault;
use std::str::FromStr;
use thiserror::Error;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// `None`: not said.
    pub reach: Option<Reach>,
    /// Who brings the fibre.
    pub provider: Option<String>,
    /// The customer wishes to put equipment of its own into the location.
    pub hosts_equipment: bool,
}

/// The guide asks for either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The customer's router is in the location's data centre.
    Router,
    /// A network provider brings a fibre there.
    Fibre,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is not a way to reach the location: router or fibre")]
pub struct BadReach(pub String);

impl Reach {
    pub const ALL: [Self; 2] = [Self::Router, Self::Fibre];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Fibre => "fibre",
        }
    }

    pub const fn says(self) -> &'static str {
        match self {
            Self::Router => "its router is in the same data centre",
            Self::Fibre => "a network provider brings a fibre there",
        }
    }
}

impl FromStr for Reach {
    type Err = BadReach;
    fn from_str(text: &str) -> Result<Self, BadReach> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| BadReach(text.into()))
    }
}

impl Needs {
    pub fn is_silent(&self) -> bool {
        *self == Self::default()
    }

    /// A provider has a name, and brings a fibre: a router in the same data centre needs none.
    pub fn check(&self) -> Result<(), Fault> {
        let Some(provider) = &self.provider else { return Ok(()) };
        let bad = |expected: &str| Fault::BadValue {
            parameter: "providerName",
            given: provider.escape_default().to_string(),
            expected: expected.into(),
        };
        let length = provider.chars().count();
        if !(1..=255).contains(&length) || provider.chars().any(char::is_control) {
            return Err(bad("it has 1 to 255 characters, none of them a control character"));
        }
        match self.reach {
            Some(Reach::Router) => {
                Err(bad("a router in the same data centre needs no provider's fibre"))
            }
            Some(Reach::Fibre) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_has_a_name_and_goes_with_a_fibre() {
        let needs = |reach, provider: Option<&str>| Needs {
            reach,
            provider: provider.map(Into::into),
            hosts_equipment: false,
        };
        for (needs, good) in [
            (needs(None, None), true),
            (needs(Some(Reach::Fibre), Some("Fibres & Co")), true),
            (needs(None, Some("Fibres & Co")), true),
            (needs(Some(Reach::Router), None), true),
            (needs(Some(Reach::Router), Some("Fibres & Co")), false),
            (needs(Some(Reach::Fibre), Some("")), false),
            (needs(Some(Reach::Fibre), Some("a\nb")), false),
            (needs(Some(Reach::Fibre), Some(&"x".repeat(256))), false),
        ] {
            assert_eq!(needs.check().is_ok(), good, "{needs:?}");
        }
        for reach in Reach::ALL {
            assert_eq!(reach.as_str().parse(), Ok(reach));
        }
    }
}
