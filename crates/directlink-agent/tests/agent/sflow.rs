//! A real sFlow collector, pmacct's sfacctd, and what it reads of our datagrams.

use crate::{
    bench::Bench,
    customer::Bird,
    documents::{NET, id, net, one},
    server::{Authority, Process, Server},
};
use directlink_agent::SflowConfig;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::UdpSocket,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

/// It listens on loopback, and writes a line of JSON for each record of counters.
struct Sfacctd {
    daemon: Child,
    lines: PathBuf,
}

impl Sfacctd {
    fn start(bench: &Bench, port: u16) -> Self {
        let dir = bench.dir.path();
        let (config, lines) = (dir.join("sfacctd.conf"), dir.join("counters.json"));
        let text = format!(
            "daemonize: false\nsfacctd_ip: 127.0.0.1\nsfacctd_port: {port}\n\
             sfacctd_counter_file: {}\nsfacctd_counter_output: json\n\
             plugins: memory\nimt_path: {}\n",
            lines.display(),
            dir.join("pipe").display()
        );
        fs::write(&config, text).unwrap();
        let log = File::create(dir.join("sfacctd.log")).unwrap();
        let mut command = Command::new("sfacctd");
        command.arg("-f").arg(&config).stdout(log.try_clone().unwrap()).stderr(log);
        command.process_group(0);
        Self { daemon: command.spawn().unwrap(), lines }
    }

    /// The last of a kind.
    fn last(&self, kind: &str) -> Option<Value> {
        let text = fs::read_to_string(&self.lines).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.rev().find(|line| line["sf_cnt_type"] == kind)
    }
}

impl Drop for Sfacctd {
    fn drop(&mut self) {
        // With what it started.
        let group = Pid::from_raw(self.daemon.id().try_into().unwrap());
        let _ = killpg(group, Signal::SIGKILL);
        drop(self.daemon.wait());
    }
}

/// A free one, as far as one can know.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_real_collector_counts_what_passes_on_an_interface() {
    let (bench, port) = (Bench::new(), free_port());
    bench.plug_vlan();
    bench.plug_host();
    let authority = Authority::new();
    authority.write_identity(bench.dir.path());
    let mut server = Server::start(authority).await;
    let mut config = bench.config(server.address);
    config.sflow = SflowConfig {
        collectors: vec![format!("127.0.0.1:{port}")],
        period: Duration::from_secs(1),
    };
    let sfacctd = Sfacctd::start(&bench, port);
    let _agent = Process::start(config);
    server.hello().await;
    server.send(NET, 3, &net());
    server.send("port/p0", 42, &one());
    let _bird = Bird::start(&bench);
    bench.eventually("the way to the host", Bench::pings).await;
    let packets = |line: &Value, name: &str| line[name].as_u64().unwrap();
    bench
        .eventually("the counters of what was pinged", |bench| {
            bench.pings();
            let Some(line) = sfacctd.last("sflow_cnt_generic") else { return false };
            packets(&line, "ifInUcastPkts") >= 3 && packets(&line, "ifOutUcastPkts") >= 3
        })
        .await;
    let line = sfacctd.last("sflow_cnt_generic").unwrap();
    assert_eq!(line["ifIndex"], id().bits());
    assert_eq!(line["peer_ip_src"], "192.0.2.1", "the router's VTEP");
    // Light, and up.
    assert_eq!((&line["ifStatus"], &line["ifType"]), (&3.into(), &135.into()));
    // An echo of 84 octets, with its Ethernet header and its tag.
    assert_eq!(packets(&line, "ifInOctets"), 102 * packets(&line, "ifInUcastPkts"));
    let line = sfacctd.last("sflow_cnt_vlan").unwrap();
    assert_eq!(line["vlan"], 100);
}
