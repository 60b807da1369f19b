//! The customer's router: BIRD, FRR or GoBGP in the customer's own namespace, each configured as a
//! person would, and asked by its own command line.
//!
//! ```text
//! Session (ours)  ──►  bird.conf │ bgpd.conf │ gobgpd.toml  ──►  bird │ zebra+bgpd │ gobgpd
//! state, routes   ◄──  birdc     │ vtysh     │ gobgp
//! ```
//!
//! All three install what they learn into the kernel: BIRD and FRR by themselves; GoBGP has no
//! such part, so its routes are put there when they are asked for.

mod bird;
mod frr;
mod gobgp;
mod office;

use crate::{
    clock,
    name::LabName,
    netns,
    process::{self, Process},
    tool,
};
use anyhow::{Context as _, Result};
use directlink_net::{Asn, BgpKey, Ipv4Net};
use std::{
    ffi::OsStr,
    fmt, fs,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

pub use office::furnish;

/// How long a daemon may take to open its control socket.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Whose program speaks BGP for the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Brand {
    Bird,
    Frr,
    Gobgp,
}

impl Brand {
    pub const ALL: [Self; 3] = [Self::Bird, Self::Frr, Self::Gobgp];
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
            Self::Gobgp => "GoBGP",
        })
    }
}

/// What the customer configures: one session on one VLAN.
#[derive(Clone, Debug)]
pub struct Session {
    pub interface: String,
    /// The customer's address, with the length of the peer subnet.
    pub address: Ipv4Net,
    pub asn: Asn,
    pub neighbour: Ipv4Addr,
    pub neighbour_asn: Asn,
    pub key: Option<BgpKey>,
    pub announced: Vec<Ipv4Net>,
    /// The path is watched by BFD, 300 ms x 3. GoBGP has none.
    pub bfd: bool,
}

/// A customer's router that runs.
#[derive(Debug)]
pub struct Router {
    brand: Brand,
    netns: String,
    neighbour: IpAddr,
    dir: PathBuf,
    processes: Vec<Process>,
}

impl Router {
    /// Gives the interface its address and starts the daemon, in a namespace where the cable is
    /// plugged. Its files are in `DIR/customer/NAME/`.
    ///
    /// # Errors
    /// The daemon is not installed, or does not answer.
    pub fn start(
        lab: &LabName,
        name: &str,
        netns: &str,
        brand: Brand,
        session: &Session,
    ) -> Result<Self> {
        let dir = lab.dir().join("customer").join(name);
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        tool::ip(
            Some(netns),
            &[
                format!("address replace {} dev {}", session.address, session.interface),
                // GoBGP is asked by way of it; in a new namespace it is down.
                "link set lo up".to_owned(),
            ],
        )?;
        // A customer's router forwards.
        netns::within(netns, || {
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("ip_forward")
        })?;
        let place = Place { lab, name, netns, dir: &dir };
        let processes = match brand {
            Brand::Bird => bird::start(&place, session),
            Brand::Frr => frr::start(&place, session),
            Brand::Gobgp => gobgp::start(&place, session),
        }
        .with_context(|| format!("the customer's {brand}"))?;
        let neighbour = session.neighbour.into();
        Ok(Self { brand, netns: netns.to_owned(), neighbour, dir, processes })
    }

    /// As [`Router::start`], with a configuration that somebody else wrote, on a device that has all
    /// else that it needs. `neighbour`: whom it speaks with.
    ///
    /// # Errors
    /// The daemon is not installed, does not answer, or does not like the text.
    pub fn start_with(
        lab: &LabName,
        (name, netns): (&str, &str),
        brand: Brand,
        text: &str,
        neighbour: impl Into<IpAddr>,
    ) -> Result<Self> {
        let dir = lab.dir().join("customer").join(name);
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        tool::ip(Some(netns), &["link set lo up".to_owned()])?;
        let place = Place { lab, name, netns, dir: &dir };
        let processes = match brand {
            Brand::Bird => bird::load(&place, text),
            Brand::Frr => frr::load(&place, text),
            Brand::Gobgp => gobgp::load(&place, text),
        }
        .with_context(|| format!("the customer's {brand}"))?;
        let neighbour = neighbour.into();
        Ok(Self { brand, netns: netns.to_owned(), neighbour, dir, processes })
    }

    pub fn brand(&self) -> Brand {
        self.brand
    }

    /// What a person would type to look into it.
    pub fn shell(&self) -> String {
        match self.brand {
            Brand::Bird => bird::shell(&self.dir),
            Brand::Frr => frr::shell(&self.dir),
            Brand::Gobgp => gobgp::shell(&self.netns),
        }
    }

    /// Whether it says that its session is established.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn is_established(&self) -> Result<bool> {
        match self.brand {
            Brand::Bird => bird::is_established(&self.dir),
            Brand::Frr => frr::is_established(&self.dir, self.neighbour),
            Brand::Gobgp => gobgp::is_established(&self.netns, self.neighbour),
        }
    }

    /// Something that stays as it is until BFD fails, in the router's own words; `None` while its
    /// session is not up.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn bfd_history(&self) -> Result<Option<String>> {
        match self.brand {
            Brand::Bird => bird::bfd_history(&self.dir),
            Brand::Frr => frr::bfd_history(&self.dir),
            Brand::Gobgp => Ok(None),
        }
    }

    /// What it learned, in its own words: prefixes whose next hop is the neighbour.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn learned(&self) -> Result<Vec<Ipv4Net>> {
        let mut learned = match self.brand {
            Brand::Bird => bird::learned(&self.dir)?,
            Brand::Frr => frr::learned(&self.dir)?,
            Brand::Gobgp => {
                let learned = gobgp::learned(&self.netns, self.neighbour)?;
                install(&self.netns, &learned, self.neighbour)?;
                learned
            }
        };
        learned.sort_unstable();
        Ok(learned)
    }

    /// Its table of routes as it prints it, for people.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn table(&self) -> Result<String> {
        match self.brand {
            Brand::Bird => bird::table(&self.dir),
            Brand::Frr => frr::table(&self.dir),
            Brand::Gobgp => gobgp::table(&self.netns),
        }
    }

    /// Kills it, as a power cut would.
    ///
    /// # Errors
    /// It does not die.
    pub fn stop(self) -> Result<()> {
        self.processes.iter().try_for_each(process::stop)
    }
}

/// Where one customer's router lives.
struct Place<'a> {
    lab: &'a LabName,
    name: &'a str,
    netns: &'a str,
    dir: &'a Path,
}

impl Place<'_> {
    /// A file that only its owner reads: BGP keys are in it.
    fn write(&self, file: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(file);
        // Another key must not be read by who opened the old file.
        let _ = fs::remove_file(&path);
        let mut options = fs::OpenOptions::new();
        let mut opened = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| path.display().to_string())?;
        std::io::Write::write_all(&mut opened, text.as_bytes())?;
        Ok(path)
    }

    fn start(&self, program: &str, arguments: &[&OsStr]) -> Result<Process> {
        let short = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
        self.start_as(&short, Path::new(program), arguments)
    }

    /// As [`Place::start`], for a daemon that another program starts.
    fn start_as(&self, daemon: &str, program: &Path, arguments: &[&OsStr]) -> Result<Process> {
        let name = format!("customer-{}-{daemon}", self.name);
        process::start(self.lab, &name, Some(self.netns), program, arguments)
    }

    /// Waits until the daemon answers its own command line; if it dies first, says so.
    fn answers(&self, daemon: &Process, mut asked: impl FnMut() -> Result<()>) -> Result<()> {
        let log = process::log_path(self.lab, &daemon.name);
        let what = format!("{} to answer (see {})", daemon.name, log.display());
        clock::until(&what, START_LIMIT, || match asked() {
            Ok(()) => Ok(Some(())),
            Err(error) if !process::is_running(daemon.pid) => {
                let last = fs::read_to_string(&log).unwrap_or_default();
                Err(error.context(format!("it has died: {}", last.trim_end())))
            }
            Err(_) => Ok(None),
        })
    }
}

fn install(netns: &str, learned: &[Ipv4Net], via: IpAddr) -> Result<()> {
    let lines: Vec<_> = learned
        .iter()
        .map(|prefix| format!("route replace {prefix} via {via} proto bgp"))
        .collect();
    tool::ip(Some(netns), &lines)
}
