//! `--wait`: until the thing is truly in the state that was asked for.
//!
//! Progress goes to standard error, a line for each state. What cannot come any more ends the wait at
//! once; what does not come in time ends it with what is missing, as `directlink diagnose` says.

use super::{Exit, customer::Identity, diagnose};
use crate::{client::DirectConnect, clock};
use anyhow::Result;
use clap::Args;
use serde_json::Value;
use std::time::Duration;

#[derive(Args, Clone, Copy)]
pub(crate) struct Waiting {
    /// Return when it is done, not when it is asked for; the states on the way go to standard error
    #[arg(long)]
    wait: bool,
    /// Give up after this time and exit with 3: seconds, or a number with s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = super::operator::seconds, requires = "wait")]
    timeout: u64,
}

/// A wait under way.
pub(crate) struct Watch {
    watch: clock::Stopwatch,
    limit: Duration,
}

impl Watch {
    pub(crate) fn elapsed(&self) -> Duration {
        self.watch.elapsed()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.elapsed() >= self.limit
    }

    pub(crate) const fn seconds(&self) -> u64 {
        self.limit.as_secs()
    }

    pub(crate) async fn pause(&self) {
        tokio::time::sleep(PERIOD).await;
    }
}

const PERIOD: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Thing<'a> {
    Connection(&'a str),
    Interface(&'a str),
}

impl Thing<'_> {
    const fn id(&self) -> &str {
        match self {
            Self::Connection(id) | Self::Interface(id) => id,
        }
    }

    async fn read(&self, caller: &DirectConnect) -> Result<Option<Value>> {
        match self {
            Self::Connection(id) => caller.find_connection(id).await,
            Self::Interface(id) => caller.find_interface(id).await,
        }
    }

    fn state<'v>(&self, seen: &'v Value) -> &'v str {
        let member = match self {
            Self::Connection(_) => "connectionState",
            Self::Interface(_) => "virtualInterfaceState",
        };
        seen[member].as_str().unwrap_or_default()
    }
}

/// States that nothing leaves.
const FINAL: [&str; 3] = ["deleted", "rejected", "expired"];

impl Waiting {
    /// As soon as it is asked for.
    pub(crate) const NOT: Self = Self { wait: false, timeout: 0 };

    /// For what is not a customer's thing.
    pub(crate) fn begin(self) -> Watch {
        Watch { watch: clock::Stopwatch::start(), limit: Duration::from_secs(self.timeout) }
    }

    pub(crate) const fn is_asked(self) -> bool {
        self.wait
    }

    /// The thing as it is then; gone from the list is deleted, and `None`.
    ///
    /// # Errors
    /// [`Exit::TimedOut`]; or it has come to an end that is not the wanted one.
    pub(crate) async fn until(
        self,
        identity: &Identity,
        thing: Thing<'_>,
        wanted: &str,
    ) -> Result<Option<Value>> {
        let caller = identity.customer()?;
        let (watch, limit) = (clock::Stopwatch::start(), Duration::from_secs(self.timeout));
        let mut told = String::new();
        loop {
            let seen = thing.read(&caller).await?;
            let state = seen.as_ref().map_or("deleted", |seen| thing.state(seen));
            if state != told {
                eprintln!("{:>4} s  {} {state}", watch.elapsed().as_secs(), thing.id());
                state.clone_into(&mut told);
            }
            if state == wanted {
                return Ok(seen);
            }
            if FINAL.contains(&state) {
                return Err(Exit::CameToNothing { id: thing.id().into(), state: told }.into());
            }
            if watch.elapsed() >= limit {
                if let Thing::Interface(id) = thing {
                    // What it says is help, and no reason to say less.
                    let _ = diagnose::to_standard_error(&caller, id).await;
                }
                let (id, wanted, seconds) = (thing.id().into(), wanted.into(), limit.as_secs());
                return Err(Exit::TimedOut { id, wanted, state: told, seconds }.into());
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}
