//! Calls that are followed by OpenTelemetry, from the caller to the router, by a Collector that decodes what comes with the
//! protocol's own crate; and one that takes nothing.

mod collector;

use crate::fixture::{ASN, Region, SOON, run, text};
use anyhow::{Context as _, Result, ensure};
use collector::{Collector, Seen};
use directlink_lab::clock;
use serde_json::json;
use std::net::TcpListener;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const KEY: &str = "bgp-k3y-of-th1s-t3st";

/// What is to be seen in a moment; more than fits into a queue's batch comes at once anyway.
const AT_ONCE: [(&str, &str); 2] =
    [("OTEL_BSP_SCHEDULE_DELAY", "50"), ("OTEL_BLRP_SCHEDULE_DELAY", "50")];

fn up(collector: &str, more: &[(&str, &str)]) -> Result<Region> {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    Region::up_in(&[&[endpoint], &AT_ONCE[..], more].concat(), &[])
}

/// Until the agent has told what became of the plan, and the Collector was told all of it.
fn follow(collector: &Collector, port: &str) -> Result<Seen> {
    let whole = clock::until("the whole trace", SOON, || {
        let seen = collector.seen();
        // What they are parents of has ended before.
        let last = [("CreatePrivateVirtualInterface", ""), ("send plan", port), ("apply", port)];
        let is_whole = last.iter().all(|(name, port)| seen.one(TRACE, name, port).is_ok());
        Ok((is_whole && seen.logs.iter().any(|line| line.trace == TRACE)).then_some(seen))
    });
    whole.with_context(|| collector.seen().drawn(TRACE))
}

#[test]
fn a_call_is_one_trace_from_its_caller_to_the_kernel_of_the_router_and_tells_no_secret()
-> Result<()> {
    let collector = Collector::start()?;
    let region = up(&collector.endpoint, &[])?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    let input = json!({ "connectionId": fibre.connection, "newPrivateVirtualInterface": {
        "virtualInterfaceName": "followed", "vlan": 101, "asn": ASN, "authKey": KEY,
        "virtualGatewayId": cloud.gateway,
    }});
    let caller = format!("traceparent: 00-{TRACE}-{CALLER}-01");
    region.overture_with(0, "CreatePrivateVirtualInterface", input, &caller)?;
    // ROUTER/PORT
    let port = fibre.port.rsplit('/').next().context("a port")?;
    let seen = follow(&collector, port)?;
    println!("{}", seen.drawn(TRACE));

    let [call, commit, plan, send, apply, ledger, pass] = [
        ("CreatePrivateVirtualInterface", ""),
        ("COMMIT", ""),
        ("plan", port),
        ("send plan", port),
        ("apply", port),
        ("ledger", ""),
        ("pass", ""),
    ]
    .map(|(name, port)| seen.one(TRACE, name, port));
    let [call, commit, plan, send, apply, ledger, pass] =
        [call?, commit?, plan?, send?, apply?, ledger?, pass?];
    ensure!(call.parent == CALLER, "the caller's trace goes on");
    for (child, parent) in [(commit, call), (plan, call), (send, plan), (apply, send)] {
        ensure!(child.parent == parent.id, "{} in {}", child.name, parent.name);
    }
    for child in [ledger, pass] {
        let parent = seen.of(TRACE).find(|span| span.id == child.parent).context("a parent")?;
        ensure!(parent.name == "apply", "{} in {}", child.name, parent.name);
        ensure!(parent.ended >= child.ended, "a plan is applied when all of it is done");
    }
    for (span, service) in [(call, "directlink-server"), (apply, "directlink-agent")] {
        ensure!(span.resource["service.name"] == service, "{:?}", span.resource);
    }
    let account = region.lab.described.accounts[0].id.to_string();
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("rpc.service", "aws_direct_connect"),
        ("directlink.account_id", &account),
    ] {
        ensure!(call.attributes.get(key).is_some_and(|it| it == value), "{:?}", call.attributes);
    }
    let line = seen.logs.iter().find(|line| line.trace == TRACE).context("a line")?;
    ensure!((line.body.as_str(), line.severity.as_str()) == ("a new plan", "INFO"), "{line:?}");

    let secret = &region.lab.described.accounts[0].secret_key;
    for told in [KEY, secret, "Signature=", "authorization"] {
        ensure!(!seen.bytes.windows(told.len()).any(|it| it == told.as_bytes()), "{told} is told");
    }
    Ok(())
}

#[test]
fn a_collector_that_takes_nothing_holds_up_no_call_and_no_stop() -> Result<()> {
    // The kernel takes connections for it, and nobody ever reads.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let endpoint = format!("http://{}", silent.local_addr()?);
    let queue = [("OTEL_BSP_MAX_QUEUE_SIZE", "8"), ("OTEL_BLRP_MAX_QUEUE_SIZE", "8")];
    let region = up(&endpoint, &queue)?;
    for _ in 0..100 {
        region.call(0, "ReadDirectLinks", json!({}))?;
    }
    let wish = json!({ "Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": "unheard" });
    let made = region.call(0, "CreateDirectLink", wish)?;
    ensure!(text(&made["DirectLink"], "State") == "requested", "{made}");
    for name in ["server", "agent-par1-r1"] {
        run(&["kill", "-TERM", &region.pid(name)?.to_string()])?;
        clock::until(&format!("{name} to end"), SOON, || {
            Ok(region.pid(name).is_err().then_some(()))
        })?;
    }
    Ok(())
}
