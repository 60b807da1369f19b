//! A real monitoring station, pmacct's pmbmpd, and what it makes of the feed.

use crate::{
    bench::Bench,
    customer::Bird,
    documents::{NET, net, one},
    server::{Authority, Process, Server},
};
use directlink_agent::BmpConfig;
use serde_json::Value;
use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

/// It listens on loopback, and writes a line of JSON for whatever it is told.
struct Pmbmpd {
    daemon: Child,
    lines: PathBuf,
}

impl Pmbmpd {
    fn start(bench: &Bench, port: u16, lines: &str) -> Self {
        let (config, lines) = (bench.dir.path().join("pmbmpd.conf"), bench.dir.path().join(lines));
        let text = format!(
            "daemonize: false\nbmp_daemon_ip: 127.0.0.1\nbmp_daemon_port: {port}\n\
             bmp_daemon_msglog_file: {}\nbmp_daemon_msglog_output: json\nbmp_daemon_max_peers: 4\n",
            lines.display()
        );
        fs::write(&config, text).unwrap();
        let log = File::create(bench.dir.path().join("pmbmpd.log")).unwrap();
        let mut command = Command::new("pmbmpd");
        command.arg("-f").arg(&config).stdout(log.try_clone().unwrap()).stderr(log);
        Self { daemon: command.spawn().unwrap(), lines }
    }

    fn said(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.lines).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn has(&self, wanted: &Value) -> bool {
        let wanted = wanted.as_object().unwrap();
        self.said().iter().any(|line| wanted.iter().all(|(name, value)| line[name] == *value))
    }
}

impl Drop for Pmbmpd {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// A free one, as far as one can know.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn route(prefix: &str, is_post: u8, more: Value) -> Value {
    let mut route = serde_json::json!({
        "bmp_msg_type": "route_monitor", "log_type": "update", "ip_prefix": prefix,
        "is_post": is_post, "peer_ip": "172.16.0.2", "rd": "0:50624:439041101",
    });
    route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    route
}

#[tokio::test]
async fn a_real_station_hears_of_sessions_and_their_three_tables_and_all_again_when_it_was_away() {
    let (bench, port) = (Bench::new(), free_port());
    bench.plug_vlan();
    let authority = Authority::new();
    authority.write_identity(bench.dir.path());
    let mut server = Server::start(authority).await;
    let mut config = bench.config(server.address);
    config.bmp = BmpConfig {
        stations: vec![format!("127.0.0.1:{port}")],
        statistics_period: Duration::from_secs(1),
    };
    let pmbmpd = Pmbmpd::start(&bench, port, "first.json");
    let agent = Process::start(config);
    server.hello().await;
    server.send(NET, 3, &net());
    server.send("port/p0", 42, &one());
    let bird = Bird::start(&bench);

    let incoming =
        serde_json::json!({ "is_in": 1, "as_path": "65001", "bgp_nexthop": "172.16.0.2" });
    let told = [
        serde_json::json!({ "bmp_msg_type": "init", "bmp_init_info_sysname": "par1-r1" }),
        serde_json::json!({ "bmp_msg_type": "peer_up", "peer_ip": "172.16.0.2", "peer_asn": 65001,
                            "local_ip": "172.16.0.1", "bgp_id": "172.16.0.2",
                            "rd": "0:50624:439041101" }),
        route("192.168.0.0/16", 0, incoming.clone()),
        // Too long: not after the policy.
        route("192.168.9.1/32", 0, incoming.clone()),
        route("192.168.0.0/16", 1, incoming.clone()),
        route("10.1.0.0/16", 1, serde_json::json!({ "is_out": 1, "as_path": "50624" })),
        serde_json::json!({ "bmp_msg_type": "stats", "counter_type": 7, "counter_value": 2 }),
        serde_json::json!({ "bmp_msg_type": "stats", "counter_type": 0, "counter_value": 1 }),
        serde_json::json!({ "bmp_msg_type": "stats", "counter_type": 15, "counter_value": 1 }),
    ];
    for line in &told {
        bench.eventually(&line.to_string(), |_| pmbmpd.has(line)).await;
    }
    assert!(!pmbmpd.has(&route("192.168.9.1/32", 1, incoming)));

    // A station that was away, and another file.
    drop(pmbmpd);
    let pmbmpd = Pmbmpd::start(&bench, port, "second.json");
    for line in &told {
        bench.eventually(&line.to_string(), |_| pmbmpd.has(line)).await;
    }
    // The customer goes, and then we do.
    drop(bird);
    let down = serde_json::json!({ "bmp_msg_type": "peer_down", "peer_ip": "172.16.0.2" });
    bench.eventually("the end of the session", |_| pmbmpd.has(&down)).await;
    agent.kill();
    let bye = serde_json::json!({ "bmp_msg_type": "term" });
    bench.eventually("the end of the feed", |_| pmbmpd.has(&bye)).await;
}
