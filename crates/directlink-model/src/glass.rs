//! The looking glass: what can be asked of a router about one interface, and what it answers.
//!
//! ```text
//!   show      session, both sides' capabilities, Adj-RIB-In with each verdict, best path and why,
//!             Adj-RIB-Out, and the rows that packets meet
//!   ping, trace, capture      from the router's place on the interface's VLAN
//! ```
//!
//! Everything has a bound, which both ends check: a question comes from a customer, and its answer
//! goes through the one stream that plans go through.

mod shown;

pub use shown::{
    Advertised, Capabilities, Received, Row, SessionShown, Shown, ShownPeer, Standing, Timers,
};

use crate::{
    evidence::{Fresh, PortEvidence},
    ids::InterfaceId,
    report::InterfaceReport,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, ops::RangeInclusive, time::Duration};
use thiserror::Error;

/// About one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub interface: InterfaceId,
    pub ask: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Show(Show),
    Ping(Ping),
    Trace(Trace),
    Capture(Capture),
    /// For a diagnosis.
    Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Show {
    /// Of each table.
    pub routes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The customer's router, if nothing else is said.
    pub target: Option<IpAddr>,
    pub count: u32,
    /// Of the IP packet, which is not fragmented.
    pub bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    pub target: Option<IpAddr>,
    pub hops: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    pub seconds: u32,
    pub frames: u32,
    /// Of the file.
    pub bytes: u32,
    /// Of each frame.
    pub snap: u32,
    pub which: Which,
}

/// Which frames are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    #[default]
    All,
    /// To and from the router itself: ARP, ND, BGP, BFD, ICMP.
    Router,
    Dropped,
}

/// One number of a question is beyond its bound.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{what} is {least} to {most}, not {given}")]
pub struct OutOfBounds {
    pub what: String,
    pub given: u32,
    pub least: u32,
    pub most: u32,
}

pub const ROUTES: RangeInclusive<u32> = 1..=1000;
pub const PING_COUNT: RangeInclusive<u32> = 1..=20;
/// An IP packet with an echo without data, and the largest that any interface carries.
pub const PING_BYTES: RangeInclusive<u32> = 64..=9001;
pub const HOPS: RangeInclusive<u32> = 1..=30;
pub const CAPTURE_SECONDS: RangeInclusive<u32> = 1..=60;
pub const CAPTURE_FRAMES: RangeInclusive<u32> = 1..=10_000;
pub const CAPTURE_BYTES: RangeInclusive<u32> = 4096..=4_194_304;
pub const CAPTURE_SNAP: RangeInclusive<u32> = 64..=4096;

/// Between two echoes of one ping.
pub const PING_INTERVAL: Duration = Duration::from_millis(200);
/// How long the last answer is waited for.
pub const ECHO_WAIT: Duration = Duration::from_secs(1);
/// How long an interface is asked for a diagnosis at most.
pub const LOOK: Duration = Duration::from_millis(1500);
/// A session whose KEEPALIVE had to wait, for one had just been said (RFC 4271 §4.4), is heard so long.
pub const LOOK_AGAIN: Duration = Duration::from_millis(1300);
/// Both, and more: a router under load answers late.
const LOOK_PATIENCE: Duration = Duration::from_millis(3500);
/// What a router needs beside.
const SLACK: Duration = Duration::from_secs(4);

impl Default for Show {
    fn default() -> Self {
        Self { routes: 200 }
    }
}

impl Default for Ping {
    fn default() -> Self {
        Self { target: None, count: 5, bytes: 84 }
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self { target: None, hops: 16 }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self { seconds: 10, frames: 1000, bytes: 1_048_576, snap: 1600, which: Which::All }
    }
}

impl Which {
    pub const ALL: [Self; 3] = [Self::All, Self::Router, Self::Dropped];

    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Router => "router",
            Self::Dropped => "dropped",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| which.name() == name)
    }
}

impl Ask {
    /// What an agent says that it answers.
    pub const KINDS: [&'static str; 5] = ["show", "ping", "trace", "capture", "look"];

    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Show(_) => "show",
            Self::Ping(_) => "ping",
            Self::Trace(_) => "trace",
            Self::Capture(_) => "capture",
            Self::Look => "look",
        }
    }

    /// # Errors
    /// The first number that is too large or too small.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        let within =
            |what: &str, given: u32, range: RangeInclusive<u32>| match range.contains(&given) {
                true => Ok(()),
                false => Err(OutOfBounds {
                    what: what.to_owned(),
                    given,
                    least: *range.start(),
                    most: *range.end(),
                }),
            };
        match *self {
            Self::Show(Show { routes }) => within("routes", routes, ROUTES),
            Self::Ping(Ping { target: _, count, bytes }) => {
                within("count", count, PING_COUNT)?;
                within("bytes", bytes, PING_BYTES)
            }
            Self::Trace(Trace { target: _, hops }) => within("hops", hops, HOPS),
            Self::Capture(Capture { seconds, frames, bytes, snap, which: _ }) => {
                within("seconds", seconds, CAPTURE_SECONDS)?;
                within("frames", frames, CAPTURE_FRAMES)?;
                within("bytes", bytes, CAPTURE_BYTES)?;
                within("snap", snap, CAPTURE_SNAP)
            }
            Self::Look => Ok(()),
        }
    }

    /// Who has no answer after that will have none.
    pub fn patience(&self) -> Duration {
        let work = match *self {
            Self::Show(_) => Duration::ZERO,
            Self::Ping(Ping { count, .. }) => PING_INTERVAL * count + ECHO_WAIT,
            Self::Trace(_) => ECHO_WAIT * 2,
            Self::Capture(Capture { seconds, .. }) => Duration::from_secs(seconds.into()),
            // A diagnosis is made without it where it takes longer.
            Self::Look => return LOOK_PATIENCE,
        };
        work + SLACK
    }
}

/// What the router says. A capture's file goes beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Shown(Box<Shown>),
    Pinged(Pinged),
    Traced(Traced),
    Captured(Captured),
    Looked(Box<Looked>),
    Refused(Refused),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    #[error("the router does not carry it (yet)")]
    NotHere,
    #[error("one is running on it already: wait until it is over")]
    Busy,
    #[error(
        "{0} is neither in the interface's VLAN nor among the routes that your router announces"
    )]
    Outside(IpAddr),
    #[error("your router does not answer for {0}, so that nothing can be sent to it")]
    NoNeighbour(IpAddr),
    #[error(transparent)]
    Bounds(#[from] OutOfBounds),
    #[error("the router could not do it: {0}")]
    Failed(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinged {
    pub at: Timestamp,
    pub source: IpAddr,
    pub target: IpAddr,
    pub bytes: u32,
    pub echoes: Vec<Echo>,
}

/// One echo, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    pub sequence: u16,
    /// Who answered; `None`: nobody did in time.
    pub from: Option<IpAddr>,
    pub micros: Option<u64>,
    pub reply: Option<Reply>,
}

/// What an ICMP answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Echo,
    TimeExceeded,
    /// With its code (RFC 792, RFC 4443).
    Unreachable(u8),
    TooBig {
        mtu: u16,
    },
}

impl Pinged {
    pub fn answered(&self) -> usize {
        self.echoes.iter().filter(|echo| echo.reply == Some(Reply::Echo)).count()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    pub at: Timestamp,
    pub source: IpAddr,
    pub target: IpAddr,
    /// Each with what came of its probes; the last is the target, if it was reached.
    pub hops: Vec<Hop>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    pub ttl: u8,
    pub probes: Vec<Echo>,
}

/// An interface at this moment: its sessions and counters, without its routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    pub report: InterfaceReport,
    pub port: PortEvidence,
    pub fresh: Fresh,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    pub at: Timestamp,
    pub frames: u32,
    /// Of the file.
    pub bytes: u32,
    /// Frames that came faster than they could be copied.
    pub lost: u64,
    pub ended: Ended,
}

/// Why a capture ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Time,
    Frames,
    Bytes,
}

impl Ended {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Time => "its time was over",
            Self::Frames => "it had its frames",
            Self::Bytes => "its file was full",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_without_a_number_is_within_bounds_and_what_is_beyond_is_named() {
        let defaults = [
            Ask::Show(Show::default()),
            Ask::Ping(Ping::default()),
            Ask::Trace(Trace::default()),
            Ask::Capture(Capture::default()),
            Ask::Look,
        ];
        assert_eq!(defaults.map(|ask| ask.kind()), Ask::KINDS);
        assert!(defaults.iter().all(|ask| ask.check().is_ok()));
        let beyond = [
            (Ask::Ping(Ping { count: 0, ..Ping::default() }), "count is 1 to 20, not 0"),
            (Ask::Ping(Ping { bytes: 9002, ..Ping::default() }), "bytes is 64 to 9001, not 9002"),
            (Ask::Trace(Trace { target: None, hops: 31 }), "hops is 1 to 30, not 31"),
            (
                Ask::Capture(Capture { seconds: 61, ..Capture::default() }),
                "seconds is 1 to 60, not 61",
            ),
            (
                Ask::Capture(Capture { frames: 0, ..Capture::default() }),
                "frames is 1 to 10000, not 0",
            ),
        ];
        for (ask, words) in beyond {
            assert_eq!(ask.check().unwrap_err().to_string(), words);
        }
    }
}
