//! Two namespaces and a veth between them, gone when it is dropped.
//!
//! ```text
//!   dlsp-PID-N-r: v0 172.16.0.1/30 ════════ v0 172.16.0.2/30 :dlsp-PID-N-c
//!                    fd01::1/64                 fd01::2/64
//! ```

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) struct Place {
    name: String,
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self::without_address();
        place.give_address();
        place
    }

    /// Our side has its link, but no address yet.
    pub(crate) fn without_address() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("dlsp-{}-{number}", std::process::id());
        let place = Self { name, dir: TempDir::new().unwrap() };
        let (router, customer) = (place.router(), place.customer());
        for netns in [&router, &customer] {
            ip(&format!("netns add {netns}"));
            ip(&format!("-n {netns} link set lo up"));
        }
        place.make_link();
        place
    }

    pub(crate) fn give_address(&self) {
        for address in [format!("{ROUTER}/30"), format!("{}/64 nodad", V6.router)] {
            ip(&format!("-n {} address add {address} dev v0", self.router()));
        }
    }

    /// As when the agent makes the interface anew.
    pub(crate) fn remake_link(&self) {
        ip(&format!("-n {} link delete v0", self.router()));
        self.make_link();
        self.give_address();
    }

    /// Nothing comes through any more, either way, and no end has lost its light. Gives back when
    /// the router became deaf.
    pub(crate) fn silence(&self) -> Instant {
        let rules = "table netdev silence { chain in { type filter hook ingress device v0 \
                     priority 0; policy drop; }; }";
        let deaf = [self.router(), self.customer()].map(|netns| {
            let mut nft = Command::new("ip");
            let done = nft.args(["netns", "exec", &netns, "nft", rules]).output().unwrap();
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "nft in {netns}: {said}");
            Instant::now()
        });
        deaf[0]
    }

    /// A datagram of the customer's.
    pub(crate) fn send_to_bfd(&self, payload: &[u8], ttl: u8) {
        let hex: String = payload.iter().map(|octet| format!("{octet:02x}")).collect();
        let script = format!(
            "import socket as s\n\
             out = s.socket(s.AF_INET, s.SOCK_DGRAM)\n\
             out.setsockopt(s.IPPROTO_IP, s.IP_TTL, {ttl})\n\
             out.bind(('{CUSTOMER}', 0))\n\
             out.sendto(bytes.fromhex('{hex}'), ('{ROUTER}', 3784))"
        );
        let mut python = Command::new("ip");
        python.args(["netns", "exec", &self.customer(), "python3", "-c", &script]);
        let done = python.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    pub(crate) fn router_netns(&self) -> PathBuf {
        Path::new("/run/netns").join(self.router())
    }

    pub(crate) fn forget_router_netns(&self) {
        ip(&format!("netns delete {}", self.router()));
    }

    pub(crate) fn customer(&self) -> String {
        format!("{}-c", self.name)
    }

    fn router(&self) -> String {
        format!("{}-r", self.name)
    }

    fn make_link(&self) {
        let (router, customer) = (self.router(), self.customer());
        ip(&format!("-n {router} link add v0 type veth peer name v0 netns {customer}"));
        ip(&format!("-n {router} link set v0 up"));
        ip(&format!("-n {customer} link set v0 up"));
        for address in [format!("{CUSTOMER}/30"), format!("{}/64 nodad", V6.customer)] {
            ip(&format!("-n {customer} address add {address} dev v0"));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for netns in [self.router(), self.customer()] {
            if Path::new("/run/netns").join(&netns).exists() {
                ip(&format!("netns delete {netns}"));
            }
        }
    }
}

/// Waits for a fact, at most as long as a test may take.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(18);
    while !holds() {
        assert!(Instant::now() < deadline, "not seen: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// # Panics
/// Without root, or without iproute2.
fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {said}");
}

/// The addresses of a session.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) router: &'static str,
    pub(crate) customer: &'static str,
}

pub(crate) const V4: Ends = Ends { router: ROUTER, customer: CUSTOMER };
pub(crate) const V6: Ends = Ends { router: "fd01::1", customer: "fd01::2" };
pub(crate) const ROUTER: &str = "172.16.0.1";
pub(crate) const CUSTOMER: &str = "172.16.0.2";
pub(crate) const ROUTER_ASN: u32 = 50624;
pub(crate) const CUSTOMER_ASN: u32 = 4_200_000_123;
