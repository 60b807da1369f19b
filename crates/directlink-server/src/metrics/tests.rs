//! What a Region with an interface at work says, held against Prometheus's own tool; and the
//! dashboard and the rules of `packaging`, held against what is said.

use super::{Requests, prometheus_text, resources, text};
use crate::app::tests::{Bench, authorities::keep_signer, interface, port, works};
use directlink_model::{
    evidence::{PortEvidence, Rise, Transceiver},
    figures::{Tally, Traffic},
    ids::InterfaceId,
    report::{BfdReport, InterfaceReport, LearnedRoute, PortReport},
};
use jiff::SignedDuration;
use prometheus_client::{encoding::text::encode, registry::Registry};
use std::{
    collections::BTreeSet,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// So much came from the customer so far.
fn report(id: InterfaceId, packets: u64) -> PortReport {
    let mut interface = InterfaceReport {
        traffic: Traffic {
            from_customer: Tally { packets, bytes: packets * 1000 },
            to_customer: Tally { packets: packets / 2, bytes: packets * 100 },
        },
        verdicts: [("no_route".to_owned(), 7), ("forwarded_to_net".to_owned(), 9)].into(),
        learned: vec![LearnedRoute {
            prefix: "192.168.0.0/16".parse().unwrap(),
            as_path: vec![65000],
            med: None,
            local_pref: 100,
            best: true,
        }],
        ..works()
    };
    interface.session.bfd = Some(BfdReport {
        state: "Up".to_owned(),
        remote_state: None,
        diagnostic: String::new(),
        transmit_interval_millis: 300,
        detection_time_millis: None,
    });
    let transceiver = Transceiver {
        receive_millidbm: Some(-6_500),
        transmit_millidbm: Some(-2_250),
        ..Transceiver::default()
    };
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    PortReport {
        port: "p0".parse().unwrap(),
        applied_generation: 1,
        light: true,
        interfaces: [(id, interface)].into(),
        unchanged: [].into(),
        evidence: PortEvidence {
            receive_errors: Some(Rise { count: 3, last_at: at }),
            transceiver: Some(transceiver),
            ..PortEvidence::default()
        },
    }
}

/// A connection, an interface on it that works and carries 1 Mbit/s, and a router that is there.
async fn at_work() -> (Bench, InterfaceId) {
    let b = Bench::new().await;
    keep_signer(&b.app).await;
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    let id = made.unwrap().interface.id;
    b.say(true, &[id]).await;
    let (parts, at) = (b.app.parts(), port("par1-r1/p0"));
    // Held by the router's stream as long as the process lives.
    let stream = uuid::Uuid::from_u128(1);
    drop(parts.agents.attach((&at.router, stream), ("test", &[]), b.app.now()));
    for n in 1..=2 {
        b.wait(SignedDuration::from_secs(8));
        let report = report(id, n * 1000);
        parts.figures.take(&at, &report, b.app.now());
        parts.agents.keep(&at, report, b.app.now()).unwrap();
    }
    (b, id)
}

#[tokio::test]
async fn each_resource_is_told_under_the_names_that_aws_gave_it() {
    let (b, id) = at_work().await;
    let text = text(&b.app, &Requests::default()).await.unwrap();
    let connection = b.app.connections(&b.alice(), None).await.unwrap().remove(0).connection.id;
    let of_connection =
        format!("{{connection=\"{connection}\",account=\"{}\",location=\"PAR1\"}}", b.alice);
    let labels = format!("interface=\"{id}\",connection=\"{connection}\",account=\"{}\"", b.alice);
    let of_interface = format!("{{{labels}}}");
    let peer = directlink_model::bgp_peer::first_peer(id);
    let of_peer = format!("{{{labels},bgp_peer=\"{peer}\"}}");
    for (name, labels, value) in [
        ("connection_state", &of_connection, "1.0"),
        ("connection_bps_ingress", &of_connection, "1000000.0"),
        ("connection_bps_egress", &of_connection, "100000.0"),
        ("connection_pps_ingress", &of_connection, "125.0"),
        ("connection_light_level_rx", &of_connection, "-6.5"),
        ("connection_light_level_tx", &of_connection, "-2.25"),
        ("connection_error_count_total", &of_connection, "3"),
        ("virtual_interface_bps_ingress", &of_interface, "1000000.0"),
        ("virtual_interface_pps_egress", &of_interface, "62.0"),
        ("virtual_interface_dropped_packets_total", &of_interface, "7"),
        ("virtual_interface_bgp_status", &of_peer, "1.0"),
        ("virtual_interface_bgp_prefixes_accepted", &of_peer, "1.0"),
        ("virtual_interface_bfd_status", &of_peer, "1.0"),
        ("router_connected", &"{router=\"par1-r1\"}".to_owned(), "1.0"),
        ("series_left_out", &"{kind=\"interface\"}".to_owned(), "0.0"),
    ] {
        let line = format!("directlink_{name}{labels} {value}");
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
    assert!(
        text.contains("\ndirectlink_router_certificate_expiry_timestamp_seconds{router="),
        "{text}"
    );
    let help = "# HELP directlink_connection_light_level_rx ConnectionLightLevelRx: ";
    assert!(text.contains(help), "{text}");
}

#[tokio::test]
async fn there_are_no_more_series_than_are_allowed_and_the_rest_is_counted() {
    let (b, _) = at_work().await;
    let look = resources::Look::of(&b.app).await.unwrap();
    let mut registry = Registry::default();
    resources::register(&mut registry, &look, 0);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(!text.contains("connection=") && !text.contains("interface="), "{text}");
    assert!(text.contains("series_left_out{kind=\"connection\"} 1.0"), "{text}");
}

#[tokio::test]
async fn prometheus_finds_nothing_wrong_with_it() {
    let (b, _) = at_work().await;
    let open = text(&b.app, &Requests::default()).await.unwrap();
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(prometheus_text::of(&open).as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(file)
}

#[test]
fn the_alert_rules_are_well_formed_and_fire_when_they_should() {
    for (check, file) in [("check", "rules.yml"), ("test", "rules.test.yml")] {
        let output = Command::new("promtool")
            .args([check, "rules"])
            .arg(packaging("prometheus").join(file))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}

#[tokio::test]
async fn each_metric_that_the_dashboard_and_the_rules_name_is_there() {
    let (b, _) = at_work().await;
    let requests = Requests::default();
    let labels = vec![("listener", "api".to_owned()), ("status", "2xx".to_owned())];
    requests.0.get_or_create(&labels).inc();
    let text = text(&b.app, &requests).await.unwrap();
    let told: BTreeSet<_> = names(&text).collect();
    for file in ["grafana/directlink.json", "prometheus/rules.yml"] {
        let named = std::fs::read_to_string(packaging(file)).unwrap();
        let missing: Vec<_> = names(&named).filter(|name| !told.contains(name)).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
        assert!(names(&named).count() > 5);
    }
}

/// Words that begin with our prefix.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("directlink_"))
}

#[test]
fn the_dashboard_is_one() {
    let text = std::fs::read_to_string(packaging("grafana/directlink.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(targets.iter().all(|target| target["expr"].is_string()), "{}", panel["title"]);
    }
}

#[tokio::test]
async fn a_connection_of_a_lag_has_the_traffic_of_its_own_wire() {
    let (b, id) = at_work().await;
    let at = port("par1-r1/p0");
    for n in 3..=4 {
        b.wait(SignedDuration::from_secs(8));
        let mut report = report(id, n * 1000);
        let tally = Tally { packets: n * 8, bytes: n * 8_000 };
        report.evidence.traffic = Some(Traffic { from_customer: tally, to_customer: tally });
        b.app.parts().figures.take(&at, &report, b.app.now());
    }
    let text = text(&b.app, &Requests::default()).await.unwrap();
    let told = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("directlink_{name}{{")));
        line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
    };
    assert_eq!(told("connection_bps_ingress").as_deref(), Some("8000.0"), "{text}");
    assert_eq!(told("connection_bps_egress").as_deref(), Some("8000.0"));
    assert_eq!(told("connection_pps_ingress").as_deref(), Some("1.0"));
    assert_eq!(told("virtual_interface_bps_ingress").as_deref(), Some("1000000.0"));
}
