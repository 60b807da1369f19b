//! A router, a customer and a host in namespaces, gone when dropped.
//!
//! ```text
//!  NAME-c: v100 ═ t100 ─ tag 100 ─ cable ═══ p0 :NAME-r: uplink0 ═══ fabric :NAME-h: vx0
//!          172.16.0.2/30             (trunk)           192.0.2.1    192.0.2.2     10.1.0.5
//! ```

use crate::server::url;
use directlink_agent::{
    AgentConfig, BfdSettings, BmpConfig, KernelConfig, PREFIXES_MAX, SflowConfig, clean,
};
use directlink_dataplane::{Cable, offload};
use nix::sched::{CloneFlags, setns};
use std::{
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) struct Bench {
    pub(crate) name: String,
    pub(crate) dir: TempDir,
    kernel: KernelConfig,
}

impl Bench {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dlag{}x{n}", std::process::id());
        let kernel = KernelConfig {
            netns: Some(PathBuf::from(format!("/run/netns/{name}-r"))),
            netns_prefix: format!("{name}-"),
            pin_dir: PathBuf::from(format!("/run/{name}")),
            uplink: "uplink0".into(),
        };
        let bench = Self { name, dir: TempDir::new().unwrap(), kernel };
        let [r, c, h] = ["r", "c", "h"].map(|end| bench.netns(end));
        for command in [
            format!("ip netns add {r}"),
            format!("ip netns add {c}"),
            format!("ip netns add {h}"),
            format!("ip -n {r} link add p0 type veth peer name cable netns {c}"),
            format!("ip -n {r} link add uplink0 type veth peer name fabric netns {h}"),
            format!("ip -n {r} addr add 192.0.2.1/24 dev uplink0"),
            format!("ip -n {h} addr add 192.0.2.2/24 dev fabric"),
            format!("ip -n {c} link set lo up"),
            format!("ip -n {r} link set p0 up"),
            format!("ip -n {r} link set uplink0 up"),
            format!("ip -n {c} link set cable up"),
            format!("ip -n {h} link set fabric up"),
        ] {
            run(&command);
        }
        bench
    }

    pub(crate) fn config(&self, server: SocketAddr) -> AgentConfig {
        AgentConfig {
            bfd: BfdSettings::default(),
            router: "par1-r1".parse().unwrap(),
            servers: vec![url(server)],
            identity_dir: self.dir.path().to_owned(),
            enrol_token: None,
            enrol_token_file: None,
            state_dir: self.dir.path().join("state"),
            prefixes_max: PREFIXES_MAX,
            bmp: BmpConfig::default(),
            sflow: SflowConfig::default(),
            kernel: self.kernel.clone(),
        }
    }

    /// `r`: router, `c`: customer, `h`: host.
    pub(crate) fn netns(&self, end: &str) -> String {
        format!("{}-{end}", self.name)
    }

    pub(crate) fn within(&self, end: &str, command: &str) -> String {
        run(&format!("ip netns exec {} {command}", self.netns(end)))
    }

    /// The customer's VLAN 100 as an interface without tag.
    pub(crate) fn plug_vlan(&self) {
        for command in [
            "ip link add v100 type veth peer name t100",
            "ip addr add 172.16.0.2/30 dev v100",
            "ip link set v100 up",
            "ip link set t100 up",
            "ip addr add 192.168.7.1/24 dev lo",
        ] {
            self.within("c", command);
        }
        let ifindex = |name: &str| -> u32 {
            let path = format!("cat /sys/class/net/{name}/ifindex");
            self.within("c", &path).trim().parse().unwrap()
        };
        let (trunk, inner) = (ifindex("cable"), ifindex("t100"));
        self.inside("c", move || {
            let mut cable = Cable::new().unwrap();
            cable.attach(trunk, 100_u16.try_into().unwrap(), inner).unwrap();
        });
    }

    /// IPv6 on the VLAN, and a network behind it.
    pub(crate) fn plug_ipv6(&self) {
        for (end, command) in [
            ("c", "ip addr add fd01::2/125 dev v100 nodad"),
            ("c", "ip addr add 2001:db8:9::1/48 dev lo nodad"),
            ("h", "ip addr add fd02:0:0:1::5/64 dev vx0 nodad"),
            ("h", "ip route add default via fd02:0:0:1::1"),
        ] {
            self.within(end, command);
        }
    }

    /// A NIC of the Net, by the kernel's own vxlan device.
    pub(crate) fn plug_host(&self) {
        self.inside("h", || {
            offload::finish_frames("fabric").unwrap();
            offload::poll("fabric").unwrap();
        });
        for command in [
            "ip link add vx0 address 02:00:00:00:00:05 type vxlan id 1000 dstport 4789 local 192.0.2.2 dev fabric",
            "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.1",
            "ip addr add 10.1.0.5/24 dev vx0",
            "ip link set vx0 up",
            "ip route add default via 10.1.0.1",
        ] {
            self.within("h", command);
        }
    }

    /// Whether the customer reaches the host.
    pub(crate) fn pings(&self) -> bool {
        let netns = self.netns("c");
        let words =
            ["netns", "exec", &netns, "ping", "-c1", "-W1", "-I", "192.168.7.1", "10.1.0.5"];
        Command::new("ip").args(words).output().unwrap().status.success()
    }

    /// The same over IPv6.
    pub(crate) fn pings_ipv6(&self) -> bool {
        let netns = self.netns("c");
        let words = ["netns", "exec", &netns, "ping", "-6", "-c1", "-W1", "-I"];
        let ends = ["2001:db8:9::1", "fd02:0:0:1::5"];
        let output = Command::new("ip").args(words).args(ends).output().unwrap();
        output.status.success()
    }

    pub(crate) async fn eventually(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds(self) {
            assert!(Instant::now() < deadline, "not seen: {what}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn inside(&self, end: &str, work: impl FnOnce() + Send + 'static) {
        let netns = File::open(format!("/run/netns/{}", self.netns(end))).unwrap();
        let body = move || {
            setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
            work();
        };
        std::thread::spawn(body).join().unwrap();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let cleaned = clean(&self.kernel);
        for end in ["r", "c", "h"] {
            let _ = Command::new("ip").args(["netns", "del", &self.netns(end)]).status();
        }
        if !std::thread::panicking() {
            cleaned.unwrap();
        }
    }
}

/// # Panics
/// The command failed: without root, or without iproute2, all do.
pub(crate) fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
