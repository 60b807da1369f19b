//! Accounts, and what a verifier of signatures and passwords needs of them.

use super::{
    App, NewAccessKey, Refusal,
    access_keys::{ALPHANUMERIC, new_key, text},
    check_name, write_tx,
};
use crate::store::{
    self, Tx, accounts,
    journal::{self, Actor},
};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use directlink_model::{
    Fault,
    account::{Account, SecretKey},
    ids::AccountId,
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// What a verifier of signatures must know.
#[derive(Clone, Debug)]
pub struct Credential {
    pub account: AccountId,
    pub secret: SecretKey,
    /// Active and not past its end.
    pub usable: bool,
}

#[derive(Clone, Debug, Default)]
pub struct AddAccount {
    /// The login. `None`: one is made of the account's number.
    pub email: Option<String>,
    /// `None`: one is made.
    pub password: Option<SecretString>,
}

/// Secrets that are shown this once.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub account: Account,
    pub access_key: NewAccessKey,
    pub password: SecretString,
}

impl App {
    /// For the verifier of signatures: whose key it is, and its secret.
    pub async fn credential(
        &self,
        access_key_id: &str,
    ) -> Result<Option<Credential>, store::Error> {
        let found = self.store().read_in_time(self.store().access_key(access_key_id)).await??;
        Ok(found.map(|found| {
            let (key, secret) = &*found;
            let usable = key.is_usable(self.now());
            Credential { account: key.account, secret: secret.clone(), usable }
        }))
    }

    /// For Basic authentication: the account of an e-mail address, if the password is right. An
    /// address that is not known costs as much time as a wrong password.
    pub async fn login(
        &self,
        email: &str,
        password: &str,
    ) -> Result<Option<AccountId>, store::Error> {
        let read = async { accounts::by_email(&mut *self.store().reader().await?, email).await };
        let found = self.store().read_in_time(read).await??;
        let password = SecretString::from(password);
        let (account, hash) = found.map(|(account, hash)| (account.id, hash)).unzip();
        let right = aside(move || match hash {
            Some(hash) => is_password(&password, &hash),
            None => hash_password(&password).map(|_| false),
        })
        .await?;
        Ok(account.filter(|_| right))
    }

    /// An account with its first access key.
    pub async fn add_account(&self, c: AddAccount) -> Result<NewAccount, Refusal> {
        let now = self.now();
        let id = AccountId::from_number(self.chance().within(100_000_000_000..1_000_000_000_000));
        let email = c.email.unwrap_or_else(|| format!("{id}@{}.test", self.region().name));
        check_name("email", &email)?;
        let password = c.password.unwrap_or_else(|| text(20, ALPHANUMERIC).into());
        let secret = password.clone();
        let hash = aside(move || hash_password(&secret)).await?;
        write_tx!(self, false, |tx| {
            if accounts::by_email(tx, &email).await?.is_some() {
                return Err(Fault::AlreadyExists(email.clone()).into());
            }
            let account = Account { id, email: email.clone(), created_at: now };
            accounts::insert(tx, &account, &hash).await?;
            let access_key = new_key(id, now);
            accounts::insert_key(tx, &access_key.key, &access_key.secret).await?;
            record(tx, id, now).await?;
            Ok(NewAccount { account, access_key, password: password.clone() })
        })
    }

    /// In order of creation.
    pub async fn accounts(&self) -> Result<Vec<Account>, Refusal> {
        let mut db = self.store().reader().await?;
        Ok(accounts::every(&mut db).await?)
    }
}

fn hash_password(password: &SecretString) -> Result<String, store::Error> {
    Argon2::default()
        .hash_password(password.expose_secret().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|why| store::Error::Password(why.to_string()))
}

fn is_password(password: &SecretString, hash: &str) -> Result<bool, store::Error> {
    let hash = PasswordHash::new(hash).map_err(|why| store::Error::Password(why.to_string()))?;
    Ok(Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok())
}

/// A password's hash takes tens of milliseconds on purpose: not on the threads that answer.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, store::Error> + Send + 'static,
) -> Result<T, store::Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|died| Err(store::Error::Password(died.to_string())))
}

async fn record(tx: &mut Tx, id: AccountId, now: Timestamp) -> Result<(), Refusal> {
    Ok(journal::record(tx, (&Actor::Operator, now), id, "account added", "").await?)
}
