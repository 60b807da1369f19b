//! The looking glass on a real Region: what BIRD said and what became of it, echoes behind it, and
//! a capture that tcpdump reads, with what the router dropped.

use crate::fixture::{Cloud, Fibre, Interface, Region, await_reach, reaches, run};
use anyhow::{Result, ensure};
use directlink_lab::{
    clock,
    customer::{Brand, Router},
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

const OFFICE: &str = "192.168.10.0/24";
const COMPUTER: &str = "192.168.10.2";
const KEY: &str = "tgyn26example";

struct Stage {
    region: Region,
    fibre: Fibre,
    cloud: Cloud,
    interface: Interface,
    _router: Router,
    /// A computer behind the customer's router.
    office: String,
}

/// One interface that works, whose customer also announces what is refused.
fn stage() -> Result<Stage> {
    let region = Region::up()?;
    let fibre = region.fibre(0, "PAR1", &[101])?;
    let cloud = region.cloud(0, "10.7.0.0/16")?;
    region.admit(&cloud, OFFICE)?;
    let interface = region.interface(&fibre, &cloud, 101, Some(KEY))?;
    let mut session = region.session(&interface, Some(KEY), OFFICE)?;
    session.announced.push("192.168.77.8/30".parse()?);
    let router = region.router(&fibre, Brand::Bird, &session)?;
    region.await_interface(0, &interface, "available")?;
    let office = region.office(&fibre, OFFICE)?;
    await_reach(&office, cloud.host.address)?;
    Ok(Stage { region, fibre, cloud, interface, _router: router, office })
}

/// `directlink WORDS…`, as that account.
fn command(region: &Region, account: usize, words: &[&str]) -> Command {
    let account = &region.lab.described.accounts[account];
    let mut command = Command::new(env!("CARGO_BIN_EXE_directlink"));
    command
        .args(words)
        .env("OSC_ACCESS_KEY", &account.access_key)
        .env("OSC_SECRET_KEY", &account.secret_key)
        .env("OSC_ENDPOINT_API", &region.lab.described.api)
        .env("OSC_REGION", region.lab.described.region.as_str())
        .env_remove("DIRECTLINK_STATE")
        .env("HOME", &region.dir);
    command
}

fn json(region: &Region, words: &[&str]) -> Result<Value> {
    let output = command(region, 0, &[words, &["--output", "json"]].concat()).output()?;
    let Output { status, stdout, stderr } = output;
    ensure!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
    let text = String::from_utf8(stdout)?;
    ensure!(!text.contains(KEY), "the key is shown");
    Ok(serde_json::from_str(&text)?)
}

#[test]
fn the_glass_shows_a_session_and_its_routes_and_a_capture_what_was_dropped() -> Result<()> {
    let stage = stage()?;
    shows(&stage)?;
    pings(&stage)?;
    traces(&stage)?;
    captures(&stage)?;
    others_see_nothing(&stage)
}

fn shows(stage: &Stage) -> Result<()> {
    let Stage { region, interface, cloud, .. } = stage;
    let shown = json(region, &["glass", &interface.id])?;
    ensure!(shown["vlan"] == 101 && shown["forwards"] == true, "{shown}");
    let peer = &shown["peers"][0];
    let session = &peer["session"];
    ensure!(session["state"] == "Established" && session["has_key"] == true, "{session}");
    let timers = &session["timers"];
    let [hold, keepalive] = ["hold_seconds", "keepalive_seconds"].map(|it| timers[it].as_u64());
    ensure!(hold.is_some() && keepalive.is_some_and(|it| Some(it * 3) == hold), "{timers}");
    for whose in ["ours", "theirs"] {
        let said = session["capabilities"][whose].to_string();
        ensure!(said.contains("four-octet AS") && said.contains("route refresh"), "{said}");
    }
    ensure!(peer["neighbour"].is_string(), "{peer}");
    let received = |prefix: &str| {
        let all = peer["received"].as_array().into_iter().flatten();
        all.clone().find(|route| route["prefix"] == prefix).cloned().unwrap_or_default()
    };
    let taken = received(OFFICE);
    ensure!(taken["as_path"][0] == 65010 && taken["refused"].is_null(), "{taken}");
    ensure!(taken["standing"]["why"] == "the only path", "{taken}");
    let leads = taken["row"]["leads_to"][0].as_str().unwrap_or_default();
    ensure!(leads.contains(&interface.id) && taken["row"]["lets_in"] == true, "{taken}");
    let refused = received("192.168.77.8/30");
    ensure!(refused["refused"].as_str().is_some_and(|why| why.contains("above the limit")));
    ensure!(refused["standing"].is_null() && refused["row"].is_null(), "{refused}");
    let told = &peer["advertised"][0];
    ensure!(told["prefix"] == cloud.range.as_str(), "{told}");
    // For people, and for the operator.
    let text = command(region, 0, &["glass", &interface.id]).output()?;
    let text = String::from_utf8(text.stdout)?;
    ensure!(
        text.contains("refused: its prefix length") && text.contains("the only path"),
        "{text}"
    );
    let state = region.dir.display().to_string();
    let operator =
        run(&[env!("CARGO_BIN_EXE_directlink"), "glass", &interface.id, "--state", &state])?;
    ensure!(operator.contains("Established") && !operator.contains(KEY), "{operator}");
    Ok(())
}

fn pings(stage: &Stage) -> Result<()> {
    let Stage { region, interface, .. } = stage;
    let router = json(region, &["ping", &interface.id, "--count", "3"])?;
    ensure!(router["target"] == interface.customer.addr().to_string(), "{router}");
    for target in [interface.customer.addr().to_string(), COMPUTER.to_owned()] {
        let told = json(region, &["ping", &interface.id, &target, "--count", "3"])?;
        let echoes = told["echoes"].as_array().cloned().unwrap_or_default();
        ensure!(echoes.len() == 3 && echoes.iter().all(|it| it["reply"] == "echo"), "{told}");
    }
    for (words, says) in [
        (&["ping", &interface.id, "10.99.0.1"][..], "neither in the interface's VLAN"),
        (&["ping", &interface.id, "192.168.77.9"], "neither in the interface's VLAN"),
        (&["ping", &interface.id, "--size", "1501"], "bytes is 64 to 1500, not 1501"),
        (&["ping", &interface.id, "--count", "21"], "count is 1 to 20, not 21"),
    ] {
        let said = command(region, 0, words).output()?;
        let text = String::from_utf8_lossy(&said.stderr);
        ensure!(!said.status.success() && text.contains(says), "{words:?}: {text}");
    }
    Ok(())
}

fn traces(stage: &Stage) -> Result<()> {
    let Stage { region, interface, .. } = stage;
    let told = json(region, &["traceroute", &interface.id, COMPUTER])?;
    let hops = told["hops"].as_array().cloned().unwrap_or_default();
    let from = |n: usize| hops[n]["probes"][0]["from"].as_str().unwrap_or_default().to_owned();
    ensure!(hops.len() == 2, "{told}");
    let customer = interface.customer.addr().to_string();
    ensure!((from(0), from(1)) == (customer, COMPUTER.to_owned()), "{told}");
    Ok(())
}

/// A capture that runs, and where it goes.
fn begin(stage: &Stage, file: &Path, more: &[&str]) -> Result<Child> {
    let file = file.display().to_string();
    let words = [&["capture", &stage.interface.id, "-w", &file], more].concat();
    Ok(command(&stage.region, 0, &words).stderr(Stdio::piped()).spawn()?)
}

fn tcpdump(file: &Path) -> Result<String> {
    run(&["tcpdump", "-nn", "-e", "-r", &file.display().to_string()])
}

fn captures(stage: &Stage) -> Result<()> {
    let Stage { region, fibre, cloud, office, .. } = stage;
    // Two at once: one is refused, and from then on the other is known to run.
    let files = ["a.pcapng", "b.pcapng"].map(|name| region.dir.join(name));
    let mut both = vec![];
    for file in &files {
        both.push(begin(stage, file, &["--seconds", "8"])?);
    }
    let refused = clock::until("one at a time", Duration::from_secs(8), || {
        for (n, child) in both.iter_mut().enumerate() {
            if child.try_wait()?.is_some() {
                return Ok(Some(n));
            }
        }
        Ok(None)
    })?;
    let busy = both.remove(refused).wait_with_output()?;
    let text = String::from_utf8_lossy(&busy.stderr);
    ensure!(!busy.status.success() && text.contains("one is running on it already"), "{text}");
    let (file, capture) = (&files[1 - refused], both.remove(0));
    run(&["ip", "-n", &fibre.netns, "address", "replace", "192.168.99.1/32", "dev", "lo"])?;
    let to = cloud.host.address.to_string();
    for _ in 0..3 {
        ensure!(reaches(office, cloud.host.address)?);
        let spoofed = ["ping", "-c", "1", "-W", "0.1", "-I", "192.168.99.1", &to];
        let words = [&["ip", "netns", "exec", &fibre.netns][..], &spoofed].concat();
        drop(run(&words));
    }
    let ended = capture.wait_with_output()?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let (seen, bytes) = (tcpdump(file)?, fs::read(file)?);
    let has = |words: &[&str]| seen.lines().any(|line| words.iter().all(|it| line.contains(it)));
    let echo = format!("{COMPUTER} > {to}: ICMP echo request");
    ensure!(has(&["vlan 101", &echo]), "{seen}");
    ensure!(has(&["vlan 101", &format!("{to} > {COMPUTER}: ICMP echo reply")]), "{seen}");
    ensure!(has(&["192.168.99.1", "ICMP echo request"]), "{seen}");
    ensure!(seen.lines().all(|line| line.contains("vlan 101")), "{seen}");
    let text = String::from_utf8_lossy(&bytes);
    ensure!(text.contains("dropped: source_not_announced"), "no verdict in the file");
    ensure!(text.contains("forwarded_to_net") && text.contains("forwarded_to_customer"));
    ensure!(!text.contains(KEY), "the key is in the file");
    // The session goes on by itself, signed: a digest is seen, its key is not.
    let own = region.dir.join("own.pcapng");
    let words = ["--seconds", "30", "--frames", "router", "--count", "3"];
    let ended = begin(stage, &own, &words)?.wait_with_output()?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let seen = tcpdump(&own)?;
    ensure!(seen.lines().count() == 3 && !seen.contains(COMPUTER), "{seen}");
    Ok(())
}

/// Another account's interface is as one that is not there.
fn others_see_nothing(stage: &Stage) -> Result<()> {
    let Stage { region, interface, .. } = stage;
    for words in [&["glass"][..], &["ping"], &["traceroute"], &["capture", "-w", "/dev/null"]] {
        let told = |id: &str| -> Result<String> {
            let output =
                command(region, 1, &[&words[..1], &[id], &words[1..]].concat()).output()?;
            ensure!(!output.status.success() && output.stdout.is_empty(), "{words:?}");
            Ok(String::from_utf8(output.stderr)?.replace(id, "dxvif-…"))
        };
        let (foreign, absent) = (told(&interface.id)?, told("dxvif-00000000")?);
        ensure!(foreign == absent && foreign.contains("doesn't exist"), "{foreign} {absent}");
    }
    Ok(())
}
