//! Asking a Region over HTTP: as its operator ([`Operator`]), or as a customer ([`Customer`]).

mod customer;
mod http;
mod operator;
mod signature;

pub use customer::{Customer, RefusedByApi};
pub use operator::{Operator, RefusedToOperator};
