//! What cannot be looked at through the glass.

use crate::{
    glass::{OutOfBounds, Refused},
    ids::{InterfaceId, RouterName},
};
use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GlassFault {
    #[error("{0}.")]
    Bounds(#[from] OutOfBounds),
    #[error("No router carries the DirectLinkInterface '{0}'.")]
    NoRouter(InterfaceId),
    #[error("The router '{0}' is not connected to this server: ask again in a moment.")]
    Unheard(RouterName),
    #[error(
        "The router '{router}' does not know the question '{what}' yet: its agent is older than this server."
    )]
    TooOld { router: RouterName, what: &'static str },
    #[error("The router '{0}' is asked too much at once: ask again in a moment.")]
    Crowded(RouterName),
    #[error("The router '{0}' did not answer in time.")]
    Silent(RouterName),
    #[error("The DirectLinkInterface '{id}' cannot be looked at so: {why}.")]
    Refused { id: InterfaceId, why: Refused },
}
