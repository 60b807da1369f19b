//! Asking a Region over HTTP: as its operator ([`Operator`]), or as a customer ([`Customer`]).

mod customer;
mod direct_connect;
mod http;
mod operator;
mod profile;
mod signature;

pub use customer::{Customer, RefusedByApi};
pub use direct_connect::{DirectConnect, RefusedByService};
pub use operator::{Operator, RefusedToOperator};
pub use profile::{Profile, Sources};
