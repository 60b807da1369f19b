//! Access keys, and what a verifier needs of them.

use super::{App, Context, Refusal};
use crate::store;
use directlink_model::{
    account::{AccessKey, SecretKey},
    command::CreateAccessKey,
    ids::AccountId,
};

/// A key pair, on the one occasion that its secret is shown.
#[derive(Clone, Debug)]
pub struct NewAccessKey {
    pub key: AccessKey,
    pub secret: SecretKey,
}

/// What a verifier of signatures must know.
#[derive(Clone, Debug)]
pub struct Credential {
    pub account: AccountId,
    pub secret: SecretKey,
    /// Active and not past its end.
    pub usable: bool,
}

impl App {
    /// A new pair; the secret is shown this once.
    pub async fn create_access_key(
        &self,
        ctx: &Context,
        c: CreateAccessKey,
    ) -> Result<NewAccessKey, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// The caller's, in order of creation.
    pub async fn access_keys(
        &self,
        ctx: &Context,
        ids: Option<&[String]>,
    ) -> Result<Vec<AccessKey>, Refusal> {
        Err(Refusal::Error(store::Error::Unbuilt))
    }

    /// For the verifier of signatures: whose key it is, and its secret.
    pub async fn credential(
        &self,
        access_key_id: &str,
    ) -> Result<Option<Credential>, store::Error> {
        Err(store::Error::Unbuilt)
    }

    /// For Basic authentication: the account of an e-mail address, if the password is right.
    pub async fn login(
        &self,
        email: &str,
        password: &str,
    ) -> Result<Option<AccountId>, store::Error> {
        Err(store::Error::Unbuilt)
    }
}
