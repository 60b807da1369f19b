//! Faults on a lab's cable: each is what it says, is seen by diagnosis where that can see it, and is
//! gone when it is cleared or its time is over.

use crate::fixture::{Cloud, Fibre, Interface, Region, SOON, await_reach, run, text};
use anyhow::{Context as _, Result, ensure};
use directlink_lab::{
    clock,
    customer::{Brand, Router},
    netns,
};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

const LAN: &str = "192.168.10.0/24";
const KEY: &str = "k3y";

struct Road {
    region: Region,
    fibre: Fibre,
    cloud: Cloud,
    interface: Interface,
    router: Router,
    office: String,
}

impl Road {
    fn new() -> Result<Self> {
        let region = Region::up()?;
        let fibre = region.fibre(0, "PAR1", &[101])?;
        let cloud = region.cloud(0, "10.7.0.0/16")?;
        region.admit(&cloud, LAN)?;
        let interface = region.interface(&fibre, &cloud, 101, Some(KEY))?;
        let session = region.session(&interface, Some(KEY), LAN)?;
        let router = region.router(&fibre, Brand::Bird, &session)?;
        region.await_interface(0, &interface, "available")?;
        let office = region.office(&fibre, LAN)?;
        await_reach(&office, cloud.host.address)?;
        Ok(Self { region, fibre, cloud, interface, router, office })
    }

    /// `directlink lab fault WORDS … --port …`
    fn fault(&self, words: &[&str]) -> Result<()> {
        let [kind, more @ ..] = words else { unreachable!("a kind") };
        let port = ["--port", self.fibre.port.as_str()];
        self.lab(&[&[*kind], &port[..], more].concat()).map(drop)
    }

    fn clear(&self) -> Result<()> {
        self.lab(&["clear"]).map(drop)?;
        ensure!(self.on()?.is_empty());
        Ok(())
    }

    /// The kinds that are on.
    fn on(&self) -> Result<Vec<String>> {
        let told: Value = serde_json::from_str(&self.lab(&["list", "--output", "json"])?)?;
        let faults = told["faults"].as_array().context("faults")?;
        ensure!(faults.iter().all(|fault| fault["port"] == self.fibre.port), "{told}");
        Ok(faults.iter().map(|fault| text(fault, "fault")).collect())
    }

    fn lab(&self, words: &[&str]) -> Result<String> {
        let state = self.region.dir.to_str().context("a path")?;
        let command = [env!("CARGO_BIN_EXE_directlink"), "lab", "fault"];
        run(&[&command, words, &["--state", state][..]].concat())
    }

    /// Of pings to the host: the share that came back, and their mean time in milliseconds.
    fn pings(&self, count: u32) -> Result<(f64, f64)> {
        let to = self.cloud.host.address.to_string();
        let said = netns::within(&self.office, || {
            let count = count.to_string();
            let words = ["-q", "-i", "0.005", "-c", &count, "-W", "1", &to];
            Ok(Command::new("ping").args(words).output()?.stdout)
        })?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let lost = said.split(", ").find(|part| part.contains("packet loss"));
        let lost: f64 =
            lost.and_then(|part| part.split('%').next()?.parse().ok()).context(said.clone())?;
        let mean = said.split(" = ").nth(1).and_then(|times| times.split('/').nth(1)?.parse().ok());
        Ok((1.0 - lost / 100.0, mean.unwrap_or(f64::INFINITY)))
    }

    /// Waits until diagnosis names this rung first.
    fn await_diagnosis(&self, step: &str) -> Result<Value> {
        self.await_evidence(step, "")
    }

    /// And this is in what it says.
    fn await_evidence(&self, step: &str, says: &str) -> Result<Value> {
        let state = self.region.dir.to_str().context("a path")?;
        clock::until(&format!("diagnosis of {step}"), SOON * 4, || {
            let command = [env!("CARGO_BIN_EXE_directlink"), "diagnose", &self.interface.id];
            let said = run(&[&command[..], &["--state", state, "--output", "json"]].concat())?;
            let told: Value = serde_json::from_str(&said)?;
            let first = told["diagnosis"]["first_failed"].clone();
            let is_it = first["step"] == step && text(&first, "evidence").contains(says);
            Ok(is_it.then_some(first))
        })
    }

    fn await_healthy(&self) -> Result<()> {
        self.region.await_interface(0, &self.interface, "available")?;
        clock::until("BGP", SOON * 4, || Ok(self.router.is_established()?.then_some(())))?;
        await_reach(&self.office, self.cloud.host.address)
    }
}

#[test]
fn each_fault_is_what_it_says_is_diagnosed_and_ends() -> Result<()> {
    let road = Road::new()?;
    let (_, usual) = road.pings(50)?;

    road.fault(&["loss", "--percent", "20"])?;
    ensure!(road.on()? == ["loss"]);
    let again = road.fault(&["loss"]).map_err(|error| error.to_string());
    ensure!(again.is_err_and(|text| text.contains("on already")));
    let (came, _) = road.pings(400)?;
    eprintln!("loss of 20 % each way: {:.1} % came back", came * 100.0);
    ensure!((0.50..0.78).contains(&came), "64 % of 400 should: {came}");
    road.clear()?;
    let (came, _) = road.pings(50)?;
    ensure!((came - 1.0).abs() < 1e-9, "cleared, and {came}");

    road.fault(&["delay", "--by", "80ms"])?;
    let (came, mean) = road.pings(50)?;
    eprintln!("a delay of 80 ms: {mean:.1} ms, usually {usual:.1} ms");
    ensure!((came - 1.0).abs() < 1e-9 && (80.0..usual + 110.0).contains(&mean), "{came} {mean}");
    road.clear()?;

    road.fault(&["slow-peer", "--by", "300ms"])?;
    let (_, mean) = road.pings(20)?;
    ensure!(mean < 80.0, "only BGP waits: {mean}");
    ensure!(road.router.is_established()?, "slow, and not dead");
    road.clear()?;

    road.fault(&["flap", "--every", "1s"])?;
    road.await_diagnosis("light")?;
    road.clear()?;
    road.await_healthy()?;

    road.fault(&["wrong-tag", "--from", "101", "--to", "999"])?;
    road.await_evidence("tag", "999")?;
    road.clear()?;
    road.await_healthy()?;

    road.fault(&["wrong-key"])?;
    let told = road.await_diagnosis("md5")?;
    eprintln!("wrong key: {}", text(&told, "evidence"));
    road.clear()?;
    road.await_healthy()?;

    // It ends by itself.
    road.fault(&["loss", "--percent", "100", "--for", "1s"])?;
    clock::until("the fault to be over", Duration::from_secs(5), || {
        Ok(road.on()?.is_empty().then_some(()))
    })?;
    road.await_healthy()?;
    ensure!(json!(road.on()?) == json!([]));

    let interface = road.interface.id.as_str();
    road.lab(&["prefix-flood", "--interface", interface, "--prefixes", "150"])?;
    ensure!(road.on()? == ["prefix-flood"]);
    let told = road.await_diagnosis("maximum-prefixes")?;
    eprintln!("prefix flood: {}", text(&told, "evidence"));
    road.clear()?;
    // Nothing of it is left. The session stays shut for a minute, for what it did.
    let netns = road.fibre.netns.as_str();
    ensure!(run(&["ip", "netns", "exec", netns, "nft", "list", "tables"])?.trim().is_empty());
    let left = run(&["ip", "netns", "pids", netns])?;
    let left = left.split_whitespace().map(|pid| run(&["ps", "-o", "args=", "-p", pid]));
    ensure!(!left.flatten().any(|words| words.contains("flood")));
    Ok(())
}
