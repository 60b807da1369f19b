//! The real daemons accept what is written for them. They are part of the set-up (scripts/setup):
//! without one, its test fails.

use crate::{all, full, key};
use directlink_model::router_config::{Intent, Software, configuration};
use directlink_net::BgpKey;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn written(software: Software, name: &str, intent: &Intent) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("router_config");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{software}-{name}.conf"));
    fs::write(&file, configuration(software, intent)).unwrap();
    file
}

/// Every intent of the golden files, and one with a key of awkward characters.
fn intents() -> Vec<(&'static str, Intent)> {
    let mut awkward = full();
    awkward.sessions[0].key = key(r"!#$%&()*+,-./:;<=>?@[\]^_`{|}~");
    all().into_iter().chain([("awkward-key", awkward)]).collect()
}

fn accepts(software: Software, run: impl Fn(&Path) -> Command) {
    for (name, intent) in intents() {
        let file = written(software, name, &intent);
        let mut command = run(&file);
        let output = command.output().unwrap_or_else(|e| panic!("{command:?} cannot run: {e}"));
        let Output { status, stdout, stderr } = output;
        let said =
            format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        let complains =
            ["Unknown command", "unknown", "rror"].iter().any(|word| said.contains(word));
        assert!(status.success() && !complains, "{software} {name}: {status}\n{said}");
    }
}

#[test]
fn bird_accepts_its_configuration() {
    accepts(Software::Bird, |file| {
        let mut command = Command::new("/usr/sbin/bird");
        command.arg("-p").arg("-c").arg(file);
        command
    });
}

#[test]
fn frr_accepts_its_configuration() {
    accepts(Software::Frr, |file| {
        let mut command = Command::new("/usr/bin/vtysh");
        command.arg("-C").arg("-f").arg(file);
        command
    });
}

/// The dry run of BIRD and GoBGP says nothing of a word that they overlook; this one does.
#[test]
fn bgpd_knows_every_line_of_its_part() {
    accepts(Software::Frr, |file| {
        let text = fs::read_to_string(file).unwrap();
        let (_, after) = text
            .split_once("\nip prefix-list")
            .or_else(|| text.split_once("\nipv6 prefix-list"))
            .unwrap();
        let part = file.with_extension("bgpd");
        let list = if text.contains("\nip prefix-list") { "ip" } else { "ipv6" };
        fs::write(&part, format!("{list} prefix-list{after}")).unwrap();
        let mut command = Command::new("/usr/lib/frr/bgpd");
        command.arg("-C").arg("-f").arg(part).arg("--log").arg("stdout");
        command
    });
}

#[test]
fn gobgp_accepts_its_configuration() {
    accepts(Software::GoBgp, |file| {
        let mut command = Command::new("/usr/bin/gobgpd");
        command.arg("--dry-run").arg("-t").arg("toml").arg("-f").arg(file);
        command
    });
}

#[test]
fn a_broken_configuration_is_refused_so_that_the_tests_above_mean_something() {
    let awkward = BgpKey::try_from("k").unwrap();
    assert_eq!(awkward.expose(), "k");
    for (software, program, arguments, wrong) in [
        (Software::Bird, "/usr/sbin/bird", ["-p", "-c"].as_slice(), ("hold time", "holt time")),
        (Software::Frr, "/usr/bin/vtysh", &["-C", "-f"], ("remote-as", "remote-asn")),
        (Software::GoBgp, "/usr/bin/gobgpd", &["--dry-run", "-f"], ("peer-as = ", "peer-as = x")),
    ] {
        let file = written(software, "broken", &full());
        let text = fs::read_to_string(&file).unwrap().replace(wrong.0, wrong.1);
        fs::write(&file, text).unwrap();
        let output = Command::new(program).args(arguments).arg(&file).output().unwrap();
        assert!(!output.status.success(), "{software}");
    }
}
